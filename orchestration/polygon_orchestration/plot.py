"""Bars as a small picture inside Markdown, which Dagster's pages show."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape

_WIDTH, _HEIGHT = 720, 170
_LEFT, _TOP, _BOTTOM = 64, 10, 26
# The page behind is light or dark, and the picture does not know which.
_BAR, _TEXT = "#4c83ee", "#868fa3"
_MOST_LABELS = 7


def bars(title: str, rows: Sequence[tuple[str, float]]) -> str:
    """Return Markdown with a bar for each label and value; words where there is nothing to draw."""
    if not rows:
        return f"{title}: nothing yet"
    image = b64encode(_svg(title, rows).encode()).decode()
    return f"**{title}**\n\n![{title}](data:image/svg+xml;base64,{image})"


def _svg(title: str, rows: Sequence[tuple[str, float]]) -> str:
    most = max(value for _, value in rows) or 1
    step = (_WIDTH - _LEFT) / len(rows)
    floor = _HEIGHT - _BOTTOM
    every = -(-len(rows) // _MOST_LABELS)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="11">'
        f"<title>{escape(title)}</title>"
    ]
    for share in (0.5, 1):
        y = floor - share * (floor - _TOP)
        parts.append(
            f'<path d="M{_LEFT} {y:.1f}H{_WIDTH}" stroke="{_TEXT}" stroke-opacity=".3"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="{_TEXT}">'
            f"{_short(most * share)}</text>"
        )
    for number, (label, value) in enumerate(rows):
        x, tall = _LEFT + number * step, value / most * (floor - _TOP)
        parts.append(
            f'<rect x="{x + step * 0.12:.1f}" y="{floor - tall:.1f}" width="{step * 0.76:.1f}" '
            f'height="{tall:.1f}" fill="{_BAR}"><title>{escape(label)}: {value:,g}</title></rect>'
        )
        if number % every == 0:
            parts.append(
                f'<text x="{x + step / 2:.1f}" y="{_HEIGHT - 8}" text-anchor="middle" '
                f'fill="{_TEXT}">{escape(label)}</text>'
            )
    return "".join([*parts, "</svg>"])


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.3g}"

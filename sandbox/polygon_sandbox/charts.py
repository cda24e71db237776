"""Small charts as SVG by hand: no library, no script, and colours that the page's style decides.

A figure has a time axis in seconds since 1970 UTC. Shapes carry a class of the style sheet and, as
their title, what a pointer on them shows.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from html import escape
from math import ceil, floor, log10

WIDTH = 960
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 18, 14, 46
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_MOST_TICKS = 10


@dataclass(slots=True)
class Figure:
    """A figure that shapes are put into.

    Attributes:
        first: left end of the time axis.
        last: right end.
        low: lower end of the values.
        high: upper end; above `low`, and both above 0 where the axis is logarithmic.
        label: what the values are.
        height: in the units in which the width is `WIDTH`.
        is_log: whether equal factors are equally far apart.
        says: how a value is written on the axis.
        described: what a person who does not see it is told.
    """

    first: float
    last: float
    low: float
    high: float
    label: str
    height: int = 300
    is_log: bool = False
    says: Callable[[float], str] = "{:,g}".format
    described: str = ""
    _parts: list[str] = field(default_factory=list)

    def x(self, moment: float) -> float:
        """Return where a moment is."""
        share = (moment - self.first) / (self.last - self.first)
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """Return where a value is."""
        low, high = self.low, self.high
        if self.is_log:
            value, low, high = (log10(max(number, self.low)) for number in (value, low, high))
        share = (value - low) / (high - low)
        return self.height - _BOTTOM - share * (self.height - _TOP - _BOTTOM)

    def shade(self, since: float, until: float, words: str) -> None:
        """Shade a stretch of time over the whole height, with words in it."""
        left, right = self.x(max(since, self.first)), self.x(min(until, self.last))
        if right <= left:
            return
        height = self.height - _TOP - _BOTTOM
        self._parts.append(
            f'<g class="gap"><title>{escape(words)}</title>'
            f'<rect x="{left:.1f}" y="{_TOP}" width="{right - left:.1f}" height="{height}"/>'
            f'<text x="{(left + right) / 2:.1f}" y="{_TOP + 16}" text-anchor="middle">'
            f"{escape(words)}</text></g>"
        )

    def bar(
        self, kind: str, moment: float, width: float, base: float, top: float, says: str
    ) -> None:
        """Draw a bar from `base` to `top`, `width` seconds wide, around a moment."""
        left, right = self.x(moment - width / 2), self.x(moment + width / 2)
        upper, lower = self.y(max(base, top)), self.y(min(base, top))
        self._parts.append(
            f'<rect class="{kind}" x="{left:.1f}" y="{upper:.1f}" width="{right - left:.1f}" '
            f'height="{max(lower - upper, 0.8):.1f}"><title>{escape(says)}</title></rect>'
        )

    def stroke(self, kind: str, moment: float, base: float, top: float) -> None:
        """Draw an upright line."""
        x = self.x(moment)
        self._parts.append(
            f'<path class="{kind}" d="M{x:.1f} {self.y(base):.1f}V{self.y(top):.1f}"/>'
        )

    def line(self, kind: str, points: Sequence[tuple[float, float]], apart: float) -> None:
        """Draw a line through points; it ends and begins anew where they are further apart."""
        path, before = [], None
        for moment, value in points:
            pen = "M" if before is None or moment - before > apart else "L"
            path.append(f"{pen}{self.x(moment):.1f} {self.y(value):.1f}")
            before = moment
        self._parts.append(f'<path class="line {kind}" d="{"".join(path)}"/>')

    def dots(self, kind: str, points: Iterable[tuple[float, float, str]]) -> None:
        """Draw points, each with what it says."""
        for moment, value, says in points:
            self._parts.append(
                f'<circle class="{kind}" cx="{self.x(moment):.1f}" cy="{self.y(value):.1f}" '
                f'r="2.6"><title>{escape(says)}</title></circle>'
            )

    def svg(self) -> str:
        """Return the figure with its axes."""
        bottom = self.height - _BOTTOM
        parts = [
            f'<svg viewBox="0 0 {WIDTH} {self.height}" role="img">'
            f"<title>{escape(self.described)}</title>"
        ]
        for value in self._values():
            y = self.y(value)
            parts.append(
                f'<path class="grid" d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}"/>'
                f'<text class="tick" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
                f"{self.says(value)}</text>"
            )
        parts.extend(self._parts)
        for moment in self._moments():
            parts.append(
                f'<text class="tick" x="{self.x(moment):.1f}" y="{bottom + 18}" '
                f'text-anchor="middle">{clock(moment)}</text>'
            )
        middle = (_TOP + bottom) / 2
        parts.append(
            f'<path class="axis" d="M{_LEFT} {bottom}H{WIDTH - _RIGHT}"/>'
            f'<text class="label" x="{(_LEFT + WIDTH - _RIGHT) / 2:.0f}" y="{self.height - 8}" '
            'text-anchor="middle">time of the market, UTC</text>'
            f'<text class="label" transform="translate(16 {middle:.0f}) rotate(-90)" '
            f'text-anchor="middle">{escape(self.label)}</text></svg>'
        )
        return "".join(parts)

    def _values(self) -> list[float]:
        if self.is_log:
            low, high = floor(log10(self.low)), ceil(log10(self.high))
            marks = [mark * 10.0**power for power in range(low, high + 1) for mark in (1, 2, 5)]
            return [value for value in marks if self.low <= value <= self.high]
        step = nice((self.high - self.low) / 5)
        begin, end = ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9)
        return [step * number for number in range(begin, end + 1)]

    def _moments(self) -> list[int]:
        span = self.last - self.first
        step = next((s for s in _STEPS if span / s <= _MOST_TICKS), _STEPS[-1])
        begin = ceil(self.first / step) * step
        # One at the very end would be cut off.
        return [
            s for s in range(begin, floor(self.last) + 1, step) if self.x(s) < WIDTH - _RIGHT - 26
        ]


def nice(step: float) -> float:
    """Return the next of 1, 2, 5, 10, 20... that is no less, of any power of ten."""
    power = 10.0 ** floor(log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * 0.999)


def clock(moment: float) -> str:
    """Return the time of day, in UTC."""
    return f"{datetime.fromtimestamp(moment, timezone.utc):%H:%M:%S}"


def spark(values: Sequence[float]) -> str:
    """Return a line of values as a word-sized picture."""
    low, high = min(values), max(values)
    points = [
        f"{4 + 112 * n / max(len(values) - 1, 1):.1f} {22 - 18 * (v - low) / (high - low or 1):.1f}"
        for n, v in enumerate(values)
    ]
    kind = "up" if values[-1] >= values[0] else "down"
    last = points[-1].split()
    return (
        f'<svg class="spark" viewBox="0 0 120 26" aria-hidden="true">'
        f'<path class="line {kind}" d="M{"L".join(points)}"/>'
        f'<circle class="{kind}" cx="{last[0]}" cy="{last[1]}" r="2.4"/></svg>'
    )

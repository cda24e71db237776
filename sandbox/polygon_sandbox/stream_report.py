"""The streaming demo's report: one HTML file with its charts inside, no network needed."""

from dataclasses import dataclass
from datetime import datetime, timezone
from html import escape
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from polygon_sandbox.stream_books import Line

_BLUE, _GREEN, _ORANGE, _GREY = "#2563eb", "#16a34a", "#ea580c", "#64748b"
_STYLE = """
:root{color-scheme:light}
body{font:16px/1.5 system-ui,sans-serif;color:#0f172a;background:#f8fafc;margin:0}
main{max-width:62rem;margin:0 auto;padding:2rem 1.5rem 4rem}
h1{font-size:1.7rem;margin:0 0 .3rem}h2{font-size:1.15rem;margin:2.2rem 0 .4rem}
p{margin:.2rem 0;color:#475569}
.verdict{border-left:5px solid;padding:.7rem 1rem;background:#fff;border-radius:4px;margin:1.2rem 0;
color:#0f172a}
.good{border-color:#16a34a}.bad{border-color:#dc2626}
.tiles{display:grid;grid-template-columns:repeat(4,1fr);gap:.8rem;margin:1rem 0}
.tile{background:#fff;border:1px solid #e2e8f0;border-radius:8px;padding:.8rem 1rem}
.tile b{display:block;font-size:1.5rem}.tile span{color:#64748b;font-size:.85rem}
table{border-collapse:collapse;background:#fff;border:1px solid #e2e8f0;width:100%}
td,th{padding:.32rem .9rem;text-align:left}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
tr.sum{font-weight:600;border-bottom:1px solid #e2e8f0;background:#f1f5f9}
td.step{padding-left:2rem;color:#475569}
.chart{background:#fff;border:1px solid #e2e8f0;border-radius:8px;margin:.6rem 0;overflow:hidden}
"""


@dataclass(frozen=True, slots=True)
class Report:
    """What the report shows.

    Attributes:
        books: the way of the bars, line by line.
        verdict: whether it adds up, in a sentence; `is_good` if it does.
        latency: median and 99th percentile from socket to row, seconds.
        by_second: (second since 1970, bars that were streamed, bars in the table) of those that
            pass the rules.
        latency_by_second: median and 99th percentile by second.
        movers: (symbol, first, last, change in %, volume); the first has the candles.
        candles: (start, open, high, low, close) of each.
        gaps: as on the topic.
    """

    books: list[Line]
    verdict: str
    is_good: bool
    latency: tuple[float, float]
    by_second: list[tuple[int, int, int]]
    latency_by_second: dict[int, tuple[float, float]]
    movers: list[tuple[str, float, float, float, float]]
    candles: list[tuple[Any, ...]]
    gaps: list[dict[str, Any]]


def write(path: Path, report: Report) -> None:
    """Write the report to a file."""
    began = _moment(report.by_second[0][0])
    healed = sum(there - streamed for _, streamed, there in report.by_second)
    tiles = [
        (f"{report.books[-1].number:,}", "bars in the table"),
        (f"{healed:,}", "of them the stream had missed"),
        (f"{report.latency[0]:.2f} s", "socket to row, median"),
        (f"{report.latency[1]:.2f} s", "socket to row, 99th percentile"),
    ]
    parts = [
        "<h1>Streaming demo</h1>",
        f"<p>A made-up market of {began:%Y-%m-%d %H:%M:%S} UTC, through WebSocket, feed, broker, "
        "filter and sink into ClickHouse. Half-way the connection was cut without a word.</p>",
        f'<p class="verdict {"good" if report.is_good else "bad"}">{escape(report.verdict)}</p>',
        "<div class=tiles>",
        *(f"<div class=tile><b>{escape(n)}</b><span>{escape(t)}</span></div>" for n, t in tiles),
        "</div><h2>The gap, and how it was healed</h2>",
        "<p>Bars in the table by the second of the market in which they ended: those that came by "
        "the stream, and those that it missed and heal brought from the REST API.</p>",
        _chart(_seconds(report), include_library=True),
        _gaps(report.gaps),
        "<h2>What happened to the bars</h2>",
        "<p>Each sum is the one before it with the lines between, counted at its own place.</p>",
        _books(report.books),
        "<h2>From the socket to a row</h2>",
        "<p>Of streamed bars that heal did not send again, by the second of the market. For up to "
        "a second of it the sink collects rows. Every command was ready before the first bar.</p>",
        _chart(_latency(report)),
        f"<h2>{escape(report.movers[0][0])}, the top mover, in candles of two seconds</h2>",
        _chart(_candles(report)),
        _movers(report),
    ]
    path.write_text(
        "<!DOCTYPE html><html lang=en><meta charset=utf-8><title>Streaming demo</title>"
        f"<meta name=viewport content='width=device-width'><style>{_STYLE}</style>"
        f"<main>{''.join(parts)}</main></html>",
        encoding="utf-8",
    )


def _seconds(report: Report) -> go.Figure:
    moments = [_moment(second) for second, _, _ in report.by_second]
    streamed = [streamed for _, streamed, _ in report.by_second]
    healed = [there - streamed for _, streamed, there in report.by_second]
    figure = go.Figure()
    for name, counts, colour in (("streamed", streamed, _BLUE), ("healed", healed, _GREEN)):
        figure.add_bar(x=moments, y=counts, name=name, marker_color=colour, width=850)
    for gap in report.gaps:
        if gap["certain"]:
            figure.add_vrect(
                x0=gap["from"], x1=gap["to"], fillcolor=_ORANGE, opacity=0.25, line_width=0,
                layer="below", annotation_text="gap as recorded", annotation_position="top left",
            )  # fmt: skip
    highest = max(there for _, _, there in report.by_second)
    figure.update_layout(
        barmode="stack", yaxis_title="bars", yaxis_range=[0, 1.2 * highest], height=320
    )
    return figure


def _latency(report: Report) -> go.Figure:
    seconds = [second for second, _, _ in report.by_second]
    figure = go.Figure()
    for name, column, line in (
        ("median", 0, {"color": _BLUE}),
        ("99th percentile", 1, {"color": _ORANGE, "dash": "dot"}),
    ):
        waits = [report.latency_by_second.get(second, (None, None))[column] for second in seconds]
        figure.add_scatter(
            x=[_moment(second) for second in seconds], y=waits, name=name, connectgaps=False,
            mode="lines+markers", line=line,
        )  # fmt: skip
    figure.update_layout(yaxis_title="seconds", yaxis_rangemode="tozero", height=280)
    return figure


def _candles(report: Report) -> go.Figure:
    starts, opens, highs, lows, closes = (
        list(column) for column in zip(*report.candles, strict=True)
    )
    figure = go.Figure(
        go.Candlestick(x=starts, open=opens, high=highs, low=lows, close=closes, showlegend=False,
                       increasing_line_color=_GREEN, decreasing_line_color=_ORANGE)
    )  # fmt: skip
    figure.update_layout(xaxis_rangeslider_visible=False, yaxis_title="price", height=320)
    return figure


def _moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, timezone.utc)


def _chart(figure: go.Figure, include_library: bool = False) -> str:
    figure.update_layout(
        template="plotly_white",
        font={"family": "system-ui,sans-serif", "color": _GREY},
        margin={"l": 60, "r": 20, "t": 30, "b": 40},
        legend={"orientation": "h", "y": 1.12, "x": 0},
    )
    html = figure.to_html(
        full_html=False, include_plotlyjs=include_library, config={"displayModeBar": False}
    )
    return f"<div class=chart>{html}</div>"


def _books(books: list[Line]) -> str:
    rows = []
    for line in books:
        number = f"{line.number:,}" if line.is_sum else f"{line.number:+,}".replace("+0", "0")
        kind, step = ("sum", "") if line.is_sum else ("", "step")
        rows.append(
            f'<tr class="{kind}"><td class="{step}">{escape(line.text)}<td class=n>{number}'
        )
    return f"<table>{''.join(rows)}</table>"


def _gaps(gaps: list[dict[str, Any]]) -> str:
    certain = [gap for gap in gaps if gap["certain"]]
    rows = [
        f"<li>{escape(gap['from'])} to {escape(gap['to'])} UTC: {escape(gap['reason'])}"
        for gap in certain
    ]
    likely = len(gaps) - len(certain)
    if likely:
        rows.append(f"<li>{likely:,} more, likely only: a stock's volume jumped")
    return f"<p>Recorded on the topic of gaps:</p><ul>{''.join(rows)}</ul>"


def _movers(report: Report) -> str:
    rows = "".join(
        f"<tr><td>{escape(symbol)}<td class=n>{first:.2f}<td class=n>{last:.2f}"
        f"<td class=n>{change:+.2f}%<td class=n>{volume:,.0f}"
        for symbol, first, last, change, volume in report.movers
    )
    head = "<tr><th>top movers<th class=n>first<th class=n>last<th class=n>change<th class=n>volume"
    return f"<table>{head}{rows}</table>"

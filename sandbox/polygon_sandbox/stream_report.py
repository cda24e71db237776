"""The streaming demo's report: one small HTML file, no script and no network needed."""

from dataclasses import dataclass
from datetime import datetime
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from polygon_sandbox import stream_charts as charts
from polygon_sandbox.charts import clock, spark
from polygon_sandbox.stream_books import Line
from polygon_sandbox.stream_charts import Candle, Latency, Outage, Second, duration

_WAY = ("market's WebSocket", "feed", "raw topic", "filter", "clean topic", "sink", "ClickHouse")
_ABOUT_GAP = """
<p>Every bar in the table, by the second of the market in which it ended. The stream misses what is
made while nobody is connected; <code>polygon-stream heal</code> reads it from the REST API and
sends it the same way. Where the bars reach the dotted line, nothing is missing.</p>
"""
_ABOUT_LATENCY = """
<p>How long after the feed had it from the socket a bar could be read at each place, by the second
of receipt: the median, and dashed what 99 in a hundred stay below. On this axis a factor of ten is
equally high everywhere. Most of the last step is the sink's wait for more rows, up to a second, for
ClickHouse likes large inserts. Healed bars are left out, and in the table those that heal sent
again.</p>
"""
_ABOUT_CANDLES = """
<p>As a query of the table gives them. Outlined candles are of bars that the stream had missed:
without heal the chart would have a hole there.</p>
"""
_ABOUT_BOOKS = """
<p>Each sum is the one before it with the lines between, counted by the market, in the raw topic and
in the table, and compared with what feed, heal, filter and sink say.</p>
"""
_NOT_REAL = """
<footer>Not real here: the market, and the broker, which is the mock inside librdkafka. It shows
uncommitted records to readers, so the clean topic's times are those of the filter's writing, and it
proves nothing about exactly-once: <code>make test-kafka</code> does, on Apache Kafka. The commands
and ClickHouse (chDB) are the real ones, on one machine, beside everything else that ran on
it.</footer>
"""


@dataclass(frozen=True, slots=True)
class Mover:
    """A symbol that moved: prices in US dollars, change in per cent, volume in shares.

    Attributes:
        closes: the last price of each of its bars.
    """

    symbol: str
    first: float
    last: float
    change: float
    volume: float
    closes: list[float]


@dataclass(frozen=True, slots=True)
class Report:
    """What the report shows.

    Attributes:
        began: the first second of the market, as people write it.
        books: the way of the bars, line by line.
        ticks: likewise of `trades` and of `quotes`.
        verdict: whether it adds up, in a sentence; `is_good` if it does.
        seconds: bars that pass the rules, by second.
        latencies: of the places on the way, in their order; the table is the last.
        movers: the first has the candles.
        candles: those of the first mover.
        candle_seconds: how long a candle is.
        gaps: as on the topic.
    """

    began: str
    books: list[Line]
    ticks: dict[str, list[Line]]
    verdict: str
    is_good: bool
    seconds: list[Second]
    latencies: list[Latency]
    movers: list[Mover]
    candles: list[Candle]
    candle_seconds: int
    gaps: list[dict[str, Any]]


def write(path: Path, report: Report) -> None:
    """Write the report to a file."""
    outages = [outage for gap in report.gaps if gap["certain"] for outage in [_outage(gap)]]
    first, last = report.seconds[0].moment, report.seconds[-1].moment
    top = report.movers[0]
    way = "".join(f"<li>{place}</li>" for place in _WAY)
    parts = [
        "<h1>Streaming demo</h1>",
        f"<p>A made-up market, from {escape(report.began)} UTC on, a bar a second of each stock, "
        "trades and quotes of some. Half-way the connection was cut without a word.</p>",
        f"<ol class=way>{way}</ol>",
        f'<p class="verdict {"good" if report.is_good else "bad"}">{escape(report.verdict)}</p>',
        _tiles(report),
        "<h2>The gap, and how it was healed</h2>",
        _ABOUT_GAP,
        _card(charts.throughput(report.seconds, outages)),
        _gaps(report.gaps),
        "<h2>From the socket to a row</h2>",
        _ABOUT_LATENCY,
        _card(charts.latency(report.latencies, outages, first, last)),
        _stages(report.latencies),
        f"<h2>{escape(top.symbol)}, the top mover, in candles of {_seconds(report.candle_seconds)}"
        "</h2>",
        _ABOUT_CANDLES,
        _card(charts.candles(report.candles, report.candle_seconds, report.seconds, outages)),
        _movers(report.movers),
        "<h2>What happened to the bars</h2>",
        _ABOUT_BOOKS,
        _books(report.books),
        *(f"<h2>And to the {kind}</h2>{_books(books)}" for kind, books in report.ticks.items()),
        _NOT_REAL,
    ]
    style = (files("polygon_sandbox") / "stream_report.css").read_text(encoding="utf-8")
    path.write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>Streaming demo</title><style>{style}</style><main>{''.join(parts)}</main></html>",
        encoding="utf-8",
    )


def _tiles(report: Report) -> str:
    healed = sum(second.healed for second in report.seconds)
    table = report.latencies[-1].all
    busiest = max(report.seconds, key=lambda second: second.streamed)
    tiles = [
        (f"{report.books[-1].number:,}", "bars in the table"),
        (f"{healed:,}", "of them the stream had missed"),
        (f"{busiest.streamed:,} / s", f"bars streamed at most, at {clock(busiest.moment)}"),
        (duration(table.p50), "socket to row, median"),
        (duration(table.p99), "socket to row, 99 in a hundred"),
    ]
    inner = "".join(f"<div class=tile><b>{escape(n)}</b><span>{t}</span></div>" for n, t in tiles)
    return f"<div class=tiles>{inner}</div>"


def _card(inner: str) -> str:
    return f"<div class=chart>{inner}</div>"


def _seconds(number: int) -> str:
    return "a second" if number == 1 else f"{number} seconds"


def _outage(gap: dict[str, Any]) -> Outage:
    since, until = (_moment(gap[end]) for end in ("from", "to"))
    return Outage(since, until)


def _moment(text: str) -> float:
    return datetime.fromisoformat(f"{text.rstrip('Z').replace(' ', 'T')}+00:00").timestamp()


def _stages(latencies: list[Latency]) -> str:
    rows, before = [], 0.0
    for place in latencies:
        rows.append(
            f"<tr><td>{escape(place.words)}<td class=n>{duration(place.all.p50)}"
            f"<td class=n>{duration(place.all.p99)}"
            f"<td class=n>{duration(max(0.0, place.all.p50 - before))}"
        )
        before = place.all.p50
    head = (
        "<tr><th>since the socket<th class=n>median<th class=n>99 in a hundred"
        "<th class=n>the step alone, median"
    )
    return f"<table>{head}{''.join(rows)}</table>"


def _books(books: list[Line]) -> str:
    most = max(abs(line.number) for line in books) or 1
    rows = []
    for line in books:
        number = f"{line.number:,}" if line.is_sum else f"{line.number:+,}".replace("+0", "0")
        kind, step = ("sum", "") if line.is_sum else ("", "step")
        sign = "" if line.is_sum else "less" if line.number < 0 else "more"
        share = f'<i class="{sign}" style="width:{100 * abs(line.number) / most:.1f}%"></i>'
        rows.append(
            f'<tr class="{kind}"><td class="{step}">{escape(line.text)}<td class=n>{number}'
            f"<td class=share>{share if line.number else ''}"
        )
    return f"<table>{''.join(rows)}</table>"


def _gaps(gaps: list[dict[str, Any]]) -> str:
    rows = [
        f"<tr><td>{escape(gap['from'])}<td>{escape(gap['to'])}<td>{escape(gap['reason'])}"
        for gap in gaps
        if gap["certain"]
    ]
    likely = sum(not gap["certain"] for gap in gaps)
    if likely:
        rows.append(f"<tr><td colspan=3>and {likely:,} likely ones: a stock's volume jumped")
    head = "<tr><th>gap recorded from, UTC<th>to<th>because"
    return f"<table>{head}{''.join(rows)}</table>"


def _movers(movers: list[Mover]) -> str:
    rows = "".join(
        f"<tr><td>{escape(m.symbol)}<td>{spark(m.closes)}<td class=n>{m.first:.2f}"
        f'<td class=n>{m.last:.2f}<td class="n {"up" if m.change >= 0 else "down"}">'
        f"{m.change:+.2f} %<td class=n>{m.volume:,.0f}"
        for m in movers
    )
    head = (
        "<tr><th>top movers<th>price, bar by bar<th class=n>first<th class=n>last"
        "<th class=n>change<th class=n>volume, shares"
    )
    return f"<table>{head}{rows}</table>"

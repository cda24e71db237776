"""What the streaming demo says at its end, on the terminal and in its report."""

from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from polygon_sandbox.stream_books import Figures, Line, faults, lines
from polygon_sandbox.stream_charts import Latency, Second
from polygon_sandbox.stream_raw import RawTopic
from polygon_sandbox.stream_report import Report, write
from polygon_sandbox.stream_rules import CHANNELS
from polygon_sandbox.stream_table import Tables
from polygon_sandbox.stream_watch import Arrivals

CONSOLE: Final = Console(highlight=False)
_MOST_CANDLES: Final = 60


def summarise(
    directory: Path,
    raw: RawTopic,
    figures: Figures,
    tables: Tables,
    passing: Counter[int],
    arrivals: tuple[Arrivals, Arrivals],
    gaps: list[dict[str, Any]],
) -> None:
    """Print the books, the verdict and the top movers, and write the report.

    Args:
        directory: where the report goes.
        raw: what was in the raw topic.
        figures: what the stages, the market and the tables say.
        tables: those of the sink.
        passing: bars of the market that pass the rules, by second since 1970.
        arrivals: at the raw topic, and at the clean one of bars.
        gaps: as on the topic.

    Raises:
        SystemExit: something is not accounted for.
    """
    books, wrong = {kind: lines(kind, raw, figures) for kind in CHANNELS}, faults(raw, figures)
    for kind, book in books.items():
        CONSOLE.print(_printed(kind, book))
    p50, p99 = tables.latency()
    verdict = (
        "Every bar, trade and quote is accounted for: the tables equal, by value, what the market "
        "made and the rules let pass, that of the gap too."
        if not wrong
        else f"It does not add up. {'; '.join(wrong)}."
    )
    CONSOLE.print(verdict)
    CONSOLE.print(
        f"From the socket to a row of the table: p50 {p50:.2f} s, p99 {p99:.2f} s, of the streamed "
        "bars. For up to 1 s of it the sink collects. Every command was ready before the first bar."
    )
    for gap in [gap for gap in gaps if gap["certain"]]:
        CONSOLE.print(f"gap from {gap['from']} to {gap['to']} UTC: {gap['reason']}")
    movers = tables.movers()
    there = Counter(start // 1000 + 1 for _, start in tables.values("bars"))
    table = Table("top movers", "first", "last", "change", "volume")
    for m in movers:
        row = f"{m.first:.2f}", f"{m.last:.2f}", f"{m.change:+.2f}%", f"{m.volume:,.0f}"
        table.add_row(m.symbol, *row)
    CONSOLE.print(table)
    path = directory / "report.html"
    length = max(1, len(there) // _MOST_CANDLES)
    at_raw, at_clean = arrivals
    report = Report(
        began=f"{datetime.fromtimestamp(min(passing), timezone.utc):%Y-%m-%d %H:%M:%S}",
        books=books.pop("bars"),
        ticks=books,
        verdict=verdict,
        is_good=not wrong,
        seconds=[
            Second(s, passing[s], raw.streamed_kept[s], there[s] - raw.streamed_kept[s])
            for s in sorted(passing)
        ],
        latencies=[
            Latency("raw", "in the raw topic", at_raw.all(), at_raw.by_second()),
            Latency("clean", "in the clean topic", at_clean.all(), at_clean.by_second()),
            Latency("table", "a row in ClickHouse", tables.latency(), tables.latency_by_second()),
        ],
        movers=movers,
        candles=tables.candles(movers[0].symbol, length),
        candle_seconds=length,
        gaps=gaps,
    )
    write(path, report)
    tables.close()
    CONSOLE.print(f"Report: {path}   table: {directory / 'table.chdb'}   logs: {directory}/*.log")
    if wrong:
        raise SystemExit(1)


def _printed(kind: str, books: list[Line]) -> Table:
    table = Table(f"what happened to the {kind}", "", kind)
    table.columns[2].justify = "right"
    for line in books:
        style = "bold" if line.is_sum else ""
        sign = "=" if line.is_sum else "-" if line.number <= 0 else "+"
        table.add_row(
            line.text, sign, f"{abs(line.number):,}", style=style, end_section=line.is_sum
        )
    return table

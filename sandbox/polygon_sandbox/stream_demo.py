"""The streaming demo: WebSocket -> feed -> Kafka -> filter -> sink, and a gap that is healed.

The commands run as processes of their own, as they would in production. What is not real is at
both ends and in the middle: the market is the sandbox's; the table is in chDB, ClickHouse embedded
in the process; and the broker is the mock inside librdkafka. It speaks Kafka's protocol and keeps
records in memory, but it does not hide aborted transactions nor fence anyone, so it proves nothing
about exactly-once. `make test-kafka` does, on Apache Kafka.
"""

import re
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Consumer, Producer, TopicPartition
from rich.console import Console
from rich.live import Live
from rich.table import Table

from polygon_sandbox.server import Sandbox
from polygon_sandbox.stream import StreamSandbox
from polygon_sandbox.stream_books import RULES, Figures, Line, RawTopic, faults, lines, passing
from polygon_sandbox.stream_charts import Latency, Second
from polygon_sandbox.stream_faults import StreamFault
from polygon_sandbox.stream_report import Report, write
from polygon_sandbox.stream_stages import Stage, Stages
from polygon_sandbox.stream_table import BarTable
from polygon_sandbox.stream_watch import Arrivals
from polygon_sandbox.world import World

CONSOLE = Console(highlight=False)
RAW, GAPS = "polygon_stream_aggregates", "polygon_stream_gaps"
CLEAN = "custom_filtered_stock_data_topic"
TOPICS = (
    RAW,
    CLEAN,
    "custom_filtered_trades_topic",
    "custom_filtered_quotes_topic",
    "polygon_stream_dead_letter",
    GAPS,
)
_RECEIVED = ("polygon_ws_events_total", 'event_type="A"')
_SEED = 7
_PATIENCE_SECONDS = 90
_EARLIEST_CUT = 8
_MOST_CANDLES = 60


def run(directory: Path, seconds: int, rate: int) -> None:
    """Run the demo.

    Args:
        directory: an empty one, where the table, the logs and the report go.
        seconds: how long bars flow.
        rate: how many stocks there are; each has a bar every second.

    Raises:
        SystemExit: a command failed, or a bar is not accounted for.
    """
    world = World(seed=_SEED, stocks=rate)
    symbols = sorted({str(row["ticker"]) for row in world.tickers("stocks")})
    listed = "".join(f"stocks,A,{symbol}\n" for symbol in symbols)
    (directory / "subscriptions.csv").write_text(f"market,channel,symbol\n{listed}")
    (directory / "rules.yaml").write_text(RULES)
    broker = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0})
    address = _address(broker)
    CONSOLE.print(
        f"Streaming {len(symbols):,} made-up stocks for {seconds} s, a bar a second each:\n"
        "sandbox WebSocket -> feed -> broker -> filter -> sink -> chDB.\n"
        "The broker is librdkafka's in-memory mock: it shows the flow, not exactly-once\n"
        "(make test-kafka shows that, on Apache Kafka)."
    )
    market = StreamSandbox(symbols, clocked=True, seed=_SEED)
    market.silent, market.lasts = True, seconds
    # Half-way through, the connection is cut without a word; late enough for the market to have
    # been there in the 5 s before, of which heal brings the bars too.
    market.faults.add(StreamFault.drop(after_frames=max(_EARLIEST_CUT, seconds // 2)))
    with (
        market,
        Sandbox(world) as rest,
        Stages(directory, address, market.key) as stages,
        Arrivals(address, RAW) as at_raw,
        Arrivals(address, CLEAN) as at_clean,
    ):
        raw = RawTopic(address, RAW)
        table = f"chdb:{directory / 'table.chdb'}"
        sink = stages.start("sink", "--clickhouse", table)
        refine = stages.start("filter", "--rules", directory / "rules.yaml")
        _until(lambda: sink.is_ready() and refine.is_ready(), "filter and sink are ready", stages)
        listing = ["--subscriptions", directory / "subscriptions.csv"]
        feed = stages.start(
            "feed", "--feed", market.host, "--no-tls", "--retry-seconds", 3, *listing
        )
        _until(lambda: len(market.subscriptions) == len(symbols), "the feed subscribed", stages)
        _watch(stages, market, raw, (feed, refine, sink), seconds)
        feed_stopped = _drain_feed(stages, market, raw, feed)
        said = stages.heal("--rest-url", rest.url, "--requests-per-minute", 100_000, *listing)
        CONSOLE.print(f"\nThe connection was cut half-way. polygon-stream heal says:\n{said}")
        raw.read_to_end()
        _until(lambda: _read(refine) >= raw.total, "the filter read everything", stages)
        outcomes = {
            name: int(refine.metric("polygon_filter_records_total", name))
            for name in ("kept", "dropped", "dead_lettered")
        }
        refine.stop()
        rows = "polygon_sink_rows_total"
        _until(lambda: sink.metric(rows) >= outcomes["kept"], "the sink has everything", stages)
        inserted = int(sink.metric(rows))
        sink.stop()
        gaps = _records(address, GAPS)
        raw.close()
    bars = BarTable(directory / "table.chdb")
    wanted = passing(_SEED, symbols, sorted(market.seconds))
    there = bars.values()
    figures = Figures(
        symbols=len(symbols),
        sent=market.seconds,
        received=feed_stopped,
        healed=int(re.findall(r"(\d+) bars", said)[0]),
        outcomes=outcomes,
        gaps=len(gaps),
        inserted=inserted,
        table=len(there),
        missing=len(wanted.keys() - there.keys()),
        different=sum(wanted.get(key) != values for key, values in there.items()),
    )
    made = Counter(start // 1000 + 1 for _, start in wanted)
    _summary(directory, raw, figures, bars, made, (at_raw, at_clean), gaps)


def _watch(
    stages: Stages,
    market: StreamSandbox,
    raw: RawTopic,
    shown: tuple[Stage, Stage, Stage],
    seconds: int,
) -> None:
    """Let the market speak for so long, and show what passes along."""
    feed, refine, sink = shown
    market.silent = False
    deadline = time.monotonic() + _PATIENCE_SECONDS + 2 * seconds
    with Live(console=CONSOLE, refresh_per_second=4) as live:
        while len(market.seconds) < seconds:
            stages.check()
            if time.monotonic() > deadline:
                raise SystemExit("The bars do not flow; see feed.log.")
            raw.read()
            table = Table("second", "sent", "received", "kept", "rows", "cut", min_width=60)
            table.add_row(
                f"{len(market.seconds)}",
                f"{market.sent:,}",
                f"{feed.metric(*_RECEIVED):,.0f}",
                f"{refine.metric('polygon_filter_records_total', 'kept'):,.0f}",
                f"{sink.metric('polygon_sink_rows_total'):,.0f}",
                f"{feed.metric('polygon_ws_disconnects_total'):.0f}",
            )
            live.update(table)
            time.sleep(0.3)


def _drain_feed(stages: Stages, market: StreamSandbox, raw: RawTopic, feed: Stage) -> int:
    """Stop the feed once it has what was sent last; return how many events it has received."""

    def has_the_last() -> bool:
        raw.read()
        last = max(market.seconds)
        return raw.streamed[last] == market.seconds[last]

    _until(has_the_last, "the feed has the last bars", stages)
    received = int(feed.metric(*_RECEIVED))
    feed.stop()
    raw.read_to_end()
    return received


def _read(refine: Stage) -> int:
    return int(refine.metric("polygon_filter_records_total"))


def _until(is_true: Callable[[], bool], what: str, stages: Stages) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not is_true():
        stages.check()
        if time.monotonic() > deadline:
            raise SystemExit(f"Not within {_PATIENCE_SECONDS} s: {what}. See the logs.")
        time.sleep(0.2)


def _summary(
    directory: Path,
    raw: RawTopic,
    figures: Figures,
    bars: BarTable,
    made: Counter[int],
    arrivals: tuple[Arrivals, Arrivals],
    gaps: list[dict[str, Any]],
) -> None:
    books, wrong = lines(raw, figures), faults(raw, figures)
    CONSOLE.print(_printed(books))
    p50, p99 = bars.latency()
    verdict = (
        "Every bar is accounted for: the table equals, by value, the market's bars that pass the "
        "rules, those of the gap too."
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
    movers = bars.movers()
    there = Counter(start // 1000 + 1 for _, start in bars.values())
    table = Table("top movers", "first", "last", "change", "volume")
    for m in movers:
        row = f"{m.first:.2f}", f"{m.last:.2f}", f"{m.change:+.2f}%", f"{m.volume:,.0f}"
        table.add_row(m.symbol, *row)
    CONSOLE.print(table)
    path = directory / "report.html"
    length = max(1, len(there) // _MOST_CANDLES)
    at_raw, at_clean = arrivals
    report = Report(
        began=f"{datetime.fromtimestamp(min(made), timezone.utc):%Y-%m-%d %H:%M:%S}",
        books=books,
        verdict=verdict,
        is_good=not wrong,
        seconds=[
            Second(s, made[s], raw.streamed_kept[s], there[s] - raw.streamed_kept[s])
            for s in sorted(made)
        ],
        latencies=[
            Latency("raw", "in the raw topic", at_raw.all(), at_raw.by_second()),
            Latency("clean", "in the clean topic", at_clean.all(), at_clean.by_second()),
            Latency("table", "a row in ClickHouse", bars.latency(), bars.latency_by_second()),
        ],
        movers=movers,
        candles=bars.candles(movers[0].symbol, length),
        candle_seconds=length,
        gaps=gaps,
    )
    write(path, report)
    bars.close()
    CONSOLE.print(f"Report: {path}   table: {directory / 'table.chdb'}   logs: {directory}/*.log")
    if wrong:
        raise SystemExit(1)


def _printed(books: list[Line]) -> Table:
    table = Table("what happened to the bars", "", "bars")
    table.columns[2].justify = "right"
    for line in books:
        style = "bold" if line.is_sum else ""
        sign = "=" if line.is_sum else "-" if line.number <= 0 else "+"
        table.add_row(
            line.text, sign, f"{abs(line.number):,}", style=style, end_section=line.is_sum
        )
    return table


def _address(broker: Producer) -> str:
    found = broker.list_topics(timeout=10).brokers.values()
    for topic in TOPICS:
        broker.list_topics(topic, timeout=10)  # the mock creates what it is asked about
    return ",".join(f"{node.host}:{node.port}" for node in found)


def _records(address: str, topic: str) -> list[dict[str, Any]]:
    """Return the JSON values of a topic so far."""
    consumer = Consumer(
        {"bootstrap.servers": address, "group.id": "demo", "enable.partition.eof": True}
    )
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    values, ends = [], 0
    while ends < len(partitions):
        for message in consumer.consume(100, 1.0):
            if message.error() is None:
                values.append(orjson.loads(message.value() or b""))
            else:
                ends += 1
    consumer.close()
    return values

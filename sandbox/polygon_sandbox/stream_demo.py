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
from pathlib import Path

from confluent_kafka import Producer
from rich.live import Live
from rich.table import Table

from polygon_sandbox.server import Sandbox
from polygon_sandbox.stream import StreamSandbox
from polygon_sandbox.stream_books import Figures, Tally
from polygon_sandbox.stream_faults import StreamFault
from polygon_sandbox.stream_raw import RawTopic
from polygon_sandbox.stream_rules import CHANNELS, RULES, Item, made
from polygon_sandbox.stream_stages import Stage, Stages
from polygon_sandbox.stream_summary import CONSOLE, summarise
from polygon_sandbox.stream_table import Tables
from polygon_sandbox.stream_topics import CLEAN, GAPS, RAW, address_of, records
from polygon_sandbox.stream_watch import Arrivals
from polygon_sandbox.world import World

_RECEIVED = "polygon_ws_events_total"
# Each has about fifteen trades and four quotes a second, where all have one bar.
_WITH_TICKS = 40
_SEED = 7
_PATIENCE_SECONDS = 90
_EARLIEST_CUT = 8


def run(directory: Path, seconds: int, rate: int) -> None:
    """Run the demo.

    Args:
        directory: an empty one, where the table, the logs and the report go.
        seconds: how long the market speaks.
        rate: how many stocks there are; each has a bar every second, some trades and quotes too.

    Raises:
        SystemExit: a command failed, or something is not accounted for.
    """
    world = World(seed=_SEED, stocks=rate)
    symbols = sorted({str(row["ticker"]) for row in world.tickers("stocks")})
    some = symbols[:: -(-len(symbols) // _WITH_TICKS)]
    of = {"bars": symbols, "trades": some, "quotes": some}
    names = [f"stocks,{CHANNELS[kind]},{symbol}\n" for kind in CHANNELS for symbol in of[kind]]
    listed = "".join(names)
    (directory / "subscriptions.csv").write_text(f"market,channel,symbol\n{listed}")
    (directory / "rules.yaml").write_text(RULES)
    broker = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0})
    address = address_of(broker)
    CONSOLE.print(
        f"Streaming {len(symbols):,} made-up stocks for {seconds} s, a bar a second each, and of\n"
        f"{len(some)} of them every trade and quote:\n"
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
        Arrivals(address, RAW, b'{"ev":"A"') as at_raw,
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
        wanted = sum(map(len, of.values()))
        _until(lambda: len(market.subscriptions) == wanted, "the feed subscribed", stages)
        _watch(stages, market, raw, (feed, refine, sink), seconds)
        received = _drain_feed(stages, market, raw, feed)
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
        gaps = records(address, GAPS)
        raw.close()
    tables = Tables(directory / "table.chdb")
    seconds_of = sorted(market.seconds)
    items = {kind: list(made(kind, _SEED, of[kind], seconds_of)) for kind in CHANNELS}
    told = r"([\d,]+) bars?(?: and ([\d,]+) trades and quotes)?"
    ((bars, ticks),) = re.findall(told, said)
    figures = Figures(
        seconds=len(seconds_of),
        tallies={
            kind: _tally(items[kind], tables, kind, len(of[kind]), market, received[kind])
            for kind in CHANNELS
        },
        healed=(int(bars.replace(",", "")), int(ticks.replace(",", "") or 0)),
        gaps=len(gaps),
        outcomes=outcomes,
        inserted=inserted,
    )
    passing = Counter(item.second for item in items["bars"] if not item.rule)
    summarise(directory, raw, figures, tables, passing, (at_raw, at_clean), gaps)


def _tally(
    items: list[Item], tables: Tables, kind: str, symbols: int, market: StreamSandbox, received: int
) -> Tally:
    """Compare the table of a kind with what the market made of it."""
    wanted = {item.key: item.values for item in items if not item.rule}
    there = tables.values(kind)
    return Tally(
        symbols=symbols,
        made=len(items),
        sent=market.channels[CHANNELS[kind]],
        received=received,
        table=len(there),
        missing=len(wanted.keys() - there.keys()),
        different=sum(wanted.get(key) != values for key, values in there.items()),
    )


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
                raise SystemExit("Nothing flows; see feed.log.")
            raw.read()
            table = Table("second", "sent", "received", "kept", "rows", "cut", min_width=60)
            table.add_row(
                f"{len(market.seconds)}",
                f"{market.sent:,}",
                f"{feed.metric(_RECEIVED):,.0f}",
                f"{refine.metric('polygon_filter_records_total', 'kept'):,.0f}",
                f"{sink.metric('polygon_sink_rows_total'):,.0f}",
                f"{feed.metric('polygon_ws_disconnects_total'):.0f}",
            )
            live.update(table)
            time.sleep(0.3)


def _drain_feed(
    stages: Stages, market: StreamSandbox, raw: RawTopic, feed: Stage
) -> dict[str, int]:
    """Stop the feed once it has what was sent last; return what it has received, by kind."""

    def has_the_last() -> bool:
        raw.read()
        last = max(market.seconds)
        return raw.streamed[last] == market.seconds[last]

    _until(has_the_last, "the feed has the last events", stages)
    received = {
        kind: int(feed.metric(_RECEIVED, f'event_type="{channel}"'))
        for kind, channel in CHANNELS.items()
    }
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

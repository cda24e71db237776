"""The streaming demo: WebSocket -> feed -> Kafka -> filter -> sink, about half a minute.

The three commands run as processes of their own, as they would in production. What is not real is
at both ends and in the middle: the market is the sandbox's; the table is in chDB, ClickHouse
embedded in the process; and the broker is the mock inside librdkafka. It speaks Kafka's protocol
and keeps records in memory, but it does not hide aborted transactions nor fence anyone, so it
proves nothing about exactly-once. `make test-kafka` does, on Apache Kafka.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clickhouse_connect
import orjson
from confluent_kafka import Consumer, Producer, TopicPartition
from rich.console import Console
from rich.live import Live
from rich.table import Table

from polygon_sandbox.stream import StreamSandbox
from polygon_sandbox.stream_faults import StreamFault
from polygon_sandbox.stream_report import Report, write

CONSOLE = Console(highlight=False)
TOPICS = (
    "polygon_stream_aggregates",
    "custom_filtered_stock_data_topic",
    "polygon_stream_dead_letter",
    "polygon_stream_gaps",
)
RULES = "exclude: ['*9']   # leaves out one symbol in ten\nmin_price: 10\n"
_DRAIN_SECONDS = 20


@dataclass(slots=True)
class Stage:
    """One of the commands, under way."""

    name: str
    process: subprocess.Popen[bytes]
    port: int

    def metric(self, name: str, label: str = "") -> float:
        """Return the sum of a metric over its labels, or of those with `label` in them.

        It is 0 while it cannot be asked.
        """
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=2) as page:
                text = page.read().decode()
        except OSError:
            return 0.0
        found = re.findall(rf"^{name}({{.*?}})? (\S+)$", text, re.MULTILINE)
        return sum(float(value) for labels, value in found if label in labels)


def run(directory: Path, seconds: int, rate: int) -> None:
    """Run the demo.

    Args:
        directory: where the table, the logs and the report go; emptied first.
        seconds: how long events flow.
        rate: events a second, and how many symbols there are.
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    (directory / "subscriptions.csv").write_text("market,channel,symbol\nstocks,A,*\n")
    (directory / "rules.yaml").write_text(RULES)
    broker = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0})
    address = _address(broker)
    symbols = [f"SYM{n}" for n in range(1, rate + 1)]
    CONSOLE.print(
        f"Streaming {rate:,} made-up stocks for {seconds} s: sandbox WebSocket -> feed -> broker "
        "-> filter -> sink -> chDB.\nThe broker is librdkafka's in-memory mock: it shows the flow, "
        "not exactly-once (make test-kafka shows that, on Apache Kafka)."
    )
    with StreamSandbox(symbols, rate, events_per_frame=max(1, rate // 20)) as server:
        # Half-way through, the connection is cut without a word.
        server.faults.add(StreamFault.drop(after_frames=10 * seconds))
        with _stages(directory, server, address) as stages:
            samples = _watch(stages, server, seconds)
            kept, dropped = _drain(stages)
    counts = [
        ("events sent by the sandbox", f"{server.sent:,}"),
        ("kept by the rules", f"{kept:,.0f}"),
        ("dropped by the rules", f"{dropped:,.0f}"),
    ]
    _summary(directory, counts, samples, _records(address, "polygon_stream_gaps"))


@contextmanager
def _stages(directory: Path, server: StreamSandbox, address: str) -> Iterator[list[Stage]]:
    common = ["--bootstrap-servers", address]
    feed = ["--feed", server.host, "--no-tls", "--subscriptions", directory / "subscriptions.csv"]
    stages = [
        _start("sink", directory, [*common, "--clickhouse", f"chdb:{directory / 'table.chdb'}"]),
        _start("filter", directory, [*common, "--rules", directory / "rules.yaml"]),
        _start("feed", directory, [*common, *feed], key=server.key),
    ]
    try:
        yield stages
    finally:
        for stage in stages:
            if stage.process.poll() is None:
                stage.process.kill()
            stage.process.wait()


def _start(name: str, directory: Path, flags: list[Any], key: str = "") -> Stage:
    port = _free_port()
    command = [Path(sys.executable).with_name("polygon-stream"), name, *flags]
    with (directory / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            [*command, "--http-port", str(port)],
            stdout=log,
            stderr=log,
            env={**os.environ, "POLYGON_API_KEY": key},
        )
    return Stage(name, process, port)


def _watch(
    stages: list[Stage], server: StreamSandbox, seconds: int
) -> list[tuple[float, float, float, float]]:
    """Show progress; return (second, events in, records kept, rows) about once a second."""
    sink, refine, feed = stages
    samples: list[tuple[float, float, float, float]] = []
    started: float | None = None
    deadline = time.monotonic() + 60
    with Live(console=CONSOLE, refresh_per_second=4) as live:
        while started is None or time.monotonic() < started + seconds:
            for stage in stages:
                if stage.process.poll() is not None:
                    raise SystemExit(f"{stage.name} ended early; see {stage.name}.log")
            if started is None and server.sent:
                started = time.monotonic()
            if started is None and time.monotonic() > deadline:
                raise SystemExit("Nothing flows after 60 s; see feed.log")
            second = 0.0 if started is None else time.monotonic() - started
            sample = (
                second,
                feed.metric("polygon_feed_produced_total"),
                refine.metric("polygon_filter_records_total", "kept"),
                sink.metric("polygon_sink_rows_total"),
            )
            samples.append(sample)
            live.update(_progress(sample, feed.metric("polygon_ws_disconnects_total")))
            time.sleep(0.7)
    return samples


def _progress(sample: tuple[float, float, float, float], disconnects: float) -> Table:
    table = Table("second", "events in", "kept", "rows", "disconnects", min_width=60)
    second, *counts = sample
    table.add_row(f"{second:.0f}", *(f"{count:,.0f}" for count in counts), f"{disconnects:.0f}")
    return table


def _drain(stages: list[Stage]) -> tuple[float, float]:
    """End the stages from the source on, each once the next has everything.

    Returns:
        how many events the filter has kept and dropped.
    """
    sink, refine, feed = stages
    _stop(feed)
    _wait_still(refine, "polygon_filter_records_total")
    kept, dropped = (
        refine.metric("polygon_filter_records_total", outcome) for outcome in ("kept", "dropped")
    )
    _stop(refine)
    _wait_still(sink, "polygon_sink_rows_total")
    _stop(sink)
    return kept, dropped


def _wait_still(stage: Stage, metric: str) -> None:
    deadline = time.monotonic() + _DRAIN_SECONDS
    before = -1.0
    while (now := stage.metric(metric)) != before and time.monotonic() < deadline:
        before = now
        time.sleep(2)


def _stop(stage: Stage) -> None:
    stage.process.send_signal(signal.SIGTERM)
    if stage.process.wait(30):
        raise SystemExit(f"{stage.name} ended with {stage.process.returncode}; see its log")


def _summary(
    directory: Path,
    counts: list[tuple[str, str]],
    samples: list[tuple[float, float, float, float]],
    gaps: list[dict[str, Any]],
) -> None:
    client = clickhouse_connect.get_client(interface="chdb", path=str(directory / "table.chdb"))
    (rows, bars, symbols, p50, p99) = client.query(
        """
        SELECT count(), uniqExact(symbol, window_start, event_type), uniqExact(symbol),
               quantileExact(0.5)(toFloat64(ingested_at) - toFloat64(received_at)),
               quantileExact(0.99)(toFloat64(ingested_at) - toFloat64(received_at))
        FROM stock_aggregates
        """
    ).result_rows[0]
    movers = client.query(
        """
        SELECT symbol, argMin(open, window_start) AS first, argMax(close, window_start) AS last,
               100 * (last / first - 1) AS change, sum(volume)
        FROM stock_aggregates FINAL GROUP BY symbol ORDER BY abs(change) DESC LIMIT 5
        """
    ).result_rows
    candles = client.query(
        """
        SELECT toStartOfInterval(window_start, INTERVAL 2 SECOND) AS t, argMin(open, window_start),
               max(high), min(low), argMax(close, window_start)
        FROM stock_aggregates FINAL WHERE symbol = {symbol:String} GROUP BY t ORDER BY t
        """,
        parameters={"symbol": movers[0][0]},
    ).result_rows
    client.close()
    certain = sum(gap["certain"] for gap in gaps)
    table = Table("what", "value")
    facts = [
        *counts,
        ("rows in the table", f"{rows:,}"),
        ("bars (a bar sent again replaces the earlier one)", f"{bars:,}"),
        ("symbols that passed the rules", f"{symbols:,}"),
        ("socket to table, p50", f"{p50:.2f} s"),
        ("socket to table, p99", f"{p99:.2f} s"),
        ("gaps recorded: certain", f"{certain}"),
        ("gaps recorded: likely, by a jump in a symbol's volume", f"{len(gaps) - certain:,}"),
    ]
    for fact in facts:
        table.add_row(*fact)
    CONSOLE.print(table)
    gaps = [gap for gap in gaps if gap["certain"]]
    for gap in gaps:
        CONSOLE.print(f"gap from {gap['from']} to {gap['to']} UTC: {gap['reason']}")
    table = Table("top movers", "first", "last", "change", "volume")
    for symbol, first, last, change, volume in movers:
        table.add_row(symbol, f"{first:.2f}", f"{last:.2f}", f"{change:+.2f}%", f"{volume:,.0f}")
    CONSOLE.print(table)
    path = directory / "report.html"
    write(path, Report(facts, samples, movers[0][0], [tuple(candle) for candle in candles], gaps))
    CONSOLE.print(f"Report: {path}   table: {directory / 'table.chdb'}   logs: {directory}/*.log")


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


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port

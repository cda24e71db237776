"""Side by side, on one machine, in one run: CPU seconds per million events of each contender.

    python benchmarks/streaming/run.py                      # feeds and filters
    python benchmarks/streaming/run.py --only filters --rounds 3
    python benchmarks/streaming/run.py --quix-python PATH   # with QuixStreams from its own venv

The broker is Apache Kafka on the same machine (`integration_tests/kafka`); its CPU and the server's
are not counted. In each round every contender runs once, in one order and then in the other; the
first round warms up the broker and does not count. QuixStreams needs an older confluent-kafka than
ours, hence a venv of its own:

    python -m venv .tmp/quix && .tmp/quix/bin/pip install quixstreams==3.28.1
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from confluent_kafka import Producer  # noqa: E402
from polygon_streaming.raw import headers  # noqa: E402
from tables import Cost, Costs, machine  # type: ignore[import-not-found] # noqa: E402

from integration_tests.kafka.kafka_broker import Broker, fetch_jars  # noqa: E402

_FEEDS = {
    "parsed": "official client, parsed, json",
    "feed": "polygon-stream feed: headers, acks, gaps, metrics",
    "raw": "official client, raw, orjson; no headers",
}
_FILTERS = {
    "quix": "QuixStreams, exactly once",
    "plain": "consume, json, produce; no transactions",
    "filter": "polygon-stream filter, exactly once",
}


def main() -> None:
    """Run what the command line asks for and print tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=400_000, help="events a contender")
    parser.add_argument("--rounds", type=int, default=7, help="rounds that count")
    parser.add_argument("--per-frame", type=int, default=100, help="events a frame")
    parser.add_argument("--only", choices=["feeds", "filters"], help="one of the two")
    parser.add_argument("--quix-python", help="python of a venv with quixstreams")
    given = parser.parse_args()
    fetch_jars()
    print(machine())  # noqa: T201
    with Broker(Path(tempfile.mkdtemp(prefix="benchmark-"))) as broker:
        if given.only != "filters":
            feeds(broker, given.events, given.per_frame, given.rounds)
        if given.only != "feeds":
            filters(broker, given.events, given.rounds, given.quix_python)
    print(f"\n{machine()}")  # noqa: T201


def feeds(broker: Broker, events: int, per_frame: int, rounds: int) -> None:
    """Measure the ways from the socket to Kafka."""

    def run(contender: str, number: int) -> Cost:
        topic = f"in-{contender}-{number}"
        broker.create(topic, f"{topic}-gaps")
        server = subprocess.Popen(
            [sys.executable, HERE / "frames_server.py", str(events), str(per_frame)],
            stdout=subprocess.PIPE,
            text=True,
        )
        port = server.stdout.readline().strip()  # type: ignore[union-attr]
        cost = _run(sys.executable, "feeds.py", contender, port, broker.address, topic, events)
        server.terminate()
        server.wait()
        broker.delete(topic)
        return cost

    costs = Costs(_FEEDS, "feed")
    _rounds(costs, list(_FEEDS), rounds, run)
    costs.print(f"Socket to Kafka, {events:,} events, {per_frame} a frame")


def filters(broker: Broker, events: int, rounds: int, quix_python: str | None) -> None:
    """Measure the ways from Kafka to Kafka."""
    broker.create("source")
    _fill(broker.address, "source", events)
    pythons = {"plain": sys.executable, "filter": sys.executable}
    if quix_python:
        pythons["quix"] = quix_python

    def run(contender: str, number: int) -> Cost:
        target = f"out-{contender}-{number}"
        broker.create(target, f"{target}-dead", f"{target}-gaps")
        cost = _run(
            pythons[contender], "filters.py", contender, broker.address, "source", target, events
        )
        broker.delete(target)
        return cost

    costs = Costs(_FILTERS, "filter")
    _rounds(costs, list(pythons), rounds, run)
    costs.print(f"Kafka to Kafka, {events:,} events")


def _rounds(
    costs: Costs, contenders: list[str], rounds: int, run: Callable[[str, int], Cost]
) -> None:
    for number in range(rounds + 1):
        order = contenders if number % 2 else contenders[::-1]
        found = {contender: run(contender, number) for contender in order}
        if number:
            costs.add(found)


def _run(python: str, script: str, *arguments: object) -> Cost:
    done = subprocess.run(
        [python, HERE / script, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"events"')]
    if not lines:
        raise SystemExit(
            f"{script} {arguments[0]} failed:\n{done.stdout[-1000:]}{done.stderr[-3000:]}"
        )
    result: dict[str, Any] = json.loads(lines[-1])
    millions = result["events"] / 1e6
    return Cost(result["cpu_seconds"] / millions, result["main_seconds"] / millions)


def _fill(brokers: str, topic: str, events: int) -> None:
    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 20, "compression.type": "lz4"})
    began = int(time.time() * 1000)
    sent = headers("stocks", "0123456789ab")
    bars = [_bar(number) for number in range(20_000)]
    for number in range(events):
        symbol, value = bars[number % len(bars)]
        now = began + number // 100  # a frame's events come in together
        while True:
            try:
                producer.produce(topic, value, symbol, timestamp=now, headers=sent)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush(60)


def _bar(number: int) -> tuple[str, bytes]:
    start = 1_795_444_200_000 + number // 5000 * 1000  # 5,000 symbols a second
    symbol = f"S{number % 5000}"
    price = 5 + number % 1000 / 7
    value = {
        "ev": "A", "sym": symbol, "v": 100 + number, "dv": f"{100 + number}.5", "av": number * 7,
        "dav": "4332125.038360", "op": price, "vw": round(price, 4), "o": round(price, 2),
        "c": round(price, 2), "h": round(price, 2), "l": round(price, 2), "a": round(price, 4),
        "z": number % 999, "s": start, "e": start + 1000,
    }  # fmt: skip
    return symbol, json.dumps(value, separators=(",", ":")).encode()


if __name__ == "__main__":
    main()

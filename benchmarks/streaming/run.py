"""Side by side, on one machine, in one run: CPU seconds per million events of each contender.

    python benchmarks/streaming/run.py                      # feeds and filters
    python benchmarks/streaming/run.py --quix-python PATH   # with QuixStreams from its own venv

The broker is Apache Kafka on the same machine (`integration_tests/kafka`); its CPU and the server's
are not counted. QuixStreams needs an older confluent-kafka than ours, hence a venv of its own:

    python -m venv .tmp/quix && .tmp/quix/bin/pip install quixstreams==3.28.1
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "integration_tests" / "kafka"))

from confluent_kafka import Producer  # noqa: E402
from kafka_broker import Broker, fetch_jars  # noqa: E402
from polygon_streaming.raw import headers  # noqa: E402


def main() -> None:
    """Run what the command line asks for and print tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=400_000, help="events a contender")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; the best counts")
    parser.add_argument("--per-frame", type=int, default=100, help="events a frame")
    parser.add_argument("--quix-python", help="python of a venv with quixstreams")
    given = parser.parse_args()
    fetch_jars()
    with Broker(Path(tempfile.mkdtemp(prefix="benchmark-"))) as broker:
        feeds(broker, given.events, given.per_frame, given.rounds)
        filters(broker, given.events, given.rounds, given.quix_python)


def feeds(broker: Broker, events: int, per_frame: int, rounds: int) -> None:
    """Measure the ways from the socket to Kafka."""
    costs: dict[str, list[float]] = {}
    for number in range(rounds):
        for contender in ("parsed", "raw", "feed"):
            topic = f"in-{contender}-{number}"
            broker.create(topic, f"{topic}-gaps")
            server = subprocess.Popen(  # noqa: S603
                [sys.executable, HERE / "frames_server.py", str(events), str(per_frame)],
                stdout=subprocess.PIPE,
                text=True,
            )
            port = server.stdout.readline().strip()  # type: ignore[union-attr]
            result = _run(
                sys.executable, "feeds.py", contender, port, broker.address, topic, events
            )
            server.terminate()
            server.wait()
            costs.setdefault(contender, []).append(result)
    names = {
        "parsed": "official client, parsed, json",
        "raw": "official client, raw, orjson",
        "feed": "polygon-stream feed",
    }
    _table(f"Socket to Kafka, {events:,} events, {per_frame} a frame", names, costs, "feed")


def filters(broker: Broker, events: int, rounds: int, quix_python: str | None) -> None:
    """Measure the ways from Kafka to Kafka."""
    broker.create("source")
    _fill(broker.address, "source", events)
    contenders = {"plain": sys.executable, "filter": sys.executable}
    if quix_python:
        contenders["quix"] = quix_python
    costs: dict[str, list[float]] = {}
    for number in range(rounds):
        for contender, python in contenders.items():
            target = f"out-{contender}-{number}"
            broker.create(target, f"{target}-dead", f"{target}-gaps")
            result = _run(python, "filters.py", contender, broker.address, "source", target, events)
            costs.setdefault(contender, []).append(result)
    names = {
        "plain": "consume, json, produce; no transactions",
        "quix": "QuixStreams, exactly once",
        "filter": "polygon-stream filter, exactly once",
    }
    _table(f"Kafka to Kafka, {events:,} events", names, costs, "filter")


def _run(python: str, script: str, *arguments: object) -> float:
    done = subprocess.run(  # noqa: S603
        [python, HERE / script, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"events"')]
    if not lines:
        raise SystemExit(
            f"{script} {arguments[0]} failed:\n{done.stdout[-1000:]}{done.stderr[-3000:]}"
        )
    result: dict[str, Any] = json.loads(lines[-1])
    return float(result["cpu_seconds"] / result["events"] * 1e6)


def _table(title: str, names: dict[str, str], costs: dict[str, list[float]], ours: str) -> None:
    print(f"\n{title}\n")  # noqa: T201
    print("| contender | CPU s per million events: best | median | times ours |")  # noqa: T201
    print("|---|---|---|---|")  # noqa: T201
    reference = min(costs[ours])
    for contender, results in sorted(costs.items(), key=lambda item: -min(item[1])):
        best, median = min(results), statistics.median(results)
        print(f"| {names[contender]} | {best:.2f} | {median:.2f} | {best / reference:.2f} |")  # noqa: T201
    sys.stdout.flush()


def _fill(brokers: str, topic: str, events: int) -> None:
    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 20, "compression.type": "lz4"})
    now = int(time.time() * 1000)
    sent = headers("stocks", "A", "0123456789ab", now)
    bars = [_bar(number) for number in range(20_000)]
    for number in range(events):
        symbol, value = bars[number % len(bars)]
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

"""The whole chain at a given pace: server -> feed -> filters -> a `read_committed` reader.

    python benchmarks/streaming/chain.py                              # a minute at 10,000 events/s
    python benchmarks/streaming/chain.py --seconds 600 --warm-up 15
    python benchmarks/streaming/chain.py --rate 100000 --filters 3 --per-frame 1000
    python benchmarks/streaming/chain.py --per-frame 10000            # a second's bars at once
    python benchmarks/streaming/chain.py --kind trades --rate 50000 --filters 2 --per-frame 500

Every event has a running number, and the reader ticks each off: printed are how many are missing or
came twice, the latency from the socket to the committed record, and the CPU of each process. In the
first seconds the broker's JVM compiles its code: `--warm-up` says how many to leave out of a second
line of latencies; the first has all, and of the counts nothing is left out.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

import msgspec  # noqa: E402
from confluent_kafka import Consumer  # noqa: E402

from integration_tests.kafka.kafka_broker import Broker, fetch_jars  # noqa: E402

TOPICS = {
    "--raw-topic": "raw", "--filtered-topic": "filtered", "--dead-letter-topic": "dead",
    "--gaps-topic": "gaps", "--trades-topic": "trades", "--quotes-topic": "quotes",
}  # fmt: skip
_SETTLE_SECONDS = 3.0  # from the start of the readers to the first bar
_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.01


class _NumberedBar(msgspec.Struct):
    number: float = msgspec.field(name="average_trade_size")


class _NumberedTrade(msgspec.Struct):
    number: int = msgspec.field(name="sequence_number")


@dataclass(frozen=True)
class Kind:
    """A kind of events: its channel, the topic that it comes out on, and where its number is."""

    channel: str
    topic: str
    numbered: type[_NumberedBar] | type[_NumberedTrade]


KINDS = {
    "bars": Kind("A", TOPICS["--filtered-topic"], _NumberedBar),
    "trades": Kind("T", TOPICS["--trades-topic"], _NumberedTrade),
}


class Tally:
    """What the reader has seen: which events, and how long each was under way, by second."""

    def __init__(self, total: int, kind: Kind) -> None:
        self._seen = bytearray(total)
        self.arrived = 0
        self.twice = 0
        self.seconds: dict[int, array[float]] = {}
        self._number = msgspec.json.Decoder(kind.numbered).decode

    def add(self, value: bytes | None, received_ms: int, now_ms: float) -> None:
        """Tick a record off."""
        number = int(self._number(value or b"").number)
        if self._seen[number]:
            self.twice += 1
            return
        self._seen[number] = 1
        self.arrived += 1
        self.seconds.setdefault(received_ms // 1000, array("d")).append(now_ms - received_ms)

    def after(self, seconds: int) -> list[float]:
        """Return how long those were under way that came in so many seconds after the first."""
        first = min(self.seconds, default=0)
        return [d for s, delays in self.seconds.items() if s >= first + seconds for d in delays]


def main() -> None:
    """Run the chain and print what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=int, default=10_000, help="events a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long")
    parser.add_argument("--per-frame", type=int, default=100, help="events a frame")
    parser.add_argument("--filters", type=int, default=1, help="filters of the group")
    parser.add_argument("--kind", choices=KINDS, default="bars", help="what is streamed")
    parser.add_argument("--warm-up", type=int, default=0, help="seconds that the JVM may take")
    parser.add_argument("--flag", action="append", default=[], help="a flag of the filter: --x=1")
    given = parser.parse_args()
    fetch_jars()
    directory = Path(tempfile.mkdtemp(prefix="chain-"))
    total = int(given.rate * given.seconds)
    with Broker(directory / "broker", "-Xmx1g") as broker, _server(given, total) as port:
        broker.create(*TOPICS.values())
        common = [part for pair in TOPICS.items() for part in pair]
        common += ["--bootstrap-servers", broker.address, "--log-format", "json"]
        stages = {
            f"filter {n}": ["filter", *common, "--transactional-id", f"filter-{n}", *given.flag]
            for n in range(1, given.filters + 1)
        }
        subscriptions = directory / "subscriptions.csv"
        kind = KINDS[given.kind]
        subscriptions.write_text(f"market,channel,symbol\nstocks,{kind.channel},*\n")
        reader = _reader(broker.address, kind.topic)
        with _running(stages, directory) as filters:
            time.sleep(_SETTLE_SECONDS)
            feed = {"feed": ["feed", *common, "--feed", f"127.0.0.1:{port}", "--no-tls",
                             "--subscriptions", str(subscriptions)]}  # fmt: skip
            with _running(feed, directory) as feeds:
                pids = {"broker": broker.pid, **feeds, **filters, "reader": os.getpid()}
                before = {name: _cpu_of(pid) for name, pid in pids.items()}
                began = time.monotonic()
                tally = _read(reader, Tally(total, kind), total, given.seconds)
                took = time.monotonic() - began
                cpu = {name: (_cpu_of(pid) - before[name]) / took for name, pid in pids.items()}
        reader.close()
    _print(tally, total, given, cpu)


@contextmanager
def _server(given: argparse.Namespace, total: int) -> Iterator[str]:
    pace = given.rate / given.per_frame
    process = subprocess.Popen(
        [
            sys.executable,
            HERE / "frames_server.py",
            *map(str, (total, given.per_frame, pace)),
            given.kind,
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process.stdout.readline().strip()  # type: ignore[union-attr]
    finally:
        process.kill()
        process.wait()


@contextmanager
def _running(stages: dict[str, list[str]], directory: Path) -> Iterator[dict[str, int]]:
    """Run commands of `polygon-stream` for the duration of a block; show what went wrong."""
    command = Path(sys.executable).with_name("polygon-stream")
    environment = {**os.environ, "POLYGON_API_KEY": "benchmark"}
    processes = {}
    for name, arguments in stages.items():
        with (directory / name).open("wb") as log:
            processes[name] = subprocess.Popen(
                [command, *arguments], env=environment, stdout=log, stderr=log
            )
    try:
        yield {name: process.pid for name, process in processes.items()}
    finally:
        for name, process in processes.items():
            process.terminate()
            if process.wait(60):
                print(name, (directory / name).read_text()[-2000:])  # noqa: T201


def _reader(brokers: str, topic: str) -> Consumer:
    reader = Consumer(
        {"bootstrap.servers": brokers, "group.id": "reader", "auto.offset.reset": "earliest",
         "isolation.level": "read_committed", "fetch.wait.max.ms": 5}
    )  # fmt: skip
    reader.subscribe([topic])
    return reader


def _read(reader: Consumer, tally: Tally, total: int, seconds: float) -> Tally:
    deadline = time.monotonic() + seconds + _PATIENCE_SECONDS
    while tally.arrived < total and time.monotonic() < deadline:
        messages = reader.consume(100_000, _POLL_SECONDS)
        now_ms = time.time() * 1000
        for message in messages:
            if message.error() is None:
                tally.add(message.value(), message.timestamp()[1], now_ms)
    return tally


def _print(tally: Tally, total: int, given: argparse.Namespace, cpu: dict[str, float]) -> None:
    if not tally.arrived:
        raise SystemExit("Nothing arrived.")
    counts = f"{tally.arrived:,} of {total:,} arrived, {tally.twice} twice"
    print(f"{given.rate:,} events/s: {counts}")  # noqa: T201
    print("socket to committed record, ms:", _shares(tally.after(0)))  # noqa: T201
    if given.warm_up:
        warm = tally.after(given.warm_up)
        print(f"without the first {given.warm_up} s:", _shares(warm))  # noqa: T201
    slow = sorted(tally.seconds.items(), key=lambda item: -max(item[1]))[:5]
    first = min(tally.seconds)
    print("slowest seconds:", ", ".join(f"{s - first} s: {max(d):.0f} ms" for s, d in slow))  # noqa: T201
    print("share of a core:", ", ".join(f"{name} {part:.0%}" for name, part in cpu.items()))  # noqa: T201


def _shares(delays: Sequence[float]) -> str:
    if not delays:
        return "nothing"
    ordered = sorted(delays)
    parts = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
    shown = [f"{name} {ordered[int(len(ordered) * part)]:.0f}" for name, part in parts.items()]
    return ", ".join([*shown, f"max {ordered[-1]:.0f}"])


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()

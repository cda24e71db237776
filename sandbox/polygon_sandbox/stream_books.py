"""The demo's books: where every bar of the market went, each number counted at its own place.

The market counts what it makes and sends; the raw topic is read here, event by event, and judged
by the rules once more; filter and sink give their own figures; the table is compared with the
market by value. Numbers that should agree come from different places, and `faults` names those that
do not.
"""

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import orjson
from confluent_kafka import Consumer, TopicPartition

from polygon_sandbox.intraday import Intraday

# What the filter is told, and what is counted here. A symbol in five ends so.
RULES = "exclude: ['*A', '*B', '*C', '*D', '*E']\nmin_price: 10\n"
_ENDINGS = tuple("ABCDE")
_LOWEST = 10.0
_VALUES = ("o", "h", "l", "c", "v")
_PATIENCE_SECONDS = 60

Key = tuple[str, int]
Values = tuple[float, ...]


class RawTopic:
    """The raw topic, read beside the filter.

    Attributes:
        counts: of events streamed, healed, kept, dropped by each rule, and kept again.
        streamed: events streamed, by the second since 1970 in which their bars ended.
        streamed_kept: those of them that pass the rules.
    """

    def __init__(self, address: str, topic: str) -> None:
        self._consumer = Consumer({"bootstrap.servers": address, "group.id": "books"})
        partitions = self._consumer.list_topics(topic, timeout=10).topics[topic].partitions
        self._consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        self.counts: Counter[str] = Counter()
        self.streamed: Counter[int] = Counter()
        self.streamed_kept: Counter[int] = Counter()
        self._kept: dict[Key, Values] = {}

    @property
    def total(self) -> int:
        """How many events there are so far."""
        return self.counts["streamed"] + self.counts["healed"]

    def read(self) -> None:
        """Take in what has come since the last time."""
        while messages := self._consumer.consume(5_000, 0.2):
            for message in messages:
                if message.error() is None:
                    healed = "healed" in dict(message.headers() or [])
                    self._count(orjson.loads(message.value() or b""), healed)

    def read_to_end(self) -> None:
        """Take in all that is in the topic now, however slow the broker is to give it."""
        places = self._consumer.assignment()
        ends = {p.partition: self._consumer.get_watermark_offsets(p, timeout=10)[1] for p in places}
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while any(place.offset < ends[place.partition] for place in self._reached(places)):
            if time.monotonic() > deadline:
                raise SystemExit(f"The broker gave {self.total} of {sum(ends.values())} events.")
            self.read()

    def _reached(self, places: list[TopicPartition]) -> list[TopicPartition]:
        """Return where the next event of each partition is read; before the first it is unknown."""
        reached: list[TopicPartition] = self._consumer.position(places)
        return [TopicPartition(p.topic, p.partition, max(0, p.offset)) for p in reached]

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()

    def _count(self, event: Any, healed: bool) -> None:
        self.counts["healed" if healed else "streamed"] += 1
        if not healed:
            self.streamed[event["e"] // 1000] += 1
        rule = dropped_by(event["sym"], event["c"])
        if rule:
            self.counts[rule] += 1
            return
        self.counts["kept"] += 1
        self.streamed_kept[event["e"] // 1000] += not healed
        key = event["sym"], event["s"]
        values = tuple(float(event[name]) for name in _VALUES)
        before = self._kept.setdefault(key, values)
        if before is not values:
            self.counts["again"] += 1
            self.counts["differs"] += before != values


@dataclass(frozen=True, slots=True)
class Figures:
    """What the stages, the market and the table say of one run.

    Attributes:
        symbols: how many stocks there were.
        sent: by second since 1970, how many bars were sent; 0 while nobody was connected.
        received: what the feed counted.
        healed: what heal said that it brought.
        gaps: how many are on record, the likely ones too.
        outcomes: records of the filter, by outcome.
        inserted: rows of the sink.
        table: bars of the table, a repeated one once.
        missing: bars of the market that pass the rules and are not in the table.
        different: bars of the table that the market has with other values, or not at all.
    """

    symbols: int
    sent: dict[int, int]
    received: int
    healed: int
    gaps: int
    outcomes: dict[str, int]
    inserted: int
    table: int
    missing: int
    different: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the books: what it says, its number, and whether it is a sum of those before."""

    text: str
    number: int
    is_sum: bool = False


def lines(raw: RawTopic, figures: Figures) -> list[Line]:
    """Return the way of the bars; each sum is that of the lines since the sum before, and it."""
    made = figures.symbols * len(figures.sent)
    sent = sum(figures.sent.values())
    counts = raw.counts
    return [
        Line(f"made by the market: {figures.symbols:,} stocks x {len(figures.sent)} s", made, True),
        Line("not sent: nobody was connected", sent - made),
        Line("sent over the WebSocket", sent, True),
        Line("lost in the cut, on their way", counts["streamed"] - sent),
        Line("received by the feed", counts["streamed"], True),
        Line(f"brought by heal for {_gaps(figures.gaps)}, from 5 s before on", counts["healed"]),
        Line("in the raw topic, read by the filter", raw.total, True),
        Line("dropped by the rule exclude", -counts["exclude"]),
        Line("dropped by the rule min_price", -counts["min_price"]),
        Line("dead letters", -figures.outcomes["dead_lettered"]),
        Line("kept by the filter, inserted by the sink", figures.inserted, True),
        Line("the same bar again, by stream and by heal", -counts["again"]),
        Line("bars in the table", figures.table, True),
    ]


def _gaps(number: int) -> str:
    return "1 gap" if number == 1 else f"{number:,} gaps"


def faults(raw: RawTopic, figures: Figures) -> list[str]:
    """Return what does not add up; nothing if every bar is accounted for."""
    counts = raw.counts
    dropped = counts["exclude"] + counts["min_price"]
    agree = [
        ("received", "the feed", figures.received, "the raw topic", counts["streamed"]),
        ("healed", "heal", figures.healed, "the raw topic", counts["healed"]),
        ("dropped", "the filter", figures.outcomes["dropped"], "its rules", dropped),
        ("kept", "the filter", figures.outcomes["kept"], "its rules", counts["kept"]),
        ("dead-lettered", "the filter", figures.outcomes["dead_lettered"], "the demo", 0),
        ("inserted", "the sink", figures.inserted, "the filter", figures.outcomes["kept"]),
        ("repeated with other values", "the raw topic", counts["differs"], "the demo", 0),
        ("in the table", "it", figures.table, "what was kept", counts["kept"] - counts["again"]),
        ("missing from the table", "it", figures.missing, "the market", 0),
        ("different in the table", "it", figures.different, "the market", 0),
    ]
    found = [
        f"{what}: {one} says {number:,}, {other} {wanted:,}"
        for what, one, number, other, wanted in agree
        if number != wanted
    ]
    total = 0
    for line in lines(raw, figures):
        if line.is_sum and total not in (0, line.number):
            found.append(f"{line.text}: {line.number:,}, the lines before it give {total:,}")
        total = line.number if line.is_sum else total + line.number
    return found


def passing(seed: int, symbols: list[str], seconds: list[int]) -> dict[Key, Values]:
    """Return the bars of the market that pass the rules: what the table has to hold.

    Args:
        seed: of the market.
        symbols: what it has.
        seconds: when its bars ended, since 1970.
    """
    bars = Intraday(seed)
    wanted: dict[Key, Values] = {}
    for symbol in symbols:
        for second in seconds:
            bar = bars.bar(symbol, second - 1, 1)
            if not dropped_by(symbol, bar.close):
                values = (bar.open, bar.high, bar.low, bar.close, float(bar.volume))
                wanted[symbol, bar.start * 1000] = values
    return wanted


def dropped_by(symbol: str, close: float) -> str:
    """Return the rule that drops a bar, or nothing."""
    if symbol.endswith(_ENDINGS):
        return "exclude"
    return "min_price" if close < _LOWEST else ""

"""The demo's raw topic, read beside the filter, event by event."""

import time
from collections import Counter

import orjson
from confluent_kafka import Consumer, TopicPartition

from polygon_sandbox.stream_rules import CHANNELS, Item, Key, Values, item

_PATIENCE_SECONDS = 60
_KINDS = {channel: kind for kind, channel in CHANNELS.items()}


class RawTopic:
    """The raw topic, read beside the filter.

    Attributes:
        counts: by kind, of events streamed, healed, kept, dropped by each rule, and kept again.
        streamed: events streamed, by the second since 1970 in which they were over.
        streamed_kept: the bars among them that pass the rules.
    """

    def __init__(self, address: str, topic: str) -> None:
        self._consumer = Consumer({"bootstrap.servers": address, "group.id": "books"})
        partitions = self._consumer.list_topics(topic, timeout=10).topics[topic].partitions
        self._consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        self.counts: dict[str, Counter[str]] = {kind: Counter() for kind in CHANNELS}
        self.streamed: Counter[int] = Counter()
        self.streamed_kept: Counter[int] = Counter()
        self._kept: dict[str, dict[Key, Values]] = {kind: {} for kind in CHANNELS}

    @property
    def total(self) -> int:
        """How many events there are so far."""
        return sum(counts["streamed"] + counts["healed"] for counts in self.counts.values())

    def read(self) -> None:
        """Take in what has come since the last time."""
        while messages := self._consumer.consume(5_000, 0.2):
            for message in messages:
                if message.error() is None:
                    event = orjson.loads(message.value() or b"")
                    kind = _KINDS[event["ev"]]
                    self._count(kind, item(kind, event), "healed" in dict(message.headers() or []))

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

    def _count(self, kind: str, read: Item, healed: bool) -> None:
        counts = self.counts[kind]
        counts["healed" if healed else "streamed"] += 1
        if not healed:
            self.streamed[read.second] += 1
        if read.rule:
            counts[read.rule] += 1
            return
        counts["kept"] += 1
        self.streamed_kept[read.second] += kind == "bars" and not healed
        before = self._kept[kind].setdefault(read.key, read.values)
        if before is not read.values:
            counts["again"] += 1
            counts["differs"] += before != read.values

"""Stand-ins for Kafka's consumer, its messages, and what the brokers keep of its group.

They are held to what the real ones do by integration_tests/kafka/test_contract.py, but for this:
the test says what `consume` returns and how the brokers fail, so that a seek brings nothing back,
a commit without waiting has no answer of its own, and errors of partitions are not compared; nor is
the client's SystemError of a header whose name is not UTF-8, which no Python producer can write.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event
from types import SimpleNamespace
from typing import Any

from confluent_kafka import OFFSET_END, KafkaError, KafkaException, TopicPartition
from polygon_streaming import raw

TOPIC = "polygon_stream_aggregates"
START = 1795444200000
_NONE = -1001


def as_bytes(value: Any) -> bytes | None:
    """Return what the client makes of a key, value or header."""
    return value.encode() if isinstance(value, str) else value


def as_read(headers: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return headers as a consumer gets them: their values are bytes."""
    return [(name, as_bytes(value)) for name, value in headers]


def sent(connection: str = "c0ffee", lost: int = 0) -> list[tuple[str, Any]]:
    """Return the headers of a raw record as a consumer gets them."""
    return as_read(raw.headers("stocks", connection, lost))


@dataclass
class FakeMessage:
    """A record of partition 1."""

    content: bytes | None
    place: int
    sent: list[tuple[str, Any]] | None = field(default_factory=sent)
    received_ms: int = START + 100
    failure: KafkaError | None = None
    marked: bytes | None = b"AAPL"
    headers_fail: bool = False

    def error(self) -> KafkaError | None:
        return self.failure

    def value(self) -> bytes | None:
        return self.content

    def key(self) -> bytes | None:
        return self.marked

    def topic(self) -> str:
        return TOPIC

    def partition(self) -> int:
        return 1

    def offset(self) -> int:
        return self.place

    def timestamp(self) -> tuple[int, int]:
        return (1, self.received_ms)

    def headers(self) -> list[tuple[str, Any]] | None:
        if self.headers_fail:  # as seen with a header whose name is not UTF-8
            raise SystemError("returned a result with an exception set")
        return self.sent


class FakeGroup:
    """What the brokers keep: offsets of a group with their metadata, and the ends of partitions.

    Attributes:
        watermarks: of each partition the first offset, and that after the last.
        refusals: how the next questions for offsets fail: as a whole, or for the partition alone.
        commits: how often offsets were stored.
    """

    def __init__(self, *stored: TopicPartition) -> None:
        self.watermarks = (0, 7)
        self.refusals: list[KafkaException | KafkaError] = []
        self.commits = 0
        self._stored = {(place.topic, place.partition): place for place in stored}

    def store(self, places: Sequence[TopicPartition]) -> None:
        """Store offsets."""
        self.commits += 1
        self._stored |= {(place.topic, place.partition): place for place in places}

    def committed(self, place: TopicPartition) -> Any:
        """Return a place with the offset that was stored, or -1001 and no metadata.

        Raises:
            KafkaException: the test says so.
        """
        refusal = self.refusals.pop(0) if self.refusals else None
        if isinstance(refusal, KafkaException):
            raise refusal
        found = TopicPartition(place.topic, place.partition, _NONE)
        if refusal is None:
            return self._stored.get((place.topic, place.partition), found)
        return SimpleNamespace(**_values(found), metadata=None, error=refusal)


class FakeConsumer:
    """A member of a group: hands out batches as the test has them; remembers seeks and commits.

    Attributes:
        group: what the brokers keep.
        batches: what it returns next.
        begun: the offsets at which partitions were begun.
        sought: those that were gone back to.
        asked: what was asked to be committed without waiting, by partition.
        lost_after: after so many batches its partitions go to another member, which reads them to
            the end, and come back.
    """

    def __init__(
        self,
        group: FakeGroup | None = None,
        batches: list[list[FakeMessage]] | None = None,
        stop: Event | None = None,
    ) -> None:
        """Prepare; `stop` is set once there are no more batches."""
        self.group = group or FakeGroup()
        self.batches = batches or []
        self.stop = stop or Event()
        self.begun: list[int] = []
        self.sought: list[int] = []
        self.asked: list[dict[int, int]] = []
        self.lost_after = 0
        self._callbacks: dict[str, Any] = {}
        self._assigned: dict[int, TopicPartition] = {}
        self._positions: dict[int, int] = {}
        self._read: set[int] = set()
        self._calls = 0
        self._closed = False

    def subscribe(self, _: list[str], **callbacks: Any) -> None:
        self._callbacks = callbacks

    def incremental_assign(self, places: list[TopicPartition]) -> None:
        self.begun += [place.offset for place in places]
        self._assigned |= {place.partition: place for place in places}

    def incremental_unassign(self, places: list[TopicPartition]) -> None:
        for place in places:
            del self._assigned[place.partition]
            self._positions.pop(place.partition, None)

    def consume(self, _number: int, _seconds: float) -> list[FakeMessage]:
        self._check_open()
        if self._calls == 0:
            self._callbacks["on_assign"](self, [TopicPartition(TOPIC, 1)])
            self._calls = 1
        if not self._assigned:
            time.sleep(0.001)
            return []
        if self._calls == self.lost_after:
            self._lose()
            return []
        self._calls += 1
        if not self.batches:
            self.stop.set()
            return []
        batch = self.batches.pop(0)
        for message in batch:
            if message.error() is None:
                self._positions[message.partition()] = message.offset() + 1
                self._read.add(message.partition())
        return batch

    def poll(self, _: float) -> None:
        """Serve no callbacks."""
        self._check_open()

    def assignment(self) -> list[TopicPartition]:
        self._check_open()
        return list(self._assigned.values())

    def position(self, places: list[TopicPartition]) -> list[TopicPartition]:
        return [
            TopicPartition(p.topic, p.partition, self._positions.get(p.partition, _NONE))
            for p in places
        ]

    def seek(self, place: TopicPartition) -> None:
        if place.partition not in self._assigned:
            raise KafkaException(KafkaError(KafkaError._STATE))
        self.sought.append(place.offset)
        self._positions.pop(place.partition, None)

    def committed(self, places: list[TopicPartition], timeout: float) -> list[Any]:
        del timeout
        self._check_open()
        return [self.group.committed(place) for place in places]

    def commit(
        self, *, offsets: list[TopicPartition], asynchronous: bool = True
    ) -> list[TopicPartition] | None:
        self._check_open()
        if not offsets:
            raise KafkaException(KafkaError(KafkaError._NO_OFFSET))
        self.group.store(offsets)
        if not asynchronous:
            return offsets
        self.asked.append({place.partition: place.offset for place in offsets})
        return None

    def get_watermark_offsets(
        self, place: TopicPartition, timeout: float = 0.0, cached: bool = False
    ) -> tuple[int, int]:
        """Return the ends; those it was told with the records it read, if they are `cached`."""
        del timeout
        if cached and place.partition not in self._read:
            return (_NONE, _NONE)
        return self.group.watermarks

    def consumer_group_metadata(self) -> FakeGroup:
        return self.group

    def close(self) -> None:
        """Give the partitions back and leave."""
        if not self._closed and "on_revoke" in self._callbacks:
            self._callbacks["on_revoke"](self, [TopicPartition(TOPIC, 1)])
        self._closed = True

    def _lose(self) -> None:
        self._callbacks["on_lost"](self, self.assignment())
        self.group.store([TopicPartition(TOPIC, 1, self.group.watermarks[1])])
        self._calls = self.lost_after = 0

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("Consumer closed")


class FakeAsker:
    """Asks for a topic's metadata and for the ends of its partitions.

    Attributes:
        answer: the error of no broker that answers; or the topic's error and, by partition, which
            broker leads it, -1 if none does.
        silent: the error that a leader brings upon all partitions that are asked for at once.
        refused: by partition, the error that its leader answers with.
    """

    def __init__(self) -> None:
        self.answer: Any = None
        self.silent: KafkaError | None = None
        self.refused: dict[int, KafkaError] = {}

    def poll(self, _: float) -> None:
        """Serve no callbacks."""

    def list_topics(self, topic: str, timeout: float) -> Any:
        del timeout
        if isinstance(self.answer, KafkaError):
            raise KafkaException(self.answer)
        error, leaders = self.answer
        partitions = {n: SimpleNamespace(leader=leader) for n, leader in enumerate(leaders)}
        found = SimpleNamespace(error=error, partitions=partitions)
        return SimpleNamespace(topics={topic: found})

    def offsets_for_times(self, places: list[TopicPartition], timeout: float) -> list[Any]:
        """Return the ends of partitions without records."""
        del timeout
        assert [place.offset for place in places] == [OFFSET_END] * len(places)
        if self.silent is not None:
            raise KafkaException(self.silent)
        return [self._end(place) for place in places]

    def _end(self, place: TopicPartition) -> Any:
        error = self.refused.get(place.partition)
        end = 0 if error is None else -1  # as seen while a leader was elected
        return SimpleNamespace(**_values(place) | {"offset": end, "error": error})


def _values(place: TopicPartition) -> dict[str, Any]:
    return {"topic": place.topic, "partition": place.partition, "offset": place.offset}

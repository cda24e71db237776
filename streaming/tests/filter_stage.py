"""A filter whose Kafka clients are stand-ins."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from types import SimpleNamespace
from typing import Any, cast

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from recording import RecordingProducer

from polygon_streaming import raw
from polygon_streaming.filter.clients import FilterClients
from polygon_streaming.filter.loop import Filter
from polygon_streaming.settings import FilterSettings

START = 1795444200000


def sent(connection: str = "c0ffee", lost: int = 0) -> list[tuple[str, Any]]:
    """Return the headers of a raw record as a consumer gets them: their values are bytes."""
    made = raw.headers("stocks", connection, lost)
    return [(name, str(value).encode()) for name, value in made]


@dataclass
class FakeMessage:
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
        return "polygon_stream_aggregates"

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


class FakeProducer(RecordingProducer):
    """Records the order of transactional calls; each may be told to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.failures: dict[str, list[KafkaError]] = {}
        self.offsets: list[TopicPartition] = []
        self.meanwhile: dict[str, Callable[[], None]] = {}

    def init_transactions(self, _: float) -> None:
        self._call("init_transactions")

    def begin_transaction(self) -> None:
        self._call("begin_transaction")

    def send_offsets_to_transaction(
        self, offsets: list[TopicPartition], _group: object, _seconds: float
    ) -> None:
        self.offsets = offsets
        self._call("send_offsets_to_transaction")

    def commit_transaction(self, _: float) -> None:
        self._call("commit_transaction")

    def abort_transaction(self, _: float) -> None:
        self._call("abort_transaction")

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.meanwhile:
            self.meanwhile[name]()
        if self.failures.get(name):
            raise KafkaException(self.failures[name].pop(0))


class FakeConsumer:
    """Hands out batches; remembers seeks."""

    def __init__(self, batches: list[list[FakeMessage]], stop: Event) -> None:
        self.batches = batches
        self.stop = stop
        self.sought: list[int] = []
        self.begun: list[int] = []
        self.stored = TopicPartition("polygon_stream_aggregates", 1, 3)
        self.watermarks = (0, 7)
        self.lost_after = 0
        self.closed = 0
        self.refusals: list[KafkaException | KafkaError] = []
        self._calls = 0

    def subscribe(self, _: Any, **callbacks: Any) -> None:
        self._callbacks = callbacks

    def incremental_assign(self, places: list[TopicPartition]) -> None:
        self.begun += [place.offset for place in places]

    def consume(self, *_: Any) -> list[FakeMessage]:
        if self._calls == 0:
            self._callbacks["on_assign"](self, [TopicPartition("polygon_stream_aggregates", 1)])
            self._calls = 1
        if not self.begun:
            time.sleep(0.001)
            return []
        if self._calls == self.lost_after:
            self._callbacks["on_lost"](self, self.assignment())
        self._calls += 1
        if not self.batches:
            self.stop.set()
            return []
        return self.batches.pop(0)

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition("polygon_stream_aggregates", 1)] if self.begun else []

    def position(self, _: Any) -> list[TopicPartition]:
        return [TopicPartition("polygon_stream_aggregates", 1, 7)]

    def committed(self, *_: Any) -> list[SimpleNamespace]:
        """Fail as a whole, or for the partition alone, or tell the offset."""
        refusal = self.refusals.pop(0) if self.refusals else None
        if isinstance(refusal, KafkaException):
            raise refusal
        offset, metadata = (-1001, "") if refusal else (self.stored.offset, self.stored.metadata)
        return [
            SimpleNamespace(
                topic="polygon_stream_aggregates",
                partition=1,
                offset=offset,
                metadata=metadata,
                error=refusal,
            )
        ]

    def seek(self, place: TopicPartition) -> None:
        self.sought.append(place.offset)

    def get_watermark_offsets(self, *_: Any, **__: Any) -> tuple[int, int]:
        return self.watermarks

    def incremental_unassign(self, places: list[TopicPartition]) -> None:
        """Take note of nothing: the tests end soon after."""

    def consumer_group_metadata(self) -> object:
        return object()

    def close(self) -> None:
        self.closed += 1


def bar(number: int) -> bytes:
    return (
        f'{{"ev":"A","sym":"AAPL","v":{number},"o":1,"h":1,"l":1,"c":1,'
        f'"s":{START + 1000 * number}}}'
    ).encode()


def messages_of(*values: bytes) -> list[FakeMessage]:
    return [FakeMessage(value, place) for place, value in enumerate(values)]


def stage_of(batches: list[list[FakeMessage]], **changes: Any) -> tuple[Filter, Any, Any, Event]:
    stop = Event()
    producer, consumer = FakeProducer(), FakeConsumer(batches, stop)
    clients = FilterClients(*cast("Any", (producer, consumer, consumer)))
    stage = Filter(FilterSettings.model_validate(changes), clients)
    return stage, producer, consumer, stop

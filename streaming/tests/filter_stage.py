"""A filter whose Kafka clients are stand-ins."""

import time
from dataclasses import dataclass, field
from threading import Event
from types import SimpleNamespace
from typing import Any, cast

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from recording import RecordingProducer

from polygon_streaming import raw
from polygon_streaming.filter.loop import Filter
from polygon_streaming.filter.offsets import Places
from polygon_streaming.filter.takeover import Takeover
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

    def poll(self, _: float) -> int:
        return 0

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*given: Any) -> None:
            self.calls.append(name)
            if name == "send_offsets_to_transaction":
                self.offsets = given[0]
            if self.failures.get(name):
                raise KafkaException(self.failures[name].pop(0))

        return call


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

    def __getattr__(self, _: str) -> Any:
        return lambda *_, **__: None


def bar(number: int) -> bytes:
    return (
        f'{{"ev":"A","sym":"AAPL","v":{number},"o":1,"h":1,"l":1,"c":1,'
        f'"s":{START + 1000 * number}}}'
    ).encode()


def messages_of(*values: bytes) -> list[FakeMessage]:
    return [FakeMessage(value, place) for place, value in enumerate(values)]


def stage_of(batches: list[list[FakeMessage]], **changes: Any) -> tuple[Filter, Any, Any, Event]:
    stop = Event()
    stage = Filter(FilterSettings.model_validate(changes))
    producer, consumer = FakeProducer(), FakeConsumer(batches, stop)
    stage.producer = cast("Any", producer)
    stage._consumer = cast("Any", consumer)
    stage._places = Places(cast("Any", consumer), cast("Any", consumer))
    stage._takeover = Takeover(stage._places.ask)
    return stage, producer, consumer, stop

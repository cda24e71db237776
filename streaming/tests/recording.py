"""Stand-ins for Kafka's clients that record what they are asked."""

from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException


@dataclass
class Produced:
    """One record handed to a producer."""

    topic: str
    value: Any
    key: Any
    headers: dict[str, Any] = field(default_factory=dict)
    timestamp: int = 0
    on_delivery: Any = None


@dataclass
class Report:
    """What a report of Kafka's client carries: no headers and no time, as seen with 2.16."""

    record: Produced

    def value(self) -> bytes:
        return str(self.record.value).encode()

    def key(self) -> bytes | None:
        return None if self.record.key is None else str(self.record.key).encode()

    def topic(self) -> str:
        return self.record.topic

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 0, -1


class RecordingProducer:
    """Takes `room` records and then says that its queue is full."""

    def __init__(self, room: float = float("inf")) -> None:
        self.room = room
        self.records: list[Produced] = []

    def produce(
        self,
        topic: str,
        value: Any = None,
        key: Any = None,
        partition: int = -1,
        callback: Any = None,
        on_delivery: Any = None,
        timestamp: int = 0,
        headers: Any = None,
    ) -> None:
        """Take a record; names and places of the arguments are those of confluent_kafka 2.16."""
        assert partition == -1
        if len(self.records) >= self.room:
            raise BufferError("Local: Queue full")
        report = callback or on_delivery
        self.records.append(Produced(topic, value, key, dict(headers or ()), timestamp, report))

    def poll(self, _: float) -> int:
        return 0

    def refuse(self, record: Produced, code: int) -> None:
        """Report a record as refused by the brokers."""
        record.on_delivery(KafkaError(code), Report(record))

    def acknowledge(self, record: Produced) -> None:
        """Report a record as taken by the brokers."""
        record.on_delivery(None, Report(record))

    def of(self, topic: str) -> list[Produced]:
        """Return the records of a topic."""
        return [record for record in self.records if record.topic == topic]

    def __len__(self) -> int:
        return len(self.records)


def kafka_error(code: int, *, fatal: bool = False) -> KafkaException:
    """Return an exception as the client raises it."""
    return KafkaException(KafkaError(code, fatal=fatal))

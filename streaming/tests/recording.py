"""Stand-ins for Kafka's clients that record what they are asked."""

from __future__ import annotations

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


class RecordingProducer:
    """Takes `room` records and then says that its queue is full."""

    def __init__(self, room: float = float("inf")) -> None:
        self.room = room
        self.records: list[Produced] = []

    def produce(
        self, topic: str, value: Any, key: Any = None, *, headers: Any = (), timestamp: int = 0
    ) -> None:
        if len(self.records) >= self.room:
            raise BufferError("Local: Queue full")
        self.records.append(Produced(topic, value, key, dict(headers), timestamp))

    def of(self, topic: str) -> list[Produced]:
        """Return the records of a topic."""
        return [record for record in self.records if record.topic == topic]

    def __len__(self) -> int:
        return len(self.records)


def kafka_error(code: int, *, fatal: bool = False) -> KafkaException:
    """Return an exception as the client raises it."""
    return KafkaException(KafkaError(code, fatal=fatal))

"""Stand-ins for Kafka's producer that record what they are asked.

They are held to what the real one does by integration_tests/kafka/test_contract.py. It is the test
that plays the brokers: it says which records they take or refuse, and which call fails how.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from unit_tests.streaming.fake_consumer import FakeGroup, as_bytes


@dataclass(eq=False)
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
    """What a report of Kafka's client carries: never headers; of what is refused no place or time.

    Attributes:
        record: what was produced.
        place: the offset it got.
        failure: why it was refused.
    """

    record: Produced
    place: int | None = None
    failure: KafkaError | None = None

    def error(self) -> KafkaError | None:
        return self.failure

    def value(self) -> bytes | None:
        return as_bytes(self.record.value)

    def key(self) -> bytes | None:
        return as_bytes(self.record.key)

    def topic(self) -> str:
        return self.record.topic

    def partition(self) -> int:
        return 1

    def offset(self) -> int | None:
        return self.place

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return (0, -1) if self.failure else (1, self.record.timestamp)


class RecordingProducer:
    """Takes `room` records and then says that its queue is full.

    Attributes:
        records: all that it took, in their order.
        waiting: those of them on which the brokers have not said a word.
        purged: those that were given up.
    """

    def __init__(self, room: float = float("inf")) -> None:
        self.room = room
        self.records: list[Produced] = []
        self.waiting: list[Produced] = []
        self.purged: list[Produced] = []
        self.closed = False

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
        if self.closed:
            raise RuntimeError("Producer has been closed")
        if len(self.records) >= self.room:
            raise BufferError("Local: Queue full")
        report = callback or on_delivery
        record = Produced(topic, value, key, dict(headers or ()), timestamp, report)
        self.records.append(record)
        self.waiting.append(record)

    def poll(self, _: float) -> int:
        return 0

    def flush(self, _: float) -> int:
        """Report what was purged; return how many records wait: the brokers say nothing."""
        for record in [record for record in self.waiting if record in self.purged]:
            self.refuse(record, KafkaError._PURGE_QUEUE)
        return len(self.waiting)

    def purge(self) -> None:
        """Give up what waits; it is reported by `flush`."""
        self.purged += self.waiting

    def close(self) -> bool:
        self.closed = True
        return True

    def refuse(self, record: Produced, code: int, *, fatal: bool = False) -> None:
        """Report a record as refused by the brokers."""
        self.waiting.remove(record)
        error = KafkaError(code, fatal=fatal)
        if record.on_delivery is not None:
            record.on_delivery(error, Report(record, failure=error))

    def acknowledge(self, record: Produced) -> None:
        """Report a record as taken by the brokers."""
        self.waiting.remove(record)
        if record.on_delivery is not None:
            record.on_delivery(None, Report(record, self.of(record.topic).index(record)))

    def of(self, topic: str) -> list[Produced]:
        """Return the records of a topic."""
        return [record for record in self.records if record.topic == topic]

    def __len__(self) -> int:
        return len(self.waiting)


class FakeProducer(RecordingProducer):
    """Records the order of transactional calls; each may be told to fail.

    Attributes:
        calls: the names of the transactional calls.
        failures: by name of a call, the errors that its next ones raise.
        offsets: what the last transaction sends to the group.
        meanwhile: by name of a call, what happens in it.
        failing: after how many records of a transaction it fails in the background, and of what;
            one entry for each that does. Until its abort `produce` says _STATE; its end says why (
            `test_what_the_client_says_of_a_transaction_that_failed_in_the_background`).
    """

    def __init__(self) -> None:
        super().__init__()
        self.failing: list[tuple[int, KafkaError]] = []
        self._failed_of: KafkaError | None = None
        self.calls: list[str] = []
        self.failures: dict[str, list[KafkaError]] = {}
        self.offsets: list[TopicPartition] = []
        self.meanwhile: dict[str, Callable[[], None]] = {}
        self._state = "new"
        self._group = FakeGroup()
        self._committed = 0

    def init_transactions(self, _: float) -> None:
        self._call("init_transactions", "new", "ready")

    def begin_transaction(self) -> None:
        self._call("begin_transaction", "ready", "open")
        self._committed, self.offsets = len(self.records), []

    def produce(self, topic: str, *more: Any, **named: Any) -> None:
        self._check("open")
        if self.failing and len(self.records) - self._committed >= self.failing[0][0]:
            self._failed_of = self.failing.pop(0)[1]
        if self._failed_of is not None:
            raise KafkaException(KafkaError(KafkaError._STATE))
        super().produce(topic, *more, **named)

    def send_offsets_to_transaction(
        self, offsets: list[TopicPartition], group: FakeGroup, _seconds: float
    ) -> None:
        self._call("send_offsets_to_transaction", "open", "open")
        self.offsets, self._group = offsets, group

    def commit_transaction(self, _: float) -> None:
        self._call("commit_transaction", "open", "ready")
        self._group.store(self.offsets)
        self.waiting.clear()

    def abort_transaction(self, _: float) -> None:
        self._failed_of = None
        self._call("abort_transaction", "open", "ready")
        del self.records[self._committed :]
        self.waiting.clear()

    def _call(self, name: str, before: str, after: str) -> None:
        self._check(before)
        self.calls.append(name)
        if name in self.meanwhile:
            self.meanwhile[name]()
        if self._failed_of is not None:
            raise KafkaException(self._failed_of)
        if self.failures.get(name):
            raise KafkaException(self.failures[name].pop(0))
        self._state = after

    def _check(self, state: str) -> None:
        if self._state != state:
            raise KafkaException(KafkaError(KafkaError._STATE))


def kafka_error(code: int, *, fatal: bool = False) -> KafkaException:
    """Return an exception as the client raises it."""
    return KafkaException(KafkaError(code, fatal=fatal))

"""What Kafka's clients answer, asked of the stand-ins that tests use and of Apache Kafka alike.

Left out: what only a test decides (which batch comes next, how brokers fail) is not part of the
stand-ins' contract; see their docstrings.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from polygon_streaming.kafka import clients
from polygon_streaming.settings import FilterSettings

from integration_tests.kafka.kafka_broker import Broker
from integration_tests.kafka.stages import read_values
from unit_tests.streaming.fake_consumer import (
    TOPIC,
    FakeAsker,
    FakeConsumer,
    FakeGroup,
    FakeMessage,
    as_bytes,
    as_read,
)
from unit_tests.streaming.fake_producer import FakeProducer, RecordingProducer

NOW = 1_795_444_200_123
HEADERS: list[tuple[str, str | bytes | None]] = [("market", "stocks"), ("empty", None)]
# Too large for a topic of at most 200 bytes, also once compressed.
LARGE = bytes(range(256))
# Value, key, time, headers.
Record = tuple[Any, ...]


class Kafka(Protocol):
    """Clients of brokers that have one topic, of whose partitions the tests use number 1.

    Attributes:
        topic: its name.
        small: a topic that refuses large records.
    """

    topic: str
    small: str

    def producer(self, room: int = 100) -> Any:
        """Return a producer that reports each record; `room` fit in its queue."""

    def transactional(self) -> Any:
        """Return a producer of transactions."""

    def consumer(self, *records: Record) -> Any:
        """Return a member of a new group; these records are in partition 1."""

    def asker(self, topic: str) -> Any:
        """Return a client that asks for a topic."""

    def let_answer(self, producer: Any) -> None:
        """Have the brokers take, or refuse, what was produced."""

    def visible(self, producer: Any) -> list[Any]:
        """Return the JSON values that readers of committed records see."""


class Fake:
    """The stand-ins."""

    topic, small = TOPIC, "small"

    def producer(self, room: int = 100) -> RecordingProducer:
        return RecordingProducer(room)

    def transactional(self) -> FakeProducer:
        return FakeProducer()

    def consumer(self, *records: Record) -> FakeConsumer:
        group = FakeGroup()
        group.watermarks = (0, len(records))
        batch = [
            FakeMessage(as_bytes(value), place, as_read(headers) if headers else None, at,
                        marked=as_bytes(key))
            for place, (value, key, at, headers) in enumerate(records)
        ]  # fmt: skip
        return FakeConsumer(group, [batch])

    def asker(self, topic: str) -> FakeAsker:
        asker = FakeAsker()
        unknown = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
        asker.answer = (None, [1, 1]) if topic == self.topic else (unknown, [])
        return asker

    def let_answer(self, producer: RecordingProducer) -> None:
        for record in list(producer.waiting):
            if record.topic == self.small:
                producer.refuse(record, KafkaError.MSG_SIZE_TOO_LARGE)
            else:
                producer.acknowledge(record)

    def visible(self, producer: FakeProducer) -> list[Any]:
        return [int(record.value) for record in producer.records]


class Real:
    """Clients as the stages have them, of Apache Kafka."""

    def __init__(self, broker: Broker) -> None:
        run = uuid.uuid4().hex[:6]
        self.topic, self.small = f"contract-{run}", f"contract-small-{run}"
        self._group = self._id = run
        self._address = broker.address
        self._settings = FilterSettings.model_validate({"bootstrap_servers": broker.address})
        self._open: list[Consumer] = []
        broker.create(self.topic, partitions=2)
        broker.create(self.small, partitions=2, max_message_bytes="200")

    def producer(self, room: int = 100) -> Producer:
        # Nothing is on its way before it is flushed, however slow the machine is.
        rules = {"queue.buffering.max.messages": room, "linger.ms": 60_000}
        return clients.producer(self._settings, rules | {"delivery.report.only.error": False})

    def transactional(self) -> Producer:
        return clients.producer(self._settings, {"transactional.id": self._id})

    def consumer(self, *records: Record) -> Consumer:
        producer = clients.producer(self._settings, {})
        for value, key, at, headers in records:
            producer.produce(self.topic, value, key, 1, timestamp=at, headers=headers)
        assert producer.flush(30) == 0
        self._open.append(clients.consumer(self._settings, self._group))
        return self._open[-1]

    def asker(self, _: str) -> Consumer:
        self._open.append(clients.asker(self._settings))
        return self._open[-1]

    def let_answer(self, producer: Producer) -> None:
        assert producer.flush(30) == 0

    def visible(self, _: Producer) -> list[Any]:
        return read_values(self._address, self.topic)

    def close(self) -> None:
        for consumer in self._open:
            consumer.close()


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.kafka_tests)])
def kafka(request: pytest.FixtureRequest) -> Iterator[Kafka]:
    if request.param == "fake":
        yield Fake()
        return
    real = Real(request.getfixturevalue("broker"))
    yield real
    real.close()


def _error(action: Callable[[], object]) -> KafkaError:
    with pytest.raises(KafkaException) as caught:
        action()
    error: KafkaError = caught.value.args[0]
    return error


def _offsets(places: list[TopicPartition]) -> list[tuple[int, int]]:
    return [(place.partition, place.offset) for place in places]


def _until(found: Callable[[], Any]) -> Any:
    """Return what is found once there is something."""
    deadline = time.monotonic() + 60
    while not (result := found()):
        assert time.monotonic() < deadline
    return result


class Member:
    """A consumer that has joined its group and begun with partition 1."""

    def __init__(self, consumer: Any, topic: str) -> None:
        self.consumer = consumer
        self.told: list[str] = []
        self.place = TopicPartition(topic, 1, OFFSET_BEGINNING)
        consumer.subscribe([topic], on_assign=self._assign, on_revoke=self._revoke,
                           on_lost=self._revoke)  # fmt: skip

    def _assign(self, consumer: Any, _: list[TopicPartition]) -> None:
        self.told.append("assigned")
        consumer.incremental_assign([])

    def _revoke(self, consumer: Any, _: list[TopicPartition]) -> None:
        self.told.append("revoked")
        consumer.incremental_unassign(consumer.assignment())

    def join(self) -> None:
        """Wait until the group gives it partitions."""
        _until(lambda: self.consumer.consume(10, 0.1) or self.told)

    def begin(self) -> None:
        """Begin with the partition."""
        self.consumer.incremental_assign([self.place])

    def read(self, count: int) -> list[Any]:
        """Return so many records."""
        found: list[Any] = []

        def read() -> bool:
            found.extend(self.consumer.consume(10, 0.1))
            return len(found) >= count

        _until(read)
        return found


def test_a_record_that_is_read(kafka: Kafka) -> None:
    records = [("é", "AAPL", NOW, HEADERS), (b"{}", None, NOW + 1, None), (None, "B", NOW, None)]
    member = Member(kafka.consumer(*records), kafka.topic)
    member.join()
    member.begin()
    first, second, third = member.read(3)
    assert [m.error() for m in (first, second, third)] == [None, None, None]
    assert (first.topic(), first.partition(), first.offset()) == (kafka.topic, 1, 0)
    assert (first.value(), first.key()) == ("é".encode(), b"AAPL")
    assert first.headers() == [("market", b"stocks"), ("empty", None)]
    assert (first.timestamp(), second.timestamp()) == ((1, NOW), (1, NOW + 1))
    assert (second.value(), second.key(), second.headers()) == (b"{}", None, None)
    assert (third.value(), third.key(), third.offset()) == (None, b"B", 2)


def test_partitions_and_places_of_a_consumer(kafka: Kafka) -> None:
    member = Member(kafka.consumer(*[("1", None, NOW, None)] * 3), kafka.topic)
    consumer = member.consumer
    assert (consumer.assignment(), consumer.position([])) == ([], [])
    assert consumer.get_watermark_offsets(member.place, cached=True) == (-1001, -1001)
    member.join()
    assert consumer.assignment() == [], "what the callback does not take is not assigned"
    member.begin()
    assert _offsets(consumer.assignment()) == [(1, OFFSET_BEGINNING)]
    assert _offsets(consumer.position([member.place])) == [(1, -1001)]
    assert consumer.get_watermark_offsets(member.place, 10.0) == (0, 3)
    member.read(3)
    assert consumer.get_watermark_offsets(member.place, cached=True)[1] == 3
    assert _offsets(consumer.position([member.place])) == [(1, 3)]
    assert _offsets(consumer.assignment()) == [(1, OFFSET_BEGINNING)], "it is not a place reached"
    consumer.seek(TopicPartition(kafka.topic, 1, 2))
    assert _offsets(consumer.position([member.place])) == [(1, -1001)], "until something comes"
    assert _error(lambda: consumer.seek(TopicPartition(kafka.topic, 0, 2))).name() == "_STATE"
    consumer.close()
    assert member.told == ["assigned", "revoked"]
    with pytest.raises(RuntimeError, match="Consumer closed"):
        consumer.consume(1, 0.1)
    consumer.close()


def test_offsets_of_a_group(kafka: Kafka) -> None:
    consumer = kafka.consumer()
    place = TopicPartition(kafka.topic, 1)
    (none,) = consumer.committed([place], 10)
    assert (none.offset, none.metadata, none.error) == (-1001, None, None)
    stored = TopicPartition(kafka.topic, 1, 0, '{"until_ms":1}')
    (answer,) = consumer.commit(offsets=[stored], asynchronous=False)
    assert (answer.offset, answer.error) == (0, None)
    (found,) = consumer.committed([place], timeout=10)
    assert (found.topic, found.partition, found.offset) == (kafka.topic, 1, 0)
    assert (found.metadata, found.error) == ('{"until_ms":1}', None)
    assert consumer.commit(offsets=[TopicPartition(kafka.topic, 1, 2)]) is None
    _until(lambda: consumer.committed([place], timeout=10)[0].offset == 2)
    nothing = _error(lambda: consumer.commit(offsets=[], asynchronous=False))
    assert nothing.name() == "_NO_OFFSET"
    assert consumer.poll(0) is None


def test_a_report_of_the_brokers(kafka: Kafka) -> None:
    producer = kafka.producer()
    reports: list[tuple[Any, Any]] = []

    def report(*given: Any) -> None:
        reports.append(given)

    producer.produce(kafka.topic, "text", "AAPL", -1, report, None, NOW, HEADERS)
    producer.produce(kafka.small, LARGE, None, on_delivery=report, timestamp=NOW)
    assert len(producer) == 2
    kafka.let_answer(producer)
    assert (len(producer), producer.flush(0)) == (0, 0)
    (taken,) = [given for given in reports if given[1].topic() == kafka.topic]
    (refused,) = [given for given in reports if given[1].topic() == kafka.small]
    error, message = taken
    assert (error, message.error()) == (None, None)
    assert (message.value(), message.key(), message.headers()) == (b"text", b"AAPL", None)
    assert (message.offset(), message.timestamp()) == (0, (1, NOW))
    error, message = refused
    assert (error.name(), error.fatal(), error.retriable()) == ("MSG_SIZE_TOO_LARGE", False, False)
    assert message.error() == error
    assert (message.value(), message.key(), message.headers()) == (LARGE, None, None)
    assert (message.offset(), message.timestamp()) == (None, (0, -1))


def test_a_queue_that_is_full(kafka: Kafka) -> None:
    producer = kafka.producer(room=1)
    producer.produce(kafka.topic, "1")
    with pytest.raises(BufferError, match="Local: Queue full"):
        producer.produce(kafka.topic, "2")
    assert len(producer) == 1
    producer.purge()
    assert producer.flush(10) == 0


def test_what_a_producer_gives_up(kafka: Kafka) -> None:
    producer = kafka.producer()
    reports: list[Any] = []
    producer.produce(kafka.topic, "1", on_delivery=lambda *given: reports.append(given))
    producer.purge()
    assert len(producer) > 0, "until its report is served"
    assert producer.flush(10) == 0
    ((error, message),) = reports
    assert (error.name(), message.offset(), len(producer)) == ("_PURGE_QUEUE", None, 0)
    assert producer.close() is True
    with pytest.raises(RuntimeError, match="Producer has been closed"):
        producer.produce(kafka.topic, "2")


def test_the_order_of_calls_in_transactions(kafka: Kafka) -> None:
    producer, consumer = kafka.transactional(), kafka.consumer()
    group, offsets = consumer.consumer_group_metadata(), [TopicPartition(kafka.topic, 1, 1)]
    calls: dict[str, Callable[[], object]] = {
        "init": lambda: producer.init_transactions(30),
        "begin": producer.begin_transaction,
        "produce": lambda: producer.produce(kafka.topic, "1"),
        "send": lambda: producer.send_offsets_to_transaction(offsets, group, 30),
        "commit": lambda: producer.commit_transaction(30),
        "abort": lambda: producer.abort_transaction(30),
    }

    def out_of_order() -> list[str]:
        wrong = {"new": calls.keys() - {"init"}, "ready": calls.keys() - {"begin"}}
        return sorted(wrong.get(state, {"init", "begin"}))

    for state, step in [("new", "init"), ("ready", "begin"), ("open", "commit"),
                        ("ready", "begin"), ("open", "abort")]:  # fmt: skip
        for name in out_of_order():
            error = _error(calls[name])
            assert (error.name(), error.txn_requires_abort()) == ("_STATE", False), (state, name)
        calls[step]()


def test_a_transaction_is_there_as_a_whole_or_not_at_all(kafka: Kafka) -> None:
    producer, consumer = kafka.transactional(), kafka.consumer()
    group, place = consumer.consumer_group_metadata(), TopicPartition(kafka.topic, 1)
    producer.init_transactions(30)
    for number, end in [(7, producer.commit_transaction), (8, producer.abort_transaction)]:
        producer.begin_transaction()
        producer.produce(kafka.topic, str(number))
        offsets = [TopicPartition(kafka.topic, 1, number, "told")]
        producer.send_offsets_to_transaction(offsets, group, 30)
        end(30)
        (found,) = consumer.committed([place], 30)
        assert (found.offset, found.metadata) == (7, "told")
        # The brokers mark the end of a transaction in each partition after they have taken it.
        assert _until(lambda: kafka.visible(producer)) == [7]
        assert len(producer) == 0


def test_topics_that_are_asked_for(kafka: Kafka) -> None:
    found = kafka.asker(kafka.topic).list_topics(kafka.topic, timeout=10).topics[kafka.topic]
    assert found.error is None
    assert [(number, part.leader) for number, part in found.partitions.items()] == [(0, 1), (1, 1)]
    ends = [TopicPartition(kafka.topic, number, OFFSET_END) for number in (0, 1)]
    answers = kafka.asker(kafka.topic).offsets_for_times(ends, timeout=10)
    assert [(a.topic, a.partition, a.offset, a.error) for a in answers] == [
        (kafka.topic, 0, 0, None),
        (kafka.topic, 1, 0, None),
    ]
    missing = kafka.asker("missing").list_topics("missing", timeout=10).topics["missing"]
    assert missing.error.name() == "UNKNOWN_TOPIC_OR_PART"
    assert missing.partitions == {}

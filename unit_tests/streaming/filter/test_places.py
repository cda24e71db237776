"""Where a filter begins, what was deleted before it got there, and partitions that come and go."""

from threading import Event
from typing import Any, cast

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from polygon_streaming.errors import StreamError
from polygon_streaming.filter.loop import Filter
from polygon_streaming.process import metrics
from polygon_streaming.process.heartbeat import Heartbeat
from polygon_streaming.settings import FilterSettings

from unit_tests.streaming.fake_consumer import START, TOPIC, FakeConsumer, FakeMessage
from unit_tests.streaming.filter_stage import bar, clients_of, gaps_of, messages_of, stage_of


@pytest.mark.parametrize(("stored", "begun"), [(-1001, OFFSET_BEGINNING), (3, 3), (9, 9)])
def test_a_filter_goes_on_where_its_group_is(stored: int, begun: int) -> None:
    stage, producer, consumer, stop = stage_of([messages_of(bar(1))])
    consumer.group.store([TopicPartition(TOPIC, 1, stored)])
    stage.run(stop)
    assert consumer.begun == [begun]
    assert gaps_of(producer) == []


def test_brokers_that_do_not_tell_the_offset_are_asked_again() -> None:
    stage, _, consumer, stop = stage_of([messages_of(bar(1))])
    consumer.group.refusals = [
        KafkaException(KafkaError(KafkaError._TRANSPORT)),
        KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT),
    ]
    stage.run(stop)
    assert consumer.begun == [3]


def test_an_offset_that_may_not_be_read_is_not_taken_for_none() -> None:
    stage, producer, consumer, stop = stage_of([messages_of(bar(1))])
    consumer.group.refusals = [KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)]
    with pytest.raises(StreamError, match="GROUP_AUTHORIZATION_FAILED"):
        stage.run(stop)
    assert consumer.begun == []
    assert producer.records == []


def test_an_offset_beyond_the_end_ends_the_filter_with_the_fix() -> None:
    (message,) = messages_of(b"")
    message.failure = KafkaError(KafkaError._AUTO_OFFSET_RESET)
    stage, producer, _, stop = stage_of([[message]])
    with pytest.raises(StreamError, match=r"'polygon-stream-filter' is not in .*--reset-offsets"):
        stage.run(stop)
    assert producer.records == []


def test_what_kafka_deleted_unread_is_a_gap_from_the_last_record_read() -> None:
    stage, producer, _, stop = stage_of([messages_of(bar(1))])
    stage.run(stop)
    (stored,) = producer.offsets
    assert (stored.partition, stored.offset) == (1, 1)

    later = messages_of(bar(2), bar(3))
    for message in later:
        message.received_ms = START + 3_600_000
    stage, producer, consumer, stop = stage_of([later, later])
    consumer.group.store([stored])
    consumer.group.watermarks = (10, 12)
    stage.run(stop)
    assert consumer.begun == [OFFSET_BEGINNING]
    # A delayed feed's bars are 15 minutes older than their receipt.
    assert gaps_of(producer) == [(START + 100 - 900_000, START + 3_600_000, "retention", True)]
    assert len(producer.of("custom_filtered_stock_data_topic")) == 4


def test_the_gap_is_recorded_again_if_its_transaction_is_aborted() -> None:
    stage, producer, consumer, stop = stage_of([messages_of(bar(2)), messages_of(bar(2))])
    consumer.group.watermarks = (4, 12)
    producer.failures["commit_transaction"] = [KafkaError(1, txn_requires_abort=True)]
    stage.run(stop)
    assert producer.calls.count("abort_transaction") == 1
    # The offset does not say when its record was received.
    assert gaps_of(producer) == [(START + 100 - 900_000, START + 100, "retention", True)]


def test_another_filter_that_takes_the_partition_over_records_the_gap() -> None:
    stage, producer, consumer, stop = stage_of([[], messages_of(bar(2))])
    consumer.group.watermarks = (4, 12)
    consumer.lost_after = 1
    stage.run(stop)
    assert gaps_of(producer) == []


def test_the_lag_of_partitions_that_went_to_another_is_no_longer_told() -> None:
    told: list[dict[str, float | None]] = []

    class Looking(Heartbeat):
        def beat(self) -> None:
            lag = metrics.FILTER.get_sample_value
            told.append(
                {p: lag("polygon_consumer_lag_records", {"partition": p}) for p in ("1", "3")}
            )

    stop = Event()
    metrics.lag.labels("3").set(100)
    batches = [messages_of(bar(1)), messages_of(bar(2))]
    Filter(FilterSettings.model_validate({}), clients_of(batches, stop), Looking()).run(stop)
    assert told[0]["3"] == 100
    assert {"1": 6.0, "3": None} in told


def test_a_record_without_its_time_is_a_dead_letter_and_no_offset_says_that_time() -> None:
    batch = messages_of(bar(1), bar(2))
    batch[1].received_ms = -1
    stage, producer, _, stop = stage_of([batch])
    stage.run(stop)
    (dead,) = producer.of("polygon_stream_dead_letter")
    assert "when it was received" in dead.headers["__connect.errors.exception.message"]
    (stored,) = producer.offsets
    assert stored.metadata == str(START + 100)


def test_the_gap_of_what_was_deleted_ends_with_the_first_record_that_says_its_time() -> None:
    batch = messages_of(bar(2), bar(3))
    batch[0].received_ms = 10**17
    stage, producer, consumer, stop = stage_of([batch[:1], batch[1:]])
    consumer.group.store([TopicPartition(TOPIC, 1, 3, "9" * 30)])
    consumer.group.watermarks = (4, 12)
    stage.run(stop)
    assert gaps_of(producer) == [(START + 100 - 900_000, START + 100, "retention", True)]


class Hasty(FakeConsumer):
    """Loses its partition as soon as it has it, before anyone can know where to begin."""

    def subscribe(self, _: list[str], **callbacks: Any) -> None:
        self.told = callbacks
        self.unassigned: list[int] = []

    def incremental_unassign(self, places: list[TopicPartition]) -> None:
        self.unassigned.append(len(places))

    def consume(self, _number: int, _seconds: float) -> list[FakeMessage]:
        if self.unassigned:
            self.stop.set()
            return []
        for name in ("on_assign", "on_revoke"):
            self.told[name](self, [TopicPartition(TOPIC, 1)])
        self.stop.wait(0.05)
        return []


def test_a_partition_that_went_before_its_place_was_known_is_not_begun() -> None:
    stop = Event()
    consumer = Hasty(stop=stop)
    clients = clients_of([], stop)._replace(consumer=cast("Any", consumer))
    Filter(FilterSettings.model_validate({}), clients).run(stop)
    assert consumer.begun == []
    # What the library does not have it cannot give up.
    assert consumer.unassigned == [0]

"""The lag of a consumer that has nothing to read, as after a start at night."""

import time
import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from polygon_streaming.kafka import lag
from prometheus_client import CollectorRegistry, Gauge


@pytest.fixture
def topic(mock_kafka: str) -> str:
    name = f"lag-{uuid.uuid4().hex[:6]}"
    producer = Producer({"bootstrap.servers": mock_kafka})
    for _ in range(5):
        producer.produce(name, b"x", partition=0)
    assert producer.flush(10) == 0
    return name


@pytest.fixture
def consumer(mock_kafka: str, topic: str) -> Iterator[Consumer]:
    made = Consumer(
        {
            "bootstrap.servers": mock_kafka,
            "group.id": topic,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
    yield made
    made.close()


def _lag(consumer: Consumer, partition: int) -> float | None:
    """Return the lag of a partition once it is known, without reading a record."""
    registry = CollectorRegistry()
    gauge = Gauge("lag", "", ["partition"], registry=registry)
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        assert consumer.consume(1, 0.1) == []
        assert lag.note(consumer, gauge)
        told = registry.get_sample_value("lag", {"partition": str(partition)})
        if told is not None:
            return told
    return None


def test_where_all_is_read_it_is_0_before_anything_comes(consumer: Consumer, topic: str) -> None:
    consumer.commit(offsets=[TopicPartition(topic, 0, 5)], asynchronous=False)
    consumer.assign([TopicPartition(topic, 0, 5)])
    assert _lag(consumer, 0) == 0


def test_what_is_left_out_at_the_start_counts(consumer: Consumer, topic: str) -> None:
    consumer.commit(offsets=[TopicPartition(topic, 0, 3)], asynchronous=False)
    consumer.assign([TopicPartition(topic, 0, 5)])
    assert _lag(consumer, 0) == 2


def test_an_empty_partition_of_a_new_group_is_not_behind(consumer: Consumer, topic: str) -> None:
    consumer.assign([TopicPartition(topic, 1)])
    assert _lag(consumer, 1) == 0

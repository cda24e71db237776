"""The demo's topics, and what is in them."""

from typing import Any

import orjson
from confluent_kafka import Consumer, Producer, TopicPartition

RAW, GAPS = "polygon_stream_aggregates", "polygon_stream_gaps"
CLEAN = "custom_filtered_stock_data_topic"
_TOPICS = (
    RAW,
    CLEAN,
    "custom_filtered_trades_topic",
    "custom_filtered_quotes_topic",
    "polygon_stream_dead_letter",
    GAPS,
)


def address_of(broker: Producer) -> str:
    """Return where the mock of a producer listens, once it has all topics."""
    found = broker.list_topics(timeout=10).brokers.values()
    for topic in _TOPICS:
        broker.list_topics(topic, timeout=10)  # the mock creates what it is asked about
    return ",".join(f"{node.host}:{node.port}" for node in found)


def records(address: str, topic: str) -> list[dict[str, Any]]:
    """Return the JSON values of a topic so far."""
    consumer = Consumer(
        {"bootstrap.servers": address, "group.id": "demo", "enable.partition.eof": True}
    )
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    values, ends = [], 0
    while ends < len(partitions):
        for message in consumer.consume(100, 1.0):
            if message.error() is None:
                values.append(orjson.loads(message.value() or b""))
            else:
                ends += 1
    consumer.close()
    return values

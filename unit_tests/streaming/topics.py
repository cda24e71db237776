"""What lies on a topic of the mock broker."""

import json
from typing import Any

from confluent_kafka import Consumer, Message, TopicPartition


def messages_of(brokers: str, topic: str) -> list[Message]:
    """Return the messages of a topic so far, partition by partition."""
    consumer = Consumer(
        {"bootstrap.servers": brokers, "group.id": "look", "enable.partition.eof": True,
         "auto.offset.reset": "earliest"}
    )  # fmt: skip
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    found: list[Message] = []
    ends = 0
    while ends < len(partitions):
        for message in consumer.consume(1000, 0.5):
            if message.error() is None:
                found.append(message)
            else:
                ends += 1
    consumer.close()
    return found


def values_of(brokers: str, topic: str) -> list[Any]:
    """Return the JSON values of a topic so far."""
    return [json.loads(message.value() or b"") for message in messages_of(brokers, topic)]

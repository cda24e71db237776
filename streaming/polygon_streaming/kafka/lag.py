"""How far behind the end of its partitions a consumer is."""

from collections import Counter
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition
from prometheus_client import Gauge

_ANSWER_SECONDS: Final = 1.0


def note(consumer: Consumer, gauge: Gauge) -> bool:
    """Set the lag of each partition of a consumer; return whether it has any.

    It is the distance to the end that the brokers told last, in records; the markers that end
    transactions are counted, so that it stays at 1 or so where all is read. Partitions of one
    number, of several topics, count together.
    """
    assignment = consumer.assignment()
    behind: Counter[int] = Counter()
    for place in _reached(consumer, assignment):
        low, high = consumer.get_watermark_offsets(place, cached=True)
        reached = place.offset if place.offset >= 0 else low
        if reached >= 0 and high >= 0:
            behind[place.partition] += max(0, high - reached)
    for partition, records in behind.items():
        gauge.labels(str(partition)).set(records)
    return bool(assignment)


def _reached(consumer: Consumer, assignment: list[TopicPartition]) -> list[TopicPartition]:
    """Return how far a consumer has got: where it began if nothing has come since."""
    places: list[TopicPartition] = consumer.position(assignment)
    unmoved = [place for place in places if place.offset < 0]
    if not unmoved:
        return places
    try:
        begun: list[TopicPartition] = consumer.committed(unmoved, _ANSWER_SECONDS)
    except KafkaException:
        begun = []
    return [place for place in places if place.offset >= 0] + [
        place for place in begun if place.error is None
    ]

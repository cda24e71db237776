"""How far behind the end of its partitions a consumer is."""

from __future__ import annotations

from confluent_kafka import Consumer
from prometheus_client import Gauge


def note(consumer: Consumer, gauge: Gauge) -> bool:
    """Set the lag of each partition of a consumer; return whether it has any.

    It is the distance to the end that the brokers told last, in records; the markers that end
    transactions are counted, so that it stays at 1 or so where all is read.
    """
    assignment = consumer.assignment()
    for place in consumer.position(assignment):
        _, high = consumer.get_watermark_offsets(place, cached=True)
        if place.offset >= 0 and high >= 0:
            gauge.labels(str(place.partition)).set(max(0, high - place.offset))
    return bool(assignment)

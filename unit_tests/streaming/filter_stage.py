"""A filter whose Kafka clients are stand-ins."""

from threading import Event
from typing import Any, cast

from confluent_kafka import TopicPartition
from polygon_streaming.filter.clients import FilterClients
from polygon_streaming.filter.loop import Filter
from polygon_streaming.gaps.gap import decode
from polygon_streaming.settings import FilterSettings

from unit_tests.streaming.fake_consumer import START, TOPIC, FakeConsumer, FakeGroup, FakeMessage
from unit_tests.streaming.fake_producer import FakeProducer


def bar(number: int) -> bytes:
    return (
        f'{{"ev":"A","sym":"AAPL","v":{number},"o":1,"h":1,"l":1,"c":1,'
        f'"s":{START + 1000 * number}}}'
    ).encode()


def messages_of(*values: bytes) -> list[FakeMessage]:
    return [FakeMessage(value, place) for place, value in enumerate(values)]


def clients_of(batches: list[list[FakeMessage]], stop: Event) -> FilterClients:
    """Return stand-ins of a group that has read three records."""
    group = FakeGroup(TopicPartition(TOPIC, 1, 3))
    consumer = FakeConsumer(group, batches, stop)
    return FilterClients(*cast("Any", (FakeProducer(), consumer, FakeConsumer(group))))


def stage_of(batches: list[list[FakeMessage]], **changes: Any) -> tuple[Filter, Any, Any, Event]:
    stop = Event()
    clients = clients_of(batches, stop)
    stage = Filter(FilterSettings.model_validate(changes), clients)
    return stage, clients.producer, clients.consumer, stop


def gaps_of(producer: FakeProducer) -> list[tuple[int, int, str, bool]]:
    """Return the gaps on record: from, to, why, and whether events are missing for certain."""
    gaps = [decode(record.value) for record in producer.of("polygon_stream_gaps")]
    return [(gap.start_ms, gap.end_ms, gap.reason, gap.certain) for gap in gaps]

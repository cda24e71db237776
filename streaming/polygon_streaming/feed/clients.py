"""The feed's Kafka clients."""

from collections.abc import Callable
from typing import Final, NamedTuple

from confluent_kafka import Consumer, Producer

from polygon_streaming.kafka import clients
from polygon_streaming.settings import FeedSettings

# A broker that is away for an hour costs memory, not data: records wait until the queue is full,
# and only then is there a gap. What the brokers refuse for good is reported all the same.
_FOR_EVER: Final = {"message.timeout.ms": 0}


class FeedClients(NamedTuple):
    """The Kafka clients of one feed, which closes them.

    Attributes:
        producer: of events and dead letters; it reports what the brokers refuse.
        gaps_producer: of gaps; it reports each.
        progress: returns a consumer of a group, which keeps the progress of a market.
        watcher: asks the brokers whether they are there.
    """

    producer: Producer
    gaps_producer: Producer
    progress: Callable[[str], Consumer]
    watcher: Consumer


def connect(settings: FeedSettings) -> FeedClients:
    """Return the clients for a feed.

    Raises:
        ConfigError: a Kafka property is wrong.
    """
    queue = {
        "queue.buffering.max.messages": settings.buffer_records,
        "queue.buffering.max.kbytes": settings.buffer_megabytes * 1024,
    }
    return FeedClients(
        producer=clients.producer(settings, {**_FOR_EVER, **queue}),
        gaps_producer=clients.producer(
            settings, {**_FOR_EVER, "delivery.report.only.error": False}
        ),
        progress=lambda group: clients.consumer(settings, group),
        watcher=clients.asker(settings),
    )

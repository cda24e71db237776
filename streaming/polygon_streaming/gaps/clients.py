"""What healing reads from and writes to."""

from typing import Final, NamedTuple

from confluent_kafka import Consumer, Producer

from polygon_streaming.gaps.rest import Rest
from polygon_streaming.kafka import clients
from polygon_streaming.settings import HealSettings

# A wildcard's gap takes minutes at the pace of a paid plan and hours at that of the free one. The
# group must not take the partition away meanwhile.
_MAX_POLL_MS: Final = 86_400_000


class HealClients(NamedTuple):
    """The clients of one healer, which closes them.

    Attributes:
        producer: of healed events.
        consumer: of gaps; it tells the end of each partition.
        rest: asks the REST API.
    """

    producer: Producer
    consumer: Consumer
    rest: Rest


def connect(settings: HealSettings) -> HealClients:
    """Return the clients for a healer.

    Raises:
        ConfigError: a Kafka property is wrong.
    """
    rules = {"enable.partition.eof": True, "max.poll.interval.ms": _MAX_POLL_MS}
    consumer = clients.consumer(settings, settings.group, rules)
    key = settings.api_key.get_secret_value()
    rest = Rest(settings.rest_url, key, settings.requests_per_minute)
    return HealClients(clients.producer(settings, {}), consumer, rest)

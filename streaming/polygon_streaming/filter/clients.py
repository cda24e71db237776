"""The filter's Kafka clients, and what their errors mean."""

from typing import Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, Producer

from polygon_streaming.errors import StreamError
from polygon_streaming.kafka import clients
from polygon_streaming.kafka.errors import Meaning, meaning
from polygon_streaming.settings import FilterSettings

_SESSION_MS: Final = 45_000
# While the group's coordinator restarts, librdkafka since 2.10 can wait in
# `send_offsets_to_transaction` for a connection that it has given up (its issue 5511). It looks for
# the coordinator anew when any other connection changes its state and what it remembers is too old:
# idle connections that are closed see to the former, a short memory to the latter.
_AWAKE: Final = {
    "connections.max.idle.ms": 10_000,
    "metadata.max.age.ms": 6_000,
    "topic.metadata.refresh.interval.ms": 2_000,
}


class Fenced(StreamError):
    """The brokers no longer take transactions from this filter."""


class FilterClients(NamedTuple):
    """The Kafka clients of one filter, which closes them.

    Attributes:
        producer: of transactions.
        consumer: of raw records, a member of the group.
        asker: another of the same group that is not a member: for offsets, beside the work.
    """

    producer: Producer
    consumer: Consumer
    asker: Consumer


def connect(settings: FilterSettings) -> FilterClients:
    """Return the clients for a filter.

    Raises:
        ConfigError: a Kafka property is wrong.
    """
    asker = clients.asker(settings, settings.group)
    return FilterClients(_producer(settings), _consumer(settings), asker)


def _producer(settings: FilterSettings) -> Producer:
    """Return the producer of transactions.

    Raises:
        ConfigError: a Kafka property is wrong.
    """
    return clients.producer(
        settings,
        {
            "transactional.id": settings.transactional_id,
            "transaction.timeout.ms": clients.TRANSACTION_TIMEOUT_MS,
            # A transaction ends by a commit, which does not wait for lingering records. Until then
            # few large requests cost half of what many small ones do.
            "linger.ms": 0 if settings.linger_ms < 5 else 50,
            **_AWAKE,
        },
    )


def _consumer(settings: FilterSettings) -> Consumer:
    """Return the consumer of raw records.

    A static member that comes back takes up its partitions at once; the group would otherwise wait
    for its session to time out, which after a crash is the longest part of a restart. So the
    session may outlast the restart of a broker, after which such a member can find itself fenced by
    its own second attempt to join.

    Raises:
        ConfigError: a Kafka property is wrong.
    """
    return clients.consumer(
        settings,
        settings.group,
        {
            "group.instance.id": settings.transactional_id,
            "session.timeout.ms": _SESSION_MS,
            # `Places` says where to begin. If the topic's retention overtakes a running filter, it
            # ends; the next one finds out what is missing.
            "auto.offset.reset": "error",
        },
    )


def explain(error: KafkaError, settings: FilterSettings) -> StreamError:
    """Return what ends the filter after an error."""
    # `_FATAL` is what a fenced producer says to every call but the one that found out.
    if meaning(error) is Meaning.FENCED or error.code() == KafkaError._FATAL:
        return Fenced(
            "Fenced: another filter took over the transactional id "
            f"{settings.transactional_id!r}, or a transaction outlived its "
            f"{clients.TRANSACTION_TIMEOUT_MS // 1000} s. Give each running filter its own "
            "--transactional-id; in the other case a restart is all it takes."
        )
    if error.code() == KafkaError._AUTO_OFFSET_RESET:
        return StreamError(
            f"The next offset of group {settings.group!r} is not in "
            f"{settings.raw_topic}. If its retention has overtaken the filter, start it "
            "again: it goes on with what is left, and records what is missing as a gap. If the "
            "topic was created anew, reset the group: kafka-consumer-groups --reset-offsets."
        )
    return StreamError(f"Kafka: {error.str()} ({error.name()}).")

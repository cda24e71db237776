"""Kafka clients: what this package insists on, what it suggests, and the operator's properties."""

import logging
from collections.abc import Mapping
from typing import Any, Final

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from polygon_streaming.errors import ConfigError
from polygon_streaming.settings import KafkaSettings

log = structlog.get_logger()
_LIBRARY_LOG: Final = logging.getLogger("librdkafka")

# Long enough for brokers to hand over, and so short that the transaction of a filter that has died
# is over, with the ten seconds after which brokers look for such, when its session is. Readers of
# committed records wait no longer for it, and not even so long if one with its transactional id
# comes back. A transaction that outlives it is aborted, and its holder fenced.
TRANSACTION_TIMEOUT_MS: Final = 30_000

# What exactly-once, order and the accounting of losses rest on.
_PRODUCER_RULES: Final[Mapping[str, Any]] = {
    "enable.idempotence": True,  # brings acks=all
    "delivery.report.only.error": True,
}
_PRODUCER_DEFAULTS: Final[Mapping[str, Any]] = {
    "compression.type": "lz4",
    "linger.ms": 5,
    # Java's default, so that other producers put a symbol on the same partition.
    "partitioner": "murmur2_random",
}
_CONSUMER_RULES: Final[Mapping[str, Any]] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "isolation.level": "read_committed",
    "partition.assignment.strategy": "cooperative-sticky",
}
_CONSUMER_DEFAULTS: Final[Mapping[str, Any]] = {
    "auto.offset.reset": "earliest",
    "fetch.wait.max.ms": 20,
    # How soon it finds a topic that was missing.
    "topic.metadata.refresh.interval.ms": 10_000,
    "session.timeout.ms": 10_000,
}


def producer(settings: KafkaSettings, rules: Mapping[str, Any]) -> Producer:
    """Return a producer; `rules` are the caller's.

    Raises:
        ConfigError: a property is wrong, or one of ours was overridden.
    """
    config = _config(settings, _PRODUCER_DEFAULTS, {**_PRODUCER_RULES, **rules})
    built: Producer = _build(Producer, config)
    return built


def consumer(
    settings: KafkaSettings, group: str, rules: Mapping[str, Any] | None = None
) -> Consumer:
    """Return a consumer of committed records whose offsets the caller commits.

    Raises:
        ConfigError: a property is wrong, or one of ours was overridden.
    """
    rules = {**_CONSUMER_RULES, **(rules or {}), "group.id": group}
    built: Consumer = _build(Consumer, _config(settings, _CONSUMER_DEFAULTS, rules))
    return built


def asker(settings: KafkaSettings, group: str = "polygon-stream") -> Consumer:
    """Return a client that asks: it joins no group, creates no topic and logs nothing.

    Args:
        settings: where the brokers are.
        group: of which group it asks for offsets.

    Raises:
        ConfigError: a property is wrong.
    """
    config = _config(settings, {}, {})
    del config["logger"]
    rules = {
        "group.id": group,
        "isolation.level": "read_committed",
        "allow.auto.create.topics": False,
        "error_cb": lambda _: None,
        "log_level": 0,
    }
    built: Consumer = _build(Consumer, {**config, **rules})
    return built


def _config(
    settings: KafkaSettings, defaults: Mapping[str, Any], rules: Mapping[str, Any]
) -> dict[str, Any]:
    fixed = sorted(set(settings.kafka) & set(rules))
    if fixed:
        raise ConfigError(f"kafka: {', '.join(fixed)} is set by this command. Take it out.")
    return {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": "polygon-stream",
        "error_cb": _on_error,
        # What it would write to stderr by itself. It comes when the client is polled.
        "logger": _LIBRARY_LOG,
        "reconnect.backoff.max.ms": 2_000,
        **defaults,
        **{name.strip(): value for name, value in settings.kafka.items()},
        **rules,
    }


def _build(kind: Any, config: dict[str, Any]) -> Any:
    try:
        return kind(config)
    except KafkaException as error:
        raise ConfigError(f"kafka: {error.args[0].str()}. Correct --kafka.") from None


def _on_error(error: KafkaError) -> None:
    log.warning("kafka", code=error.name(), reason=error.str(), state=f"kafka {error.name()}")

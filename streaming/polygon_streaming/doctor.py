"""The doctor: each part that a command needs, tried once, with what is wrong and the fix."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from clickhouse_connect.driver.exceptions import ClickHouseError
from confluent_kafka import KafkaException

from polygon_streaming import broker, clickhouse
from polygon_streaming.errors import StreamError
from polygon_streaming.rest import Rest
from polygon_streaming.rules import RulesFile
from polygon_streaming.settings import DoctorSettings
from polygon_streaming.sources import open_source
from polygon_streaming.watch import SubscriptionList

Check = Callable[[DoctorSettings], str]


def examine(settings: DoctorSettings) -> Iterator[tuple[str, bool, str]]:
    """Return the name of each check, whether it is well, and what was found."""
    for name, check in _CHECKS.items():
        try:
            yield name, True, check(settings)
        except StreamError as error:
            yield name, False, str(error)


def _key(settings: DoctorSettings) -> str:
    key = settings.api_key.get_secret_value()
    if not key:
        raise StreamError("There is no key. Set POLYGON_API_KEY.")
    Rest(settings.rest_url, key, 1_000).check_key()
    return f"{settings.rest_url} accepts the key"


def _subscriptions(settings: DoctorSettings) -> str:
    listed = SubscriptionList(open_source(settings.subscriptions, settings.s3_endpoint_url))
    listed.load()
    counts = [f"{len(listed.names(market))} {market}" for market in listed.markets()]
    return f"{settings.subscriptions}: {', '.join(counts)}"


def _rules(settings: DoctorSettings) -> str:
    RulesFile(settings.rules, 60)
    return f"{settings.rules or 'none: every bar passes'}"


def _kafka(settings: DoctorSettings) -> str:
    admin = broker.admin(settings)
    try:
        found = admin.list_topics(timeout=10)
    except KafkaException as error:
        raise StreamError(
            f"{settings.bootstrap_servers} cannot be asked: {error.args[0].str()}. Check "
            "--bootstrap-servers, and security.protocol and sasl.* in --kafka."
        ) from None
    wanted = [
        settings.raw_topic,
        settings.filtered_topic,
        settings.dead_letter_topic,
        settings.gaps_topic,
    ]
    missing = [topic for topic in wanted if topic not in found.topics]
    if missing:
        raise StreamError(
            f"{len(found.brokers)} brokers; missing topics: {', '.join(missing)}. Create them, "
            "unless the brokers create topics on first use."
        )
    counts = [f"{topic} has {len(found.topics[topic].partitions)}" for topic in wanted[:2]]
    return f"{len(found.brokers)} brokers; partitions: {', '.join(counts)}"


def _clickhouse(settings: DoctorSettings) -> str:
    if not settings.clickhouse:
        return "left out; give --clickhouse to check it"
    password = settings.clickhouse_password.get_secret_value()
    client = clickhouse.connect(settings.clickhouse, password)
    try:
        version = client.command("SELECT version()")
        exists = client.command(f"EXISTS TABLE {settings.table}")
    except ClickHouseError as error:
        raise clickhouse.refusal(error) from None
    finally:
        client.close()
    there = "is there" if int(exists) else "is missing; the sink creates it"
    return f"version {version}; table {settings.table} {there}"


_CHECKS: dict[str, Check] = {
    "key": _key,
    "subscriptions": _subscriptions,
    "rules": _rules,
    "kafka": _kafka,
    "clickhouse": _clickhouse,
}

"""The doctor: each part that the commands need, tried once, with what is wrong and the fix.

The parts are tried at the same time, each in a thread of its own and for so many seconds, so that
one which does not answer does not hide the others. What is found is told as it is found.
"""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Final

import urllib3
from clickhouse_connect.driver.exceptions import ClickHouseError
from confluent_kafka import Consumer, KafkaException

from polygon_streaming.backfill import days
from polygon_streaming.backfill.bucket import Bucket
from polygon_streaming.backfill.kinds import BARS, Dataset
from polygon_streaming.counted import counted
from polygon_streaming.errors import StreamError
from polygon_streaming.filter.quotes import QuoteRecord
from polygon_streaming.filter.records import Record
from polygon_streaming.filter.rules import RulesFile
from polygon_streaming.filter.trades import TradeRecord
from polygon_streaming.gaps.rest import Rest
from polygon_streaming.kafka import clients
from polygon_streaming.kafka.leaders import faults_of_leaders
from polygon_streaming.settings import DoctorSettings
from polygon_streaming.sink import clickhouse
from polygon_streaming.subscriptions.live import SubscriptionList
from polygon_streaming.subscriptions.sources import open_source

Check = Callable[[DoctorSettings], str]
Finding = tuple[str, bool, str]

_LONGEST_SECONDS: Final = 15.0
_KAFKA_SECONDS: Final = 8.0
_LEADERS_SECONDS: Final = 5.0
_NO_RETRIES: Final = urllib3.Retry(total=0)
_LATELY: Final = timedelta(days=10)
_TIMEOUT: Final = urllib3.Timeout(connect=5, read=8)


def examine(
    settings: DoctorSettings, longest_seconds: float = _LONGEST_SECONDS
) -> Iterator[Finding]:
    """Return the name of each check, whether it is well, and what was found, as they end."""
    findings: SimpleQueue[Finding] = SimpleQueue()
    for name, check in _CHECKS.items():
        # A look-up of a host's name cannot be interrupted: the thread is left behind.
        Thread(target=_try, args=(name, check, settings, findings), daemon=True).start()
    deadline = time.monotonic() + longest_seconds
    waiting = list(_CHECKS)
    while waiting:
        try:
            finding = findings.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            break
        waiting.remove(finding[0])
        yield finding
    for name in waiting:
        where = _PLACES[name](settings)
        yield (
            name,
            False,
            f"{where} has not answered within {longest_seconds:.0f} s. Check the name, the "
            "network and the firewall.",
        )


def _try(name: str, check: Check, settings: DoctorSettings, findings: SimpleQueue[Finding]) -> None:
    try:
        findings.put((name, True, check(settings)))
    except StreamError as error:
        findings.put((name, False, str(error)))
    except Exception as error:  # noqa: BLE001 - whatever it is, the other checks are told
        findings.put((name, False, f"{type(error).__name__}: {error}"))


def _key(settings: DoctorSettings) -> str:
    key = settings.api_key.get_secret_value()
    if not key:
        raise StreamError("There is no key. Set POLYGON_API_KEY.")
    at_once = urllib3.PoolManager(timeout=_TIMEOUT, retries=_NO_RETRIES)
    Rest(settings.rest_url, key, 1_000, http=at_once).check_key()
    return f"{settings.rest_url} accepts the key"


def _subscriptions(settings: DoctorSettings) -> str:
    listed = SubscriptionList(open_source(settings.subscriptions, settings.s3_endpoint_url))
    listed.load()
    counts = [f"{len(listed.names(market))} {market}" for market in listed.markets()]
    return f"{settings.subscriptions}: {', '.join(counts)}"


def _rules(settings: DoctorSettings) -> str:
    RulesFile(settings.rules, 60)
    return f"{settings.rules or 'no file is named: every event passes'}"


def _kafka(settings: DoctorSettings) -> str:
    client = clients.asker(settings)
    client.poll(0)  # serves its callbacks, which some ways to log in need
    try:
        return _topics(settings, client)
    finally:
        client.close()


def _topics(settings: DoctorSettings, client: Consumer) -> str:
    try:
        found = client.list_topics(timeout=_KAFKA_SECONDS)
    except KafkaException as error:
        raise StreamError(
            f"{settings.bootstrap_servers} cannot be asked: {error.args[0].str()}. Check "
            "--bootstrap-servers, and security.protocol and sasl.* in --kafka."
        ) from None
    brokers = counted(len(found.brokers), "broker")
    uses = {
        settings.raw_topic: "feed and heal write, filter reads",
        **dict.fromkeys(settings.targets.values(), "filter writes, sink reads"),
        settings.dead_letter_topic: "feed and filter write",
        settings.gaps_topic: "feed and filter write, heal reads",
    }
    missing = [f"{topic} ({use})" for topic, use in uses.items() if topic not in found.topics]
    if missing:
        raise StreamError(
            f"{brokers}; missing topics: {'; '.join(missing)}. Create them, "
            "unless the brokers create topics on first use."
        )
    broken = [f"{topic}: {e.str()}" for topic in uses if (e := found.topics[topic].error)]
    broken += [
        f"{topic} has no leader for partition {place.id}"
        for topic in uses
        for place in found.topics[topic].partitions.values()
        if place.leader < 0
    ]
    if not broken:
        places = {topic: list(found.topics[topic].partitions) for topic in uses}
        try:
            broken = faults_of_leaders(client, places, _LEADERS_SECONDS)
        except KafkaException as error:
            broken = [f"not all leaders of partitions answer: {error.args[0].str()}"]
    if broken:
        raise StreamError(f"{brokers}; {'; '.join(broken)}.")
    counts = [f"{topic} has {len(found.topics[topic].partitions)}" for topic in uses]
    return f"{brokers}; partitions: {', '.join(counts)}"


def _clickhouse(settings: DoctorSettings) -> str:
    if not settings.clickhouse:
        return "left out; give --clickhouse to check it"
    password = settings.clickhouse_password.get_secret_value()
    client = clickhouse.connect(settings.clickhouse, password)
    tables = settings.tables
    try:
        version = client.command("SELECT version()")
        there = [t for t in tables.values() if int(client.command(f"EXISTS TABLE {t}"))]
        faults = [
            f"table {tables[kind]} has no {', '.join(missing)}"
            for kind, record in _RECORDS.items()
            if tables[kind] in there and (missing := _missing_columns(client, tables[kind], record))
        ]
    except ClickHouseError as error:
        raise clickhouse.refusal(error) from None
    finally:
        client.close()
    if faults:
        # The sink would leave them out without a word.
        raise StreamError(
            f"version {version}; {'; '.join(faults)}. Add the columns, or name another "
            "--table, --trades-table or --quotes-table."
        )
    found = [
        f"table {table} is there"
        if table in there
        else f"table {table} is missing; the sink creates it"
        for table in tables.values()
    ]
    return f"version {version}; {'; '.join(found)}"


def _flat_files(settings: DoctorSettings) -> str:
    if not settings.flat_files_access_key_id.get_secret_value():
        return "left out; set POLYGON_FLAT_FILES_ACCESS_KEY_ID and its secret to check it"
    bucket, stocks, last = Bucket(settings), Dataset(BARS, "stocks"), days.today()
    listed = bucket.listed(stocks, last - _LATELY, last)
    where = f"{settings.flat_files_endpoint}/{settings.flat_files_bucket}"
    if not listed:
        raise StreamError(f"{where} has no minute bars of stocks of the last days. Is it a mirror?")
    newest = max(listed)
    bucket.look(stocks, newest)
    return f"{where} lists and gives; the newest minute bars of stocks are of {newest}"


def _missing_columns(client: Any, table: str, record: type[Any]) -> list[str]:
    there = {row[0] for row in client.query(f"DESCRIBE TABLE {table}").result_rows}
    return [name for name in record.__struct_fields__ if name not in there]


_RECORDS: Final = {"bars": Record, "trades": TradeRecord, "quotes": QuoteRecord}
_CHECKS: Final[dict[str, Check]] = {
    "key": _key,
    "subscriptions": _subscriptions,
    "rules": _rules,
    "kafka": _kafka,
    "clickhouse": _clickhouse,
    "flat_files": _flat_files,
}
_PLACES: Final[dict[str, Callable[[DoctorSettings], str]]] = {
    "key": lambda settings: settings.rest_url,
    "subscriptions": lambda settings: settings.subscriptions,
    "rules": lambda settings: str(settings.rules),
    "kafka": lambda settings: settings.bootstrap_servers,
    "clickhouse": lambda settings: settings.clickhouse.rpartition("@")[2],
    "flat_files": lambda settings: settings.flat_files_endpoint,
}

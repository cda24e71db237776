"""The sink: the filtered topic into ClickHouse, at least once, in batches.

For local use and tests; in production the official Kafka Connect sink does this. Offsets are
committed after the insert, so a crash repeats a batch, and the table's key absorbs it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib.resources import files
from threading import Event
from typing import Any, Final

import clickhouse_connect
import structlog
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError
from confluent_kafka import Consumer, KafkaException, Message

from polygon_streaming import broker, metrics
from polygon_streaming.errors import ConfigError, StreamError
from polygon_streaming.settings import SinkSettings
from polygon_streaming.status import Health

log = structlog.get_logger()

_POLL_SECONDS: Final = 0.2
_TRIES: Final = 6
_INSERT_SETTINGS: Final = {
    "input_format_skip_unknown_fields": 1,
    "input_format_null_as_default": 1,
}


def connect(address: str, password: str) -> Any:
    """Return a ClickHouse client for an http(s) address, or for `chdb:DIRECTORY`.

    Raises:
        ConfigError: it cannot be reached.
    """
    try:
        if address.startswith("chdb:") and not address.startswith("chdb://"):
            return clickhouse_connect.get_client(interface="chdb", path=address[5:])
        extra: dict[str, Any] = {"password": password} if password else {}
        return clickhouse_connect.get_client(dsn=address, **extra)
    except (ClickHouseError, ImportError, ValueError) as error:
        raise ConfigError(
            f"clickhouse: {_first_line(error)}. Give http://user@host:port/database, or "
            "chdb:DIRECTORY with the package's extra [demo]."
        ) from None


def table_statement(table: str) -> str:
    """Return the statement that creates the table."""
    text = (files("polygon_streaming") / "stock_aggregates.sql").read_text(encoding="utf-8")
    return text.replace("{table}", table)


class Sink:
    """Consumes the filtered topic and inserts it."""

    def __init__(self, settings: SinkSettings, health: Health | None = None) -> None:
        """Connect to ClickHouse and create the table if that is wanted.

        Raises:
            ConfigError: ClickHouse or a Kafka property is wrong.
        """
        self._settings = settings
        self._health = health
        password = settings.clickhouse_password.get_secret_value()
        self._clickhouse = connect(settings.clickhouse, password)
        if settings.create_table:
            self._clickhouse.command(table_statement(settings.table))
        self._consumer: Consumer = broker.consumer(settings, settings.group)
        self._ready = False

    def run(self, stop: Event) -> None:
        """Insert until `stop` is set, then insert what has been read.

        Raises:
            StreamError: ClickHouse or Kafka refuses. Nothing is lost: the next start repeats it.
        """
        self._consumer.subscribe([self._settings.filtered_topic])
        log.info("sinking", source=self._settings.filtered_topic, table=self._settings.table)
        try:
            while not stop.is_set():
                batch = self._collect(stop)
                if batch:
                    self._insert(batch)
                    self._consumer.commit(asynchronous=False, offsets=self._positions())
        except KafkaException as error:
            raise StreamError(f"Kafka: {error.args[0].str()}.") from error
        finally:
            self._consumer.close()
            self._clickhouse.close()
        log.info("stopped")

    def problems(self) -> list[str]:
        """Return why the sink is not ready; nothing if it is."""
        return [] if self._ready else ["kafka: no partition is assigned"]

    def _collect(self, stop: Event) -> list[Message]:
        batch: list[Message] = []
        deadline = time.monotonic() + self._settings.batch_seconds
        while len(batch) < self._settings.batch_records and time.monotonic() < deadline:
            if self._health is not None:
                self._health.beat()
            room = self._settings.batch_records - len(batch)
            for message in self._consumer.consume(room, _POLL_SECONDS):
                error = message.error()
                if error is None:
                    batch.append(message)
                elif broker.is_fatal(error):
                    raise KafkaException(error)
                else:
                    log.warning("consumer", reason=error.str())
            self._ready = bool(self._consumer.assignment())
            if stop.is_set():
                break
        return batch

    def _insert(self, batch: Sequence[Message]) -> None:
        rows = b"\n".join(value for value in (m.value() for m in batch) if value)
        began = time.monotonic()
        for attempt in range(1, _TRIES + 1):
            try:
                self._clickhouse.raw_insert(
                    self._settings.table,
                    insert_block=rows,
                    fmt="JSONEachRow",
                    settings=_INSERT_SETTINGS,
                )
                break
            except OperationalError as error:
                self._give_up_or_wait(attempt, batch, error)
            except ClickHouseError as error:
                self._give_up_or_wait(_TRIES, batch, error)
        metrics.inserts.labels("inserted").inc()
        metrics.inserted.inc(len(batch))
        metrics.insert_seconds.observe(time.monotonic() - began)

    def _give_up_or_wait(
        self, attempt: int, batch: Sequence[Message], error: ClickHouseError
    ) -> None:
        metrics.inserts.labels("failed").inc()
        reason = _first_line(error)
        if attempt >= _TRIES:
            first, last = batch[0], batch[-1]
            raise StreamError(
                f"ClickHouse refuses {len(batch)} records, from {_place(first)} to {_place(last)}: "
                f"{reason}"
            ) from error
        log.warning("insert failed", reason=reason, attempt=attempt)
        time.sleep(min(2.0**attempt, 15.0))

    def _positions(self) -> list[Any]:
        positions = self._consumer.position(self._consumer.assignment())
        return [position for position in positions if position.offset >= 0]


def _place(message: Message) -> str:
    return f"{message.topic()}[{message.partition()}]@{message.offset()}"


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:500]

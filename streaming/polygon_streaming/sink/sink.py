"""The sink: the clean records into ClickHouse, at least once, in batches; a table for each kind.

For local use and tests; in production the official Kafka Connect sink does this. Offsets are
committed after the insert, so a crash repeats a batch, and the table's key absorbs it.
"""

import time
from collections.abc import Sequence
from threading import Event
from typing import Final

import structlog
from clickhouse_connect.driver.exceptions import ClickHouseError
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from polygon_streaming.counted import counted
from polygon_streaming.errors import StreamError
from polygon_streaming.kafka import lag
from polygon_streaming.kafka.errors import ends_consumer
from polygon_streaming.kafka.watch import BrokerWatch
from polygon_streaming.process import metrics
from polygon_streaming.process.heartbeat import Heartbeat
from polygon_streaming.settings import SinkSettings
from polygon_streaming.sink import clickhouse
from polygon_streaming.sink.clients import SinkClients

log = structlog.get_logger()

_POLL_SECONDS: Final = 0.2
_LAG_SECONDS: Final = 5.0
# Between the tries of an insert; `clickhouse` has how long they may take together.
_PAUSES: Final = (2.0, 4.0, 8.0, 15.0, 15.0)
INSERT_SETTINGS: Final = {
    "input_format_skip_unknown_fields": 1,
    "input_format_null_as_default": 1,
    # Bars of very many months at once, such as healed ones, are unusual and no reason to refuse.
    "max_partitions_per_insert_block": 0,
}
"""Of every insert of clean records, in ClickHouse's names."""


class Sink:
    """Consumes the topics of clean records and inserts them."""

    def __init__(
        self, settings: SinkSettings, clients: SinkClients, pauses: Sequence[float] = _PAUSES
    ) -> None:
        """Prepare to insert; create the tables if that is wanted.

        Args:
            settings: what goes where.
            clients: see there.
            pauses: seconds between the tries of an insert that may pass; one more try than these.

        Raises:
            ConfigError: ClickHouse does not let this user create them.
            StreamError: ClickHouse cannot be reached now.
        """
        self.heartbeat = Heartbeat()
        self._settings = settings
        self._pauses = pauses
        self._consumer, self._commits, self._clickhouse, watcher = clients
        if settings.create_table:
            try:
                for kind, table in settings.tables.items():
                    self._clickhouse.command(clickhouse.table_statement(table, kind))
            except ClickHouseError as error:
                raise clickhouse.refusal(error) from None
        topics = settings.targets
        self._tables = {topics[kind]: table for kind, table in settings.tables.items()}
        self._watch = BrokerWatch(watcher, list(self._tables), self.heartbeat.beat)
        self._ready = False
        self._lag_due = 0.0

    def run(self, stop: Event) -> None:
        """Insert until `stop` is set, then insert what has been read.

        Raises:
            StreamError: ClickHouse or Kafka refuses. Nothing is lost: the next start repeats it.
        """
        self._consumer.subscribe(
            list(self._tables),
            on_revoke=self._on_revoke,
            on_lost=self._on_revoke,
        )
        log.info("sinking", **self._tables)
        try:
            with self._watch:
                self._go_round(stop)
        except KafkaException as error:
            raise StreamError(f"Kafka: {error.args[0].str()}.") from error
        finally:
            self._consumer.close()
            self._clickhouse.close()
        log.info("stopped")

    def problems(self) -> list[str]:
        """Return why the sink is not ready; nothing if it is."""
        found = self._watch.problems()
        if not self._ready:
            found.append("kafka: no partition is assigned")
        return found + self._commits.problems()

    def _go_round(self, stop: Event) -> None:
        while not stop.is_set():
            batch = self._collect(stop)
            if batch:
                self._insert(batch, stop)
                self._commits.inserted(batch)
            self._commits.ask(self._consumer)
        self._commits.finish(self._consumer)

    def _collect(self, stop: Event) -> list[Message]:
        batch: list[Message] = []
        deadline = time.monotonic() + self._settings.batch_seconds
        while len(batch) < self._settings.batch_records and time.monotonic() < deadline:
            self.heartbeat.beat()
            room = self._settings.batch_records - len(batch)
            for message in self._consumer.consume(room, _POLL_SECONDS):
                error = message.error()
                if error is None:
                    batch.append(message)
                elif ends_consumer(error):
                    raise KafkaException(error)
                else:
                    log.warning("consumer", reason=error.str(), state=f"consumer {error.name()}")
            self._note_lag()
            if stop.is_set():
                break
        return batch

    def _note_lag(self) -> None:
        if time.monotonic() >= self._lag_due:
            self._ready = lag.note(self._consumer, metrics.sink_lag)
            # Until there are partitions it looks again each time.
            self._lag_due = time.monotonic() + (_LAG_SECONDS if self._ready else 0.0)

    def _on_revoke(self, _consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        self._lag_due = 0.0
        # Another member now reports the partitions that went.
        metrics.sink_lag.clear()

    def _insert(self, batch: Sequence[Message], stop: Event) -> None:
        """Insert a batch: all of a topic at once, and the next topic once that is done."""
        attempt = 1
        for topic, table in self._tables.items():
            some = [message for message in batch if message.topic() == topic]
            while some and not self._try(table, some, attempt, stop):
                attempt += 1

    def _try(self, table: str, batch: Sequence[Message], attempt: int, stop: Event) -> bool:
        rows = b"\n".join(value for value in (m.value() for m in batch) if value)
        began = time.monotonic()
        self.heartbeat.beat()
        try:
            self._clickhouse.raw_insert(
                table, insert_block=rows, fmt="JSONEachRow", settings=INSERT_SETTINGS
            )
        except ClickHouseError as error:
            self._give_up_or_wait(attempt, batch, error, stop)
            return False
        metrics.inserts.labels("inserted").inc()
        metrics.inserted.inc(len(batch))
        metrics.insert_seconds.observe(time.monotonic() - began)
        return True

    def _give_up_or_wait(
        self, attempt: int, batch: Sequence[Message], error: ClickHouseError, stop: Event
    ) -> None:
        metrics.inserts.labels("failed").inc()
        reason = clickhouse.in_short(error)
        passing = clickhouse.is_passing(error)
        if passing and attempt <= len(self._pauses):
            log.warning("insert failed", reason=reason, attempt=attempt)
            if not stop.wait(self._pauses[attempt - 1]):
                return
        verb = "does not take" if passing else "refuses"
        raise StreamError(
            f"ClickHouse {verb} {counted(len(batch), 'record')}, from {_place(batch[0])} to "
            f"{_place(batch[-1])}: {reason} Their offsets are not committed; the next start reads "
            "them again."
        ) from error


def _place(message: Message) -> str:
    return f"{message.topic()}[{message.partition()}]@{message.offset()}"

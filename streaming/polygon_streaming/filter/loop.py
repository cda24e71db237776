"""The filter: raw events in, clean records out, exactly once.

What a batch of events becomes (records, dead letters, likely gaps) and how far the group has read
commit in one Kafka transaction. A crash before the commit leaves nothing visible, and the next
filter reads the batch again; a filter that was replaced while it hung is fenced off by the brokers.

Consumers of the filtered topic must read `read_committed`. Java's default is not.
"""

import time
from collections.abc import Sequence
from threading import Event
from typing import Final

import structlog
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from polygon_streaming.errors import StreamError
from polygon_streaming.filter.clients import FilterClients, explain
from polygon_streaming.filter.offsets import Places
from polygon_streaming.filter.output import Output
from polygon_streaming.filter.refine import Refinery
from polygon_streaming.filter.rules import RulesFile
from polygon_streaming.filter.takeover import Takeover
from polygon_streaming.kafka import lag
from polygon_streaming.kafka.errors import ends_consumer, spoils_transaction
from polygon_streaming.kafka.retry import DRAIN_SECONDS, Patience
from polygon_streaming.process import metrics
from polygon_streaming.process.heartbeat import Heartbeat
from polygon_streaming.settings import FilterSettings

log = structlog.get_logger()

# How long one call waits for the brokers. Those that can be resumed are made again until they are
# done, so for them it only says how soon a signal is noticed in between. Sending offsets can be
# repeated but not resumed, so it gets more time.
_OFFSETS_SECONDS: Final = 30.0
_ANSWER_SECONDS: Final = 3.0
_LAG_SECONDS: Final = 5.0
# A transaction takes a fraction of a second.
_SLOW_SECONDS: Final = 5.0
# What aborts a transaction may do so again at once.
_LONGEST_PAUSE_SECONDS: Final = 5.0


class Filter:
    """One task of the filter; others of the same group share the partitions with it."""

    def __init__(
        self,
        settings: FilterSettings,
        clients: FilterClients,
        heartbeat: Heartbeat | None = None,
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        """Prepare a filter.

        Args:
            settings: see there.
            clients: its own, which it closes.
            heartbeat: is beaten while it lives.
            drain_seconds: how long it waits for brokers that do not answer once it is to stop.

        Raises:
            ConfigError: the rules are wrong.
        """
        self._settings = settings
        self.heartbeat = heartbeat or Heartbeat()
        self._rules = RulesFile(settings.rules, settings.reload_seconds)
        self.producer, self._consumer, self._asker = clients
        self._output = Output(settings, self.producer)
        self._refinery = Refinery(settings.targets, self._rules, self._output)
        self._places = Places(self._consumer, self._asker)
        self._takeover = Takeover(self._places.ask)
        self._assigned = False
        self._unreadable_in_a_row = 0
        self._lag_due = 0.0
        self._transaction_since = 0.0
        self._aborted: list[str] = []
        self._stop = Event()
        self._drain_seconds = drain_seconds
        self._patience = self._new_patience()

    def run(self, stop: Event) -> None:
        """Filter until `stop` is set.

        Raises:
            Fenced: another filter has taken over, or a transaction outlived its time.
            StreamError: Kafka refuses. In both cases the next start goes on where this one ended.
        """
        self._stop = stop
        self._patience = self._new_patience()
        try:
            self._start()
            while not stop.is_set():
                self.heartbeat.beat()
                self.producer.poll(0)  # serves its errors and logs, which else come with commits
                self._rules.refresh()
                self._begin_partitions()
                messages = self._consumer.consume(
                    self._settings.batch_records, self._settings.linger_ms / 1000 or 0.001
                )
                self._note_lag()
                records = self._records(messages)
                if records:
                    self._process(records)
                # Their memory is for the next ones, which else would lie beside them.
                del messages, records
        except KafkaException as error:
            raise explain(error.args[0], self._settings) from error
        finally:
            self._takeover.close()
            self._asker.close()
            self._consumer.close()
        log.info("stopped")

    def problems(self) -> list[str]:
        """Return why the filter is not ready; nothing if it is. May be called in any thread."""
        found = self._takeover.problems()
        if not self._assigned and not found:
            found.append("kafka: no partition is assigned")
        since = self._transaction_since
        seconds = time.monotonic() - since if since else 0.0
        if seconds > _SLOW_SECONDS:
            found.append(f"kafka: a transaction has not ended for {seconds:.0f} s")
        aborted = self._aborted
        if len(aborted) > 1:
            found.append(f"kafka: {len(aborted)} transactions aborted in a row: {aborted[-1]}")
        return found

    def _new_patience(self) -> Patience:
        return Patience(self._stop, self.producer, self.heartbeat.beat, self._drain_seconds)

    def _start(self) -> None:
        self._patience.until_done(lambda: self.producer.init_transactions(_ANSWER_SECONDS))
        # The callbacks run inside `consume`, so no transaction is open across a rebalance.
        self._consumer.subscribe(
            [self._settings.raw_topic],
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_revoke,
        )
        log.info("filtering", source=self._settings.raw_topic, **self._settings.targets)

    def _process(self, messages: Sequence[Message]) -> None:
        """Put a batch through one transaction; on an abort, go back to where it began."""
        began = self._transaction_since = time.monotonic()
        self.producer.begin_transaction()
        try:
            for gap in self._places.gaps_before(messages):
                self._output.gap(gap)
            self._places.note(messages)
            refined = self._refinery.refine(messages, self._unreadable_in_a_row)
            self._check_limit(refined.unreadable_in_a_row)
            self._commit()
        except KafkaException as error:
            cause = error.args[0]
            if not spoils_transaction(cause):
                raise
            self._abort(cause)
            return
        self._transaction_since = 0.0
        self._aborted = []
        self._output.committed()
        self._places.committed()
        self._unreadable_in_a_row = refined.unreadable_in_a_row
        metrics.transactions.labels("committed").inc()
        metrics.transaction_seconds.observe(time.monotonic() - began)
        received = self._places.received_ms.get(messages[0].partition())
        if received is not None:
            metrics.filter_age.observe(max(0.0, time.time() - received / 1000))
        metrics.filtered.labels("kept").inc(refined.kept)
        metrics.filtered.labels("dropped").inc(refined.dropped)
        metrics.filtered.labels("dead_lettered").inc(refined.unreadable)

    def _commit(self) -> None:
        offsets = self._places.offsets()
        group = self._consumer.consumer_group_metadata()
        self._patience.until_done(
            lambda: self.producer.send_offsets_to_transaction(offsets, group, _OFFSETS_SECONDS)
        )
        self._patience.until_done(lambda: self.producer.commit_transaction(_ANSWER_SECONDS))

    def _abort(self, cause: KafkaError) -> None:
        metrics.transactions.labels("aborted").inc()
        log.warning("transaction aborted", reason=cause.str(), state="transaction aborted")
        self._patience.until_done(lambda: self.producer.abort_transaction(_ANSWER_SECONDS))
        self._transaction_since = 0.0
        self._refinery.forget()
        self._patience.until_done(self._places.rewind)
        self._aborted = [*self._aborted[-99:], cause.str()]
        self._output.aborted(cause)
        self._stop.wait(min(0.05 * 2.0 ** len(self._aborted), _LONGEST_PAUSE_SECONDS))

    def _records(self, messages: list[Message]) -> list[Message]:
        """Return what is not an error of the consumer."""
        errors = [error for message in messages if (error := message.error()) is not None]
        if not errors:
            return messages
        for error in errors:
            if ends_consumer(error):
                raise KafkaException(error)
            log.warning("consumer", reason=error.str(), state=f"consumer {error.name()}")
        return [message for message in messages if message.error() is None]

    def _check_limit(self, in_a_row: int) -> None:
        limit = self._settings.dead_letter_limit
        if limit and in_a_row >= limit:
            self._patience.until_done(lambda: self.producer.abort_transaction(_ANSWER_SECONDS))
            raise StreamError(
                f"{in_a_row} unreadable records in a row: the format may have changed. Look at "
                f"{self._settings.raw_topic}; --dead-letter-limit 0 lets the filter go on."
            )

    def _begin_partitions(self) -> None:
        starts = self._takeover.known()
        if starts:
            self._consumer.incremental_assign(self._places.begin(starts))
            self._lag_due = 0.0
            log.info("partitions begun", partitions=[s.place.partition for s in starts])

    # Without the calls of `incremental_*` in them the library would make its own after these two.

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._on_change(partitions)
        self._takeover.add(partitions)
        consumer.incremental_assign([])

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._on_change(partitions)
        self._takeover.remove(partitions)
        begun = {place.partition for place in consumer.assignment()}
        consumer.incremental_unassign([p for p in partitions if p.partition in begun])

    def _on_change(self, partitions: list[TopicPartition]) -> None:
        self._refinery.forget()
        self._places.forget(place.partition for place in partitions)
        self._lag_due = 0.0
        # Another member now reports the partitions that went.
        metrics.lag.clear()
        log.info("partitions changed", partitions=[p.partition for p in partitions])

    def _note_lag(self) -> None:
        if time.monotonic() < self._lag_due:
            return
        self._lag_due = time.monotonic() + _LAG_SECONDS
        self._assigned = lag.note(self._consumer, metrics.lag)

"""The filter: raw events in, clean records out, exactly once.

What a batch of events becomes (records, dead letters, likely gaps) and how far the group has read
commit in one Kafka transaction. A crash before the commit leaves nothing visible, and the next
filter reads the batch again; a filter that was replaced while it hung is fenced off by the brokers.

Consumers of the filtered topic must read `read_committed`. Java's default is not.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from threading import Event
from typing import Any, Final

import msgspec
import structlog
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from polygon_streaming import broker, lag, metrics, reasons
from polygon_streaming.clean import Bar, Unreadable, clean, read
from polygon_streaming.errors import StreamError
from polygon_streaming.gaps import Gap
from polygon_streaming.jumps import VolumeWatch
from polygon_streaming.patience import Patience
from polygon_streaming.places import Places
from polygon_streaming.rules import RulesFile
from polygon_streaming.settings import FilterSettings
from polygon_streaming.status import Health

log = structlog.get_logger()

_FENCED: Final = (
    KafkaError._FENCED,
    KafkaError._FATAL,  # what a fenced producer says to every call but the one that found out
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.FENCED_INSTANCE_ID,
)
# While the group's coordinator restarts, librdkafka since 2.10 can wait in
# `send_offsets_to_transaction` for a connection that it has given up (its issue 5511). It looks for
# the coordinator anew when any other connection changes its state and what it remembers is too old:
# idle connections that are closed see to the former, a short memory to the latter.
_AWAKE: Final = {
    "connections.max.idle.ms": 10_000,
    "metadata.max.age.ms": 6_000,
    "topic.metadata.refresh.interval.ms": 2_000,
}
# How long one call waits for the brokers. Those that can be resumed are made again until they are
# done, so for them it only says how soon a signal is noticed in between. Sending offsets can be
# repeated but not resumed, so it gets more time.
_OFFSETS_SECONDS: Final = 30.0
_ANSWER_SECONDS: Final = 3.0
_SESSION_MS: Final = 45_000
_LAG_SECONDS: Final = 5.0


class Filter:
    """One task of the filter; others of the same group share the partitions with it."""

    def __init__(self, settings: FilterSettings, health: Health | None = None) -> None:
        """Prepare a filter.

        Raises:
            ConfigError: the rules or a Kafka property are wrong.
        """
        self._settings = settings
        self._health = health
        self._rules = RulesFile(settings.rules, settings.reload_seconds)
        self._encode = msgspec.json.Encoder().encode
        self._jumps = VolumeWatch()
        self._producer: Producer = broker.producer(
            settings,
            {
                "transactional.id": settings.transactional_id,
                "transaction.timeout.ms": broker.TRANSACTION_TIMEOUT_MS,
                # A transaction ends by a commit, which does not wait for lingering records.
                "linger.ms": 0 if settings.linger_ms < 5 else 5,
                **_AWAKE,
            },
        )
        # A static member that comes back takes up its partitions at once; the group would otherwise
        # wait for its session to time out, which after a crash is the longest part of a restart.
        # So the session may outlast the restart of a broker, after which such a member can find
        # itself fenced by its own second attempt to join.
        self._consumer: Consumer = broker.consumer(
            settings,
            settings.group,
            {
                "group.instance.id": settings.transactional_id,
                "session.timeout.ms": _SESSION_MS,
                # `Places` says where to begin. If the topic's retention overtakes a running filter,
                # it ends; the next one finds out what is missing.
                "auto.offset.reset": "error",
            },
        )
        self._places = Places(self._consumer)
        self._assigned = False
        self._unreadable_in_a_row = 0
        self._lag_due = 0.0
        self._patience = Patience(Event(), self._producer, self._beat)

    def run(self, stop: Event) -> None:
        """Filter until `stop` is set.

        Raises:
            StreamError: fenced, or Kafka refuses; the next start goes on where this one ended.
        """
        self._patience = Patience(stop, self._producer, self._beat)
        try:
            self._start()
            while not stop.is_set():
                self._beat()
                self._producer.poll(0)  # serves its errors and logs, which else come with commits
                self._rules.refresh()
                messages = self._consumer.consume(
                    self._settings.batch_records, self._settings.linger_ms / 1000 or 0.001
                )
                self._note_lag()
                good = [message for message in messages if self._is_record(message)]
                if good:
                    self._process(good)
        except KafkaException as error:
            raise StreamError(self._explain(error.args[0])) from error
        finally:
            self._consumer.close()
        log.info("stopped")

    def _beat(self) -> None:
        if self._health is not None:
            self._health.beat()

    def problems(self) -> list[str]:
        """Return why the filter is not ready; nothing if it is."""
        return [] if self._assigned else ["kafka: no partition is assigned"]

    def _start(self) -> None:
        self._patience.until_done(lambda: self._producer.init_transactions(_ANSWER_SECONDS))
        # The callbacks run inside `consume`, so no transaction is open across a rebalance.
        self._consumer.subscribe(
            [self._settings.raw_topic],
            on_assign=self._on_assign,
            on_revoke=self._on_change,
            on_lost=self._on_change,
        )
        log.info("filtering", source=self._settings.raw_topic, target=self._settings.filtered_topic)

    def _process(self, messages: Sequence[Message]) -> None:
        """Put a batch through one transaction; on an abort, go back to where it began."""
        began = time.monotonic()
        kept = dropped = unreadable = 0
        unreadable_in_a_row = self._unreadable_in_a_row
        received = self._places.received_ms
        self._producer.begin_transaction()
        try:
            for gap in self._places.gaps_before(messages):
                self._record(gap)
            for message in messages:
                received_ms = received[message.partition()] = message.timestamp()[1]
                try:
                    outcome = self._refine(message, received_ms)
                except Unreadable as reason:
                    unreadable += 1
                    unreadable_in_a_row += 1
                    self._dead_letter(message, str(reason))
                    continue
                unreadable_in_a_row = 0
                if outcome is None:
                    dropped += 1
                    continue
                kept += 1
                # The timestamp stays that of the receipt, so that lag tools see the whole way.
                self._produce(
                    self._settings.filtered_topic,
                    outcome,
                    message.key(),
                    timestamp=received_ms,
                )
            self._check_limit(unreadable_in_a_row)
            self._commit()
        except KafkaException as error:
            if not error.args[0].txn_requires_abort():
                raise
            self._abort(error.args[0])
            return
        self._places.committed()
        self._unreadable_in_a_row = unreadable_in_a_row
        metrics.transactions.labels("committed").inc()
        metrics.transaction_seconds.observe(time.monotonic() - began)
        metrics.filter_age.observe(max(0.0, time.time() - messages[0].timestamp()[1] / 1000))
        metrics.filtered.labels("kept").inc(kept)
        metrics.filtered.labels("dropped").inc(dropped)
        metrics.filtered.labels("dead_lettered").inc(unreadable)

    def _refine(self, message: Message, received_ms: int) -> bytes | None:
        """Return the clean record of a message as it leaves; None if it does not pass.

        Raises:
            Unreadable: it is no event.
        """
        bar = read(message.value())
        if bar is None:
            return None
        headers = dict(message.headers() or ())
        market = _text(headers.get("market"))
        if bar.ev == "A" and market == "stocks":
            self._watch_volume(bar)
        record = clean(bar, market, received_ms, "healed" in headers)
        judge = self._rules.judge
        if not judge.passes(record, int(bar.s)):
            return None
        if judge.fields is None:
            return self._encode(record)
        return self._encode({name: getattr(record, name) for name in judge.fields})

    def _watch_volume(self, bar: Bar) -> None:
        gap = self._jumps.see(bar)
        if gap is not None:
            self._record(gap)

    def _record(self, gap: Gap) -> None:
        reason = reasons.label(gap.reason, reasons.FILTER_GAPS)
        metrics.filter_gaps.labels(gap.market, reason).inc()
        names = list(gap.subscriptions)
        log.warning("gap", reason=gap.reason, subscriptions=names, state=f"gap {gap.reason}")
        self._produce(self._settings.gaps_topic, gap.encode(), gap.market)

    def _dead_letter(self, message: Message, reason: str) -> None:
        """Pass a message on untouched, with headers in the style of Kafka Connect (KIP-298)."""
        headers: list[tuple[str, Any]] = [
            *(message.headers() or ()),
            ("__connect.errors.topic", message.topic()),
            ("__connect.errors.partition", str(message.partition())),
            ("__connect.errors.offset", str(message.offset())),
            ("__connect.errors.stage", "VALUE_CONVERTER"),
            ("__connect.errors.exception.message", reason),
        ]
        self._produce(
            self._settings.dead_letter_topic, message.value(), message.key(), headers=headers
        )

    def _produce(self, topic: str, value: bytes | None, key: Any, **more: Any) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, **more)
                return
            except BufferError:
                self._producer.poll(0.05)

    def _commit(self) -> None:
        offsets = self._places.offsets()
        group = self._consumer.consumer_group_metadata()
        self._patience.until_done(
            lambda: self._producer.send_offsets_to_transaction(offsets, group, _OFFSETS_SECONDS)
        )
        self._patience.until_done(lambda: self._producer.commit_transaction(_ANSWER_SECONDS))

    def _abort(self, cause: KafkaError) -> None:
        metrics.transactions.labels("aborted").inc()
        log.warning("transaction aborted", reason=cause.str())
        self._patience.until_done(lambda: self._producer.abort_transaction(_ANSWER_SECONDS))
        self._jumps.reset()
        self._patience.until_done(self._places.rewind)

    def _is_record(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return True
        if broker.is_fatal(error) or error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise KafkaException(error)
        log.warning("consumer", reason=error.str(), state=f"consumer {error.name()}")
        return False

    def _check_limit(self, in_a_row: int) -> None:
        limit = self._settings.dead_letter_limit
        if limit and in_a_row >= limit:
            self._patience.until_done(lambda: self._producer.abort_transaction(_ANSWER_SECONDS))
            raise StreamError(
                f"{in_a_row} unreadable records in a row: the format may have changed. Look at "
                f"{self._settings.raw_topic}; --dead-letter-limit 0 lets the filter go on."
            )

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._on_change(consumer, partitions)
        consumer.incremental_assign(
            self._patience.until_done(lambda: self._places.resume(partitions))
        )

    def _on_change(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._jumps.reset()
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

    def _explain(self, error: KafkaError) -> str:
        if error.code() in _FENCED:
            return (
                "Fenced: another filter took over the transactional id "
                f"{self._settings.transactional_id!r}, or a transaction outlived its "
                f"{broker.TRANSACTION_TIMEOUT_MS // 1000} s. Give each running filter its own "
                "--transactional-id; in the other case a restart is all it takes."
            )
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            return (
                f"The next offset of group {self._settings.group!r} is not in "
                f"{self._settings.raw_topic}. If its retention has overtaken the filter, start it "
                "again: it goes on with what is left, and records what is missing as a gap. If the "
                "topic was created anew, reset the group: kafka-consumer-groups --reset-offsets."
            )
        return f"Kafka: {error.str()} ({error.name()})."


def _text(header: str | bytes | None) -> str:
    return header.decode(errors="replace") if isinstance(header, bytes) else header or ""

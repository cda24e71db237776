"""How far the sink has inserted, told to its group without waiting for the brokers.

A commit that is waited for may take as long as the brokers are away, and would keep the sink from a
signal and from its place in the group. Whatever fails here costs repetitions, which the table's key
absorbs, and no rows: offsets are never ahead of the table.
"""

import time
from collections.abc import Sequence
from typing import Final

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from polygon_streaming.kafka.errors import Meaning, meaning

log = structlog.get_logger()

_SLOW_SECONDS: Final = 5.0
_FINISH_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.1

_Partition = tuple[str, int]


class Commits:
    """What is inserted and not yet committed, by partition."""

    def __init__(self) -> None:
        self._due: dict[_Partition, int] = {}
        self._due_since = 0.0
        self._asked = False
        self._refusal: KafkaError | None = None

    def inserted(self, batch: Sequence[Message]) -> None:
        """Take note of records that are in the table."""
        self._due_since = self._due_since or time.monotonic()
        for message in batch:
            place = str(message.topic()), message.partition() or 0
            self._due[place] = (message.offset() or 0) + 1

    def ask(self, consumer: Consumer) -> None:
        """Ask for what is due to be committed, unless an earlier question waits for its answer.

        Raises:
            KafkaException: the brokers refuse in a way that does not pass.
        """
        if self._refusal is not None:
            raise KafkaException(self._refusal)
        if self._asked or not self._due:
            return
        owned = {(place.topic, place.partition) for place in consumer.assignment()}
        self._keep({place: offset for place, offset in self._due.items() if place in owned})
        if self._due:
            offsets = [TopicPartition(*place, offset) for place, offset in self._due.items()]
            consumer.commit(offsets=offsets, asynchronous=True)
            self._asked = True

    def answered(self, error: KafkaError | None, places: Sequence[TopicPartition]) -> None:
        """Take the answer; a callback of the consumer, which comes while it is polled."""
        self._asked = False
        errors = [e for e in (error, *(place.error for place in places)) if e is not None]
        if not errors:
            done = {(place.topic, place.partition): place.offset for place in places}
            self._keep({p: offset for p, offset in self._due.items() if done.get(p) != offset})
            return
        for each in errors:
            # Of an abort: others have the partitions, and read again what was not committed.
            if meaning(each) not in (Meaning.RETRY, Meaning.ABORT):
                self._refusal = each
        reason = errors[0].str()
        log.warning("not committed, to be tried again", reason=reason, state="not committed")

    def problems(self) -> list[str]:
        """Return for how long something has been due, if that is long. In any thread."""
        since = self._due_since
        seconds = time.monotonic() - since if since else 0.0
        if seconds <= _SLOW_SECONDS:
            return []
        return [f"kafka: offsets have not been committed for {seconds:.0f} s"]

    def finish(self, consumer: Consumer) -> None:
        """Wait a little for the last commit. What is read meanwhile counts for nothing."""
        deadline = time.monotonic() + _FINISH_SECONDS
        self.ask(consumer)
        while self._due and time.monotonic() < deadline:
            consumer.consume(1, _POLL_SECONDS)
            self.ask(consumer)
        if self._due:
            log.warning("rows will be repeated", reason="their offsets could not be committed")

    def _keep(self, due: dict[_Partition, int]) -> None:
        self._due = due
        if not due:
            self._due_since = 0.0

"""Where the filter goes on in each partition, and what Kafka had deleted before it got there.

With every offset the filter commits, as its metadata, when the record before it was received, in
milliseconds since 1970 UTC. A filter that comes back after the topic's retention has passed its
offset knows from it what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import structlog
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaException,
    Message,
    TopicPartition,
)

from polygon_streaming.gaps import Gap
from polygon_streaming.stamps import to_text

log = structlog.get_logger()

_ANSWER_SECONDS: Final = 5.0
# The bars of a delayed feed are older than their receipt, by 15 minutes; healing what is there
# already does no harm.
_OLDER_MS: Final = 900_000


class Places:
    """The places of one filter in the raw topic.

    Attributes:
        received_ms: by partition, when the last record was received that was read from it.
    """

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._deleted: dict[int, int] = {}
        self._ending: list[int] = []
        self.received_ms: dict[int | None, int] = {}

    def offsets(self) -> list[TopicPartition]:
        """Return what to commit for all that was read."""
        return [
            self._place(position)
            for position in self._consumer.position(self._consumer.assignment())
            if position.offset >= 0
        ]

    def rewind(self) -> None:
        """Go back to the committed offsets: what was read since then counts for nothing.

        Raises:
            KafkaException: the brokers do not answer; to be called again.
        """
        assignment = self._consumer.assignment()
        if not assignment:
            return
        for place in self._committed(assignment):
            offset = place.offset if place.offset >= 0 else OFFSET_BEGINNING
            self._consumer.seek(TopicPartition(place.topic, place.partition, offset))

    def resume(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Return where to go on in partitions that were assigned.

        Raises:
            KafkaException: the brokers do not answer; to be called again.
        """
        places = self._committed(partitions)
        return [TopicPartition(p.topic, p.partition, self._first_to_read(p)) for p in places]

    def gaps_before(self, messages: Iterable[Message]) -> list[Gap]:
        """Return the gaps that end with the first of these records of a partition."""
        first: dict[int, int] = {}
        if self._deleted:
            for message in messages:
                first.setdefault(message.partition() or 0, message.timestamp()[1])
        self._ending = [partition for partition in first if partition in self._deleted]
        return [self._gap(self._deleted[p], first[p]) for p in self._ending]

    def committed(self) -> None:
        """Take note that the gaps that `gaps_before` returned last are committed."""
        self.forget(self._ending)
        self._ending = []

    def forget(self, partitions: Iterable[int]) -> None:
        """Forget what was deleted of partitions: another filter finds it out for itself."""
        for partition in partitions:
            self._deleted.pop(partition, None)

    def _committed(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        places: list[TopicPartition] = self._consumer.committed(partitions, _ANSWER_SECONDS)
        for place in places:
            if place.error is not None:  # its offset then looks as if there were none
                raise KafkaException(place.error)
        return places

    def _first_to_read(self, place: TopicPartition) -> int:
        if place.offset < 0:
            return OFFSET_BEGINNING
        # The end is not asked for: a leader that is new may not know it yet, and whoever took an
        # offset beyond it for a topic created anew would read a week's records once more.
        low, _ = self._consumer.get_watermark_offsets(place, _ANSWER_SECONDS)
        if low <= place.offset:
            return place.offset
        metadata = place.metadata or ""
        until = int(metadata) if metadata.isdecimal() else 0
        self._deleted[place.partition] = until
        log.error(
            "records deleted before they were read",
            topic=place.topic,
            partition=place.partition,
            offset=place.offset,
            first_left=low,
            received_after=to_text(until) if until else "unknown",
            fix="keep the topic's records for longer; the gap can be healed",
        )
        return OFFSET_BEGINNING

    def _gap(self, until_ms: int, from_ms: int) -> Gap:
        return Gap(
            market="",
            start_ms=(until_ms or from_ms) - _OLDER_MS,
            end_ms=from_ms,
            reason="retention",
            subscriptions=(),
            feed="",
        )

    def _place(self, position: TopicPartition) -> TopicPartition:
        received_ms = self.received_ms.get(position.partition)
        if received_ms is None:
            return position
        return TopicPartition(position.topic, position.partition, position.offset, str(received_ms))

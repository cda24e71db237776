"""Where the filter goes on in each partition, and what Kafka had deleted before it got there.

With every offset the filter commits, as its metadata, when the record before it was received, in
milliseconds since 1970 UTC. A filter that comes back after the topic's retention has passed its
offset knows from it what is missing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaException,
    Message,
    TopicPartition,
)

from polygon_streaming.gaps.gap import Gap
from polygon_streaming.raw import received_ms
from polygon_streaming.stamps import is_instant, to_text

log = structlog.get_logger()

_ANSWER_SECONDS: Final = 3.0
# The bars of a delayed feed are older than their receipt, by 15 minutes; healing what is there
# already does no harm.
_OLDER_MS: Final = 900_000


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin in a partition.

    Attributes:
        place: the partition with the offset.
        read_until: when the record before it was received, in milliseconds since 1970 UTC; 0 if
            that is not known.
        deleted: whether records after that one were deleted before they were read.
    """

    place: TopicPartition
    read_until: int = 0
    deleted: bool = False


class Places:
    """The places of one filter in the raw topic.

    Attributes:
        received_ms: by partition, when the last record was received that was read from it.
    """

    def __init__(self, consumer: Consumer, asker: Consumer) -> None:
        """Prepare to keep places.

        Args:
            consumer: the filter's own.
            asker: another client of the same group, which is not a member of it. A consumer that
                asks for offsets of a transaction that has not ended reads nothing meanwhile.
        """
        self._consumer = consumer
        self._asker = asker
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
        for place in _committed(self._consumer, assignment):
            offset = place.offset if place.offset >= 0 else OFFSET_BEGINNING
            self._consumer.seek(TopicPartition(place.topic, place.partition, offset))
            self._set_received(place.partition, _instant(place.metadata))

    def ask(self, partition: TopicPartition) -> Start:
        """Return where to go on in a partition that was assigned. May be called in any thread.

        Raises:
            KafkaException: the brokers do not answer; to be called again.
        """
        (place,) = _committed(self._asker, [partition])
        beginning = TopicPartition(place.topic, place.partition, OFFSET_BEGINNING)
        if place.offset < 0:
            return Start(beginning)
        # The end is not asked for: a leader that is new may not know it yet, and whoever took an
        # offset beyond it for a topic created anew would read a week's records once more.
        low, _ = self._asker.get_watermark_offsets(place, _ANSWER_SECONDS)
        until = _instant(place.metadata)
        if low <= place.offset:
            return Start(TopicPartition(place.topic, place.partition, place.offset), until)
        log.error(
            "records deleted before they were read",
            topic=place.topic,
            partition=place.partition,
            offset=place.offset,
            first_left=low,
            received_after=to_text(until) if until else "unknown",
            fix="keep the topic's records for longer; the gap can be healed",
        )
        return Start(beginning, until, deleted=True)

    def begin(self, starts: Iterable[Start]) -> list[TopicPartition]:
        """Take note of where partitions begin; return what to assign."""
        places = []
        for start in starts:
            places.append(start.place)
            number = start.place.partition
            self._set_received(number, start.read_until)
            if start.deleted:
                self._deleted[number] = start.read_until
        return places

    def gaps_before(self, messages: Iterable[Message]) -> list[Gap]:
        """Return the gaps that end with the first of these records of a partition."""
        first: dict[int, int] = {}
        if self._deleted:
            for message in messages:
                received = received_ms(message)
                if received is not None:
                    first.setdefault(message.partition() or 0, received)
        self._ending = [partition for partition in first if partition in self._deleted]
        return [self._gap(self._deleted[p], first[p]) for p in self._ending]

    def note(self, messages: Sequence[Message]) -> None:
        """Take note of records that were read."""
        noted: set[int | None] = set()
        partitions = len(self._consumer.assignment())
        for message in reversed(messages):
            if len(noted) == partitions:
                return  # not one look at each of thousands
            partition = message.partition()
            if partition not in noted:
                received = received_ms(message)
                if received is not None:
                    self.received_ms[partition] = received
                    noted.add(partition)

    def committed(self) -> None:
        """Take note that the gaps that `gaps_before` returned last are committed."""
        self.forget(self._ending)
        self._ending = []

    def forget(self, partitions: Iterable[int]) -> None:
        """Forget what was deleted of partitions: another filter finds it out for itself."""
        for partition in partitions:
            self._deleted.pop(partition, None)

    def _set_received(self, partition: int, until_ms: int) -> None:
        if until_ms:
            self.received_ms[partition] = until_ms
        else:
            self.received_ms.pop(partition, None)

    def _gap(self, until_ms: int, from_ms: int) -> Gap:
        return Gap(
            market="",
            # Of clocks that disagree the earlier one is believed.
            start_ms=min(until_ms or from_ms, from_ms) - _OLDER_MS,
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


def _committed(consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
    places: list[TopicPartition] = consumer.committed(partitions, _ANSWER_SECONDS)
    for place in places:
        if place.error is not None:  # its offset then looks as if there were none
            raise KafkaException(place.error)
    return places


def _instant(metadata: str | None) -> int:
    """Return what an offset's metadata says; 0 if another program has written it."""
    text = metadata or ""
    ms = int(text) if text.isdecimal() and len(text) < 20 else 0
    return ms if is_instant(ms) else 0

"""The gaps topic, as a healer reads it: to its end, and never past a gap that is not healed."""

import time
from collections.abc import Callable, Iterator
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message

from polygon_streaming.errors import StreamError
from polygon_streaming.kafka.errors import ends_consumer

_JOIN_SECONDS: Final = 45.0
_ANSWER_SECONDS: Final = 10.0


class GapsReader:
    """Reads what its group has not healed.

    Attributes:
        total: how many records there were to read: for people, so an estimate will do.
    """

    def __init__(self, consumer: Consumer, topic: str) -> None:
        """Prepare to read; `consumer` tells the end of each partition."""
        self.total = 0
        self._consumer = consumer
        self._topic = topic
        self._kept: set[int] = set()

    def messages(self, before_each: Callable[[], None]) -> Iterator[Message]:
        """Return the gaps up to the end of each partition; `before_each` wait it may raise.

        Raises:
            KafkaException: Kafka refuses.
            StreamError: the group does not get the partitions; another healer may hold them.
        """
        self._consumer.subscribe([self._topic])
        at_end: set[int] = set()
        deadline = time.monotonic() + _JOIN_SECONDS
        while True:
            before_each()
            assigned = {place.partition for place in self._consumer.assignment()}
            if assigned and assigned <= at_end:
                return
            if not assigned and time.monotonic() > deadline:
                raise StreamError(f"{self._topic} is not assigned to this healer.")
            message = self._consumer.poll(0.5)
            if message is None:
                continue
            error = message.error()
            if error is None:
                self.total = self.total or self._left()
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                at_end.add(message.partition() or 0)
            elif ends_consumer(error):
                raise KafkaException(error)

    def done(self, message: Message, *, keep: bool) -> None:
        """Remember that a gap is healed, or that it is kept for the next run."""
        partition = message.partition() or 0
        if keep:
            self._kept.add(partition)
        # What comes after a gap that is kept is read again with it, and healed twice.
        if partition not in self._kept:
            self._consumer.commit(message=message, asynchronous=False)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _left(self) -> int:
        total = 0
        places = self._consumer.assignment()
        for place in self._consumer.committed(places, timeout=_ANSWER_SECONDS):
            low, high = self._consumer.get_watermark_offsets(place, timeout=_ANSWER_SECONDS)
            total += high - max(place.offset, low)
        return total

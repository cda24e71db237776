"""How far a feed has got, kept in Kafka, so that its next start knows what it missed.

The instant lies in the metadata of a committed offset, in a consumer group of the feed's own, where
Kafka Streams keeps its stream time as well. No topic, file or disk is needed for it.
"""

import asyncio
from collections import deque
from typing import Final

import msgspec
import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from polygon_streaming.errors import StreamError
from polygon_streaming.feed.pause import pause
from polygon_streaming.kafka.errors import ends_consumer
from polygon_streaming.stamps import EARLIEST_MS, LATEST_MS

log = structlog.get_logger()

# Partitions are not acknowledged in step. After a crash the gap starts this much early; healing
# what is there already does no harm.
_MARGIN_MS: Final = 60_000
# A stop has to wait for this call, which cannot be interrupted.
_LOAD_SECONDS: Final = 10.0
_ASK_AGAIN_SECONDS: Final = 1.0


class Reached(msgspec.Struct):
    """Everything received up to `until_ms` is in Kafka; `clean` says the feed ended in order."""

    until_ms: int
    clean: bool


_NOTHING: Final = Reached(until_ms=0, clean=True)


class Progress:
    """Loads and stores how far one feed of one market has got."""

    def __init__(self, consumer: Consumer, topic: str) -> None:
        self._consumer = consumer
        self._topic = topic
        self._marks: deque[tuple[int, int]] = deque(maxlen=600)
        self._delivered_until = 0
        self._stored = 0

    def load(self) -> int | None:
        """Return up to when the feed's predecessor is known to have delivered; None if unknown.

        Raises:
            KafkaException: the brokers cannot be asked.
        """
        (found,) = self._consumer.committed([TopicPartition(self._topic, 0)], timeout=_LOAD_SECONDS)
        unknown = KafkaError.UNKNOWN_TOPIC_OR_PART
        if found.error is not None and found.error.code() != unknown:
            raise KafkaException(found.error)
        if not found.metadata:
            return None
        try:
            reached = msgspec.json.decode(found.metadata, type=Reached)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        if not EARLIEST_MS <= reached.until_ms <= LATEST_MS:
            return None  # forgotten, or written by somebody else
        self._stored = reached.until_ms if reached.clean else reached.until_ms - _MARGIN_MS
        return self._stored

    async def predecessor(self, market: str, stopping: asyncio.Event) -> int | None:
        """Return the same once the brokers can be asked; None too if `stopping` was set before.

        Raises:
            StreamError: the brokers refuse to say.
        """
        while not stopping.is_set():
            try:
                return await asyncio.to_thread(self.load)
            except KafkaException as error:
                reason: KafkaError = error.args[0]
                if ends_consumer(reason):
                    raise StreamError(
                        f"Kafka cannot be asked for the feed's progress: {reason.str()}."
                    ) from None
                log.error(
                    "progress not known yet",
                    market=market,
                    reason=reason.str(),
                    state=f"progress {market}",
                )
            await pause(stopping, _ASK_AGAIN_SECONDS)
        return None

    def mark(self, until_ms: int, produced: int, outstanding: int) -> None:
        """Note how far the feed is now.

        Args:
            until_ms: up to here everything is produced, or on record as a gap.
            produced: how many records have been produced.
            outstanding: how many of them are still on their way.
        """
        self._marks.append((until_ms, produced))
        while self._marks and self._marks[0][1] <= produced - outstanding:
            self._delivered_until = self._marks.popleft()[0]
        # What is no longer on its way may have been refused: then it is missing, since before that.
        self._delivered_until = min(self._delivered_until, until_ms)

    def store(self) -> None:
        """Store how far delivery has come; in the background."""
        self._consumer.poll(0)  # nobody else serves its errors, which would pile up in memory
        # What was loaded is not stored anew: the margin would be taken off it once more.
        if self._delivered_until not in (0, self._stored):
            self._stored = self._delivered_until
            self._commit(Reached(self._delivered_until, clean=False), asynchronous=True)

    def finish(self, until_ms: int) -> None:
        """Store that everything up to an instant is delivered, and close."""
        self._commit(Reached(until_ms, clean=True), asynchronous=False)
        self._consumer.close()

    def forget(self) -> None:
        """Store that a successor begins anew, since the market is no longer wanted; close."""
        self._commit(_NOTHING, asynchronous=False)
        self._consumer.close()

    def close(self) -> None:
        """Close without a word: not everything is delivered, or nothing is known."""
        self._consumer.close()

    def _commit(self, reached: Reached, *, asynchronous: bool) -> None:
        metadata = msgspec.json.encode(reached).decode()
        offset = TopicPartition(self._topic, 0, 0, metadata)
        try:
            if asynchronous:
                self._consumer.commit(offsets=[offset])
            else:
                self._consumer.commit(offsets=[offset], asynchronous=False)
        except KafkaException as error:
            log.warning("progress not stored", reason=str(error))

"""Events of one market into Kafka: the hot path of the feed.

`produce` puts a record in librdkafka's queue and returns. The queue is bounded, and the socket is
never made to wait for it, since the server cuts off slow readers: when it is full, events are not
produced. That, and what the brokers refuse later, goes into the market's ledger.
"""

from collections import Counter
from functools import partial
from typing import Final

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from polygon_streaming import raw
from polygon_streaming.feed.frames import Head, Split, heads, symbol
from polygon_streaming.gaps.ledger import Ledger
from polygon_streaming.kafka.errors import ends_producer
from polygon_streaming.process import metrics
from polygon_streaming.stamps import now_ms

log = structlog.get_logger()

# A text that cannot be read may have held an event of any kind and symbol.
_ANYTHING: Final = "?.*"


class Publisher:
    """Produces the events of one market.

    Attributes:
        produced: how many were handed to the producer.
        failed: how many of these the brokers refused for good.
        last_event_ms: when the last event came in, 0 before the first.
        failure: the error after which the producer is of no further use, if it had one.
    """

    def __init__(
        self,
        market: str,
        producer: Producer,
        topic: str,
        dead_letter_topic: str,
        ledger: Ledger,
    ) -> None:
        self._market = market
        self._producer = producer
        self._topic = topic
        self._dead_letter_topic = dead_letter_topic
        self._ledger = ledger
        self._head = heads(market)
        self._frames = 0
        self._counted = 0
        self._event_types: Counter[str] = Counter()
        self.produced = 0
        self.failed = 0
        self.last_event_ms = 0
        self.failure: KafkaError | None = None

    def publish(self, events: Split, connection: str, received_ms: int) -> None:
        """Produce the events of a frame.

        Args:
            events: what was in the frame; status messages are not among it.
            connection: id of the connection, for the header.
            received_ms: when it came in.

        Raises:
            KafkaException: the producer is of no further use.
        """
        self._frames += 1
        headers = raw.headers(self._market, connection, self._ledger.events_lost)
        # All that a report of the brokers brings back is key and value; headers and time it lacks.
        report = partial(self._not_delivered, received_ms)
        produce, topic = self._producer.produce, self._topic
        missed = 0
        for head, text in zip(events.heads, events.texts, strict=False):
            try:
                # Partition, report, its other name, time, headers: keywords would make this call
                # half as long again.
                key = head.sym or symbol(head) or None
                produce(topic, text, key, -1, report, None, received_ms, headers)
            except BufferError:
                missed += 1
                self._lose(_name(head), received_ms, "buffer_full")
            except KafkaException as error:
                missed += 1
                self._refused(_name(head), received_ms, error)
        if events.heads:
            self.last_event_ms = received_ms
            self.produced += len(events.heads) - missed
            self._event_types.update([head.ev for head in events.heads])
        if events.broken:
            self._dead_letter(events, connection, received_ms)
        # Frees what has been delivered while it is still in the processor's cache.
        self._producer.poll(0)

    def flush_metrics(self) -> None:
        """Add what has happened since the last call to the metrics."""
        metrics.frames.labels(self._market).inc(self._frames)
        metrics.produced.labels(self._market).inc(self.produced - self._counted)
        for event_type, count in self._event_types.items():
            metrics.events.labels(self._market, event_type).inc(count)
        if self.last_event_ms:
            metrics.last_event_time.labels(self._market).set(self.last_event_ms / 1000)
        self._frames, self._counted = 0, self.produced
        self._event_types.clear()

    def _not_delivered(self, received_ms: int, error: KafkaError, message: Message) -> None:
        """Take in that the brokers refused an event for good."""
        self.failed += 1
        name = _name(self._head(message.value() or b""))
        self._never_there(name, received_ms, error)

    def _text_not_delivered(self, received_ms: int, error: KafkaError, _: Message) -> None:
        self._never_there(_ANYTHING, received_ms, error)

    def _never_there(self, name: str, received_ms: int, error: KafkaError) -> None:
        if ends_producer(error):
            self.failure = error
        self._lose(name, received_ms, f"not_delivered: {error.name()}")

    def _refused(self, name: str, received_ms: int, error: KafkaException) -> None:
        reason: KafkaError = error.args[0]
        if ends_producer(reason):
            raise error
        self._lose(name, received_ms, f"refused: {reason.name()}")

    def _lose(self, name: str, received_ms: int, reason: str) -> None:
        self._ledger.lost(name, received_ms, now_ms(), reason)

    def _dead_letter(self, events: Split, connection: str, received_ms: int) -> None:
        for text, reason in events.broken:
            metrics.broken.inc()
            log.warning(
                "unreadable",
                market=self._market,
                reason=reason,
                state=f"unreadable {self._market}",
            )
            try:
                self._producer.produce(
                    self._dead_letter_topic,
                    text,
                    timestamp=received_ms,
                    headers=raw.dead_text_headers(self._market, connection, reason),
                    on_delivery=partial(self._text_not_delivered, received_ms),
                )
            except BufferError:
                self._lose(_ANYTHING, received_ms, "buffer_full")
            except KafkaException as error:
                self._refused(_ANYTHING, received_ms, error)


def _name(head: Head) -> str:
    """Return the subscription that an event belongs to: `A.AAPL`."""
    return f"{head.ev}.{symbol(head)}"

"""Frames of one market into Kafka: the hot path of the feed.

`produce` puts a record in librdkafka's queue and returns. The queue is bounded, and the socket is
never made to wait for it, since the server cuts off slow readers: when it is full, events are not
produced. That is counted, and recorded as a gap with the symbols concerned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer

from polygon_streaming import metrics, reasons
from polygon_streaming.frames import Head, Split, Splitter, symbol
from polygon_streaming.gaps import Gap, GapLog
from polygon_streaming.stamps import to_text

log = structlog.get_logger()

# A full queue has room for a few records each time a batch is delivered. Without such a pause each
# of them would end one gap and the next loss begin another.
_CALM_MS: Final = 1_000

Headers = list[tuple[str, str | bytes]]


@dataclass(slots=True)
class _Hole:
    """Events that could not be produced, until producing works again."""

    start_ms: int
    last_ms: int
    reason: str
    names: set[str] = field(default_factory=set)


class Publisher:
    """Produces the events of one market.

    Attributes:
        produced: how many were handed to the producer.
        last_event_ms: when the last event came in, 0 before the first.
    """

    def __init__(
        self,
        market: str,
        feed_name: str,
        producer: Producer,
        topic: str,
        dead_letter_topic: str,
        gaps: GapLog,
    ) -> None:
        self._market = market
        self._feed_name = feed_name
        self._producer = producer
        self._topic = topic
        self._dead_letter_topic = dead_letter_topic
        self._gaps = gaps
        self._splitter = Splitter(market)
        self._hole: _Hole | None = None
        self._frames = 0
        self._new = 0
        self._event_types: Counter[str] = Counter()
        self.produced = 0
        self.last_event_ms = 0

    def publish(
        self, frame: str, connection: str, received_ms: int, on_status: Callable[[Head], None]
    ) -> None:
        """Produce the events of a frame and hand its status messages to `on_status`.

        Args:
            frame: the text as received.
            connection: id of the connection, for the header.
            received_ms: when it came in.
            on_status: hears of each status message.

        Raises:
            KafkaException: the producer is of no further use.
        """
        split = self._splitter.split(frame)
        self._frames += 1
        headers = _FrameHeaders(self._market, connection, received_ms)
        produce, topic = self._producer.produce, self._topic
        events = found = 0
        for head, text in zip(split.heads, split.texts, strict=False):
            if head.ev == "status":
                on_status(head)
                continue
            found += 1
            try:
                produce(
                    topic,
                    text,
                    head.sym or symbol(head) or None,
                    timestamp=received_ms,
                    headers=headers[head.ev],
                )
            except BufferError:
                self._lose(head, received_ms, "buffer_full")
                continue
            except KafkaException as error:
                self._refused(head, received_ms, error)
                continue
            events += 1
        if found:
            self.last_event_ms = received_ms
            self.produced += events
            # Over once whole frames have gone through again for a while.
            hole = self._hole
            if hole is not None and received_ms - hole.last_ms >= _CALM_MS and events == found:
                self._close_hole(received_ms)
        if split.broken:
            self._dead_letter(split, connection, received_ms)
        self._event_types.update([head.ev for head in split.heads])

    @property
    def missing_since(self) -> int | None:
        """When the first of the events was received that are lost and not yet in a gap."""
        return None if self._hole is None else self._hole.start_ms

    def not_delivered(
        self, error: KafkaError, event_type: str, key: bytes | None, received_ms: int
    ) -> None:
        """Note that a record of this market will never be delivered."""
        name = f"{event_type}.{(key or b'').decode()}"
        self._lose_name(name, received_ms, f"not_delivered: {error.name()}")

    def flush_metrics(self) -> None:
        """Add what has happened since the last call to the metrics."""
        metrics.frames.labels(self._market).inc(self._frames)
        metrics.produced.labels(self._market).inc(self.produced - self._new)
        for event_type, count in self._event_types.items():
            metrics.events.labels(self._market, event_type).inc(count)
        if self.last_event_ms:
            metrics.last_event_time.labels(self._market).set(self.last_event_ms / 1000)
        self._frames, self._new = 0, self.produced
        self._event_types.clear()

    def finish(self, now_ms: int) -> None:
        """Record what is still missing at the end."""
        if self._hole is not None:
            self._close_hole(now_ms)

    def _lose(self, head: Head, received_ms: int, reason: str) -> None:
        self._lose_name(f"{head.ev}.{symbol(head)}", received_ms, reason)

    def _lose_name(self, name: str, received_ms: int, reason: str) -> None:
        metrics.lost.labels(reasons.label(reason, reasons.LOST)).inc()
        if self._hole is None:
            self._hole = _Hole(received_ms, received_ms, reason)
            log.error("events are being lost", market=self._market, reason=reason)
        # An undelivered record may have come in before what is known to be lost.
        self._hole.start_ms = min(self._hole.start_ms, received_ms)
        self._hole.last_ms = max(self._hole.last_ms, received_ms)
        self._hole.names.add(name)

    def _refused(self, head: Head, received_ms: int, error: KafkaException) -> None:
        reason: KafkaError = error.args[0]
        if reason.fatal():
            raise error
        self._lose(head, received_ms, f"refused: {reason.name()}")

    def _close_hole(self, now_ms: int) -> None:
        hole, self._hole = self._hole, None
        if hole is not None:
            self._gaps.record(
                Gap(
                    market=self._market,
                    start_ms=hole.start_ms,
                    end_ms=now_ms,
                    reason=hole.reason,
                    subscriptions=sorted(hole.names),
                    feed=self._feed_name,
                )
            )

    def _dead_letter(self, split: Split, connection: str, received_ms: int) -> None:
        for text, reason in split.broken:
            metrics.broken.inc()
            log.warning("unreadable", market=self._market, reason=reason)
            headers = _FrameHeaders(self._market, connection, received_ms)[""]
            try:
                self._producer.produce(
                    self._dead_letter_topic,
                    text,
                    timestamp=received_ms,
                    headers=[*headers, ("__connect.errors.exception.message", reason)],
                )
            except (BufferError, KafkaException):
                self._lose_name("?.*", received_ms, "unreadable")


class _FrameHeaders(dict[str, Any]):
    """The headers of a frame's records by event type, made once for each type."""

    def __init__(self, market: str, connection: str, received_ms: int) -> None:
        self._common: Headers = [
            ("market", market),
            ("received_at", to_text(received_ms)),
            ("connection", connection),
        ]

    def __missing__(self, event_type: str) -> Headers:
        headers = [*self._common, ("event_type", event_type)]
        self[event_type] = headers
        return headers

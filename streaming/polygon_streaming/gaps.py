"""Gaps: what is known, or likely, to be missing from the raw topic."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import structlog
from confluent_kafka import Producer

from polygon_streaming import metrics
from polygon_streaming.stamps import from_text, to_text

log = structlog.get_logger()


class GapRecord(msgspec.Struct, rename={"start": "from", "end": "to"}):
    """A gap as it stands on the topic; `schemas/gap.json` describes it.

    Attributes:
        market: market of the subscriptions.
        start: last instant, UTC, up to which events are known to be there (`from`).
        end: first instant, UTC, from which they are there again (`to`).
        reason: `disconnected: ...`, `restart`, `buffer_full`, `not_delivered`, `volume_jump`.
        certain: false if something is likely missing rather than known to be.
        subscriptions: what was not heard: `A.AAPL`, `AM.*`.
        feed: which feed found it: `stocks 1/1`.
    """

    market: str
    start: str
    end: str
    reason: str
    certain: bool
    subscriptions: list[str]
    feed: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A gap with its instants in milliseconds since 1970 UTC."""

    market: str
    start_ms: int
    end_ms: int
    reason: str
    subscriptions: Sequence[str]
    feed: str
    certain: bool = True

    def encode(self) -> bytes:
        """Return the gap as the topic has it."""
        return msgspec.json.encode(
            GapRecord(
                market=self.market,
                start=to_text(self.start_ms),
                end=to_text(self.end_ms),
                reason=self.reason,
                certain=self.certain,
                subscriptions=sorted(self.subscriptions),
                feed=self.feed,
            )
        )


def decode(value: bytes) -> Gap:
    """Return a gap read from the topic.

    Raises:
        ValueError: it is not one.
    """
    try:
        record = msgspec.json.decode(value, type=GapRecord)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a gap: {error}") from error
    return Gap(
        market=record.market,
        start_ms=from_text(record.start),
        end_ms=from_text(record.end),
        reason=record.reason,
        subscriptions=record.subscriptions,
        feed=record.feed,
        certain=record.certain,
    )


class GapLog:
    """Produces gaps; those for which the producer has no room wait, and are never dropped."""

    def __init__(self, producer: Producer, topic: str) -> None:
        self._producer = producer
        self._topic = topic
        self._waiting: deque[Gap] = deque()

    def record(self, gap: Gap) -> None:
        """Log, count and produce a gap."""
        log.warning(
            "gap",
            market=gap.market,
            start=to_text(gap.start_ms),
            end=to_text(gap.end_ms),
            reason=gap.reason,
            subscriptions=len(gap.subscriptions),
        )
        metrics.gaps.labels(gap.market, gap.reason.partition(":")[0]).inc()
        self._waiting.append(gap)
        self.retry()

    def retry(self) -> None:
        """Produce the gaps that wait, as far as there is room."""
        while self._waiting:
            gap = self._waiting[0]
            try:
                self._producer.produce(self._topic, gap.encode(), gap.market)
            except BufferError:
                return
            self._waiting.popleft()

    @property
    def waiting(self) -> list[Gap]:
        """The gaps not yet handed to the producer."""
        return list(self._waiting)

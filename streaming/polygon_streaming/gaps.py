"""Gaps: what is known, or likely, to be missing from the raw topic."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import msgspec
import structlog
from confluent_kafka import KafkaException, Producer

from polygon_streaming import metrics, reasons
from polygon_streaming.stamps import from_text, to_text

log = structlog.get_logger()

# The brokers refuse records over a megabyte; the longest names, of options, have 26 characters.
_NAMES_PER_RECORD: Final = 10_000
_RETRY_SECONDS: Final = 5.0


class GapRecord(msgspec.Struct, rename={"start": "from", "end": "to"}):
    """A gap as it stands on the topic; `schemas/gap.json` describes it.

    Attributes:
        market: market of the subscriptions; empty if the records that are missing could be of any.
        start: last instant, UTC, up to which events are known to be there (`from`).
        end: first instant, UTC, from which they are there again (`to`).
        reason: one of `reasons`, some with more behind a colon: `disconnected: closed 1006`.
        certain: false if something is likely missing rather than known to be.
        subscriptions: what was not heard: `A.AAPL`, `AM.*`; empty if that is not known.
        feed: which feed found it: `stocks 1/1`; empty if the filter did.
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

    def later(self, by: timedelta) -> Gap:
        """Return the same gap at another time."""
        ms = round(by.total_seconds() * 1000)
        return replace(self, start_ms=self.start_ms + ms, end_ms=self.end_ms + ms)

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
    """Produces gaps; those for which the producer has no room wait, and are never dropped.

    A delayed feed notices at noon what is missing from a quarter to twelve. On the topic stands the
    latter: it is what the bars' own times are compared with.
    """

    def __init__(
        self,
        producer: Producer,
        topic: str,
        delay: timedelta = timedelta(0),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._producer = producer
        self._topic = topic
        self._delay = delay
        self._clock = clock
        self._waiting: deque[Gap] = deque()
        self._not_before = 0.0

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
        metrics.gaps.labels(gap.market, reasons.label(gap.reason, reasons.FEED_GAPS)).inc()
        names = gap.subscriptions
        for start in range(0, max(1, len(names)), _NAMES_PER_RECORD):
            some = names[start : start + _NAMES_PER_RECORD]
            self._waiting.append(replace(gap, subscriptions=some))
        self.retry()

    def not_delivered(self, value: bytes) -> None:
        """Take back a gap that the brokers refused, to produce it again."""
        self._waiting.append(decode(value).later(self._delay))
        self._not_before = self._clock() + _RETRY_SECONDS

    def retry(self) -> None:
        """Produce the gaps that wait, as far as there is room."""
        while self._waiting and self._clock() >= self._not_before:
            gap = self._waiting[0]
            try:
                self._producer.produce(self._topic, gap.later(-self._delay).encode(), gap.market)
            except BufferError:
                return
            except KafkaException as error:
                log.error("gap not produced", reason=error.args[0].str())
                self._not_before = self._clock() + _RETRY_SECONDS
                return
            self._waiting.popleft()

    def since(self, market: str) -> int | None:
        """Return when the first gap of a market that still waits began."""
        return min((gap.start_ms for gap in self._waiting if gap.market == market), default=None)

    @property
    def waiting(self) -> list[Gap]:
        """The gaps not yet handed to the producer."""
        return list(self._waiting)

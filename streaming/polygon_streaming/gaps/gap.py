"""Gaps: what is known, or likely, to be missing from the raw topic."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Final

import msgspec
import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from polygon_streaming.channels import MARKETS
from polygon_streaming.process import metrics, reasons
from polygon_streaming.stamps import EARLIEST_MS, from_text, to_text

log = structlog.get_logger()

# The brokers refuse records over a megabyte; the longest names, of options, have 26 characters.
_NAMES_PER_RECORD: Final = 10_000
_RETRY_SECONDS: Final = 5.0
_DAY_MS: Final = 86_400_000
# Beyond that, history is what is missing.
_LONGEST_MS: Final = 31 * _DAY_MS
# What clocks may disagree by.
_SKEW_MS: Final = _DAY_MS


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

    def later(self, by: timedelta) -> "Gap":
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
        start_ms, end_ms = from_text(record.start), from_text(record.end)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"not a gap: {error}") from error
    return Gap(
        market=record.market,
        start_ms=start_ms,
        end_ms=end_ms,
        reason=record.reason,
        subscriptions=record.subscriptions,
        feed=record.feed,
        certain=record.certain,
    )


def check(gap: Gap, now_ms: int) -> None:
    """Look whether a gap can be one, whoever wrote it.

    Raises:
        ValueError: it cannot.
    """
    start, end = to_text(gap.start_ms), to_text(gap.end_ms)
    if gap.market not in MARKETS and (gap.market or gap.subscriptions):
        raise ValueError(f"market {gap.market!r} is unknown")
    if gap.end_ms < gap.start_ms:
        raise ValueError(f"it ends at {end}, before it begins at {start}")
    if gap.start_ms < EARLIEST_MS or gap.end_ms > now_ms + _SKEW_MS:
        raise ValueError(f"nothing can be missing from {start} to {end}")
    if gap.end_ms - gap.start_ms > _LONGEST_MS:
        days = (gap.end_ms - gap.start_ms) // _DAY_MS
        raise ValueError(f"{days} days, from {start} to {end}, are too many to heal bar by bar")


class GapLog:
    """Produces gaps; one that is not acknowledged waits, and is never dropped.

    It wants a producer of its own, which reports every record: a full queue of events then does not
    stand in the way, and a gap counts as recorded only once the brokers have it.

    A delayed feed notices at noon what is missing from a quarter to twelve. On the topic stands the
    latter: it is what the bars' own times are compared with.

    Attributes:
        recorded: how many gap records the brokers have acknowledged.
    """

    def __init__(
        self,
        producer: Producer,
        topic: str,
        delay: timedelta = timedelta(0),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.recorded = 0
        self._producer = producer
        self._topic = topic
        self._delay = delay
        self._clock = clock
        self._waiting: deque[Gap] = deque()
        self._sent: list[Gap] = []
        self._not_before = 0.0
        self._refusal = ""

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
        metrics.feed_gaps.labels(gap.market, reasons.label(gap.reason, reasons.FEED_GAPS)).inc()
        names = gap.subscriptions
        for start in range(0, max(1, len(names)), _NAMES_PER_RECORD):
            some = names[start : start + _NAMES_PER_RECORD]
            self._waiting.append(replace(gap, subscriptions=some))
        self.retry()

    def retry(self) -> None:
        """Take in what the brokers say, and produce the gaps that wait."""
        self._producer.poll(0)
        while self._waiting and self._clock() >= self._not_before:
            gap = self._waiting[0]
            value = gap.later(-self._delay).encode()
            # Before it is produced, because its report may come at once.
            self._sent.append(self._waiting.popleft())
            report = partial(self._reported, gap)
            try:
                self._producer.produce(self._topic, value, gap.market, on_delivery=report)
            except BufferError:
                self._reported(gap, KafkaError(KafkaError._QUEUE_FULL), None)
            except KafkaException as error:
                self._reported(gap, error.args[0], None)

    def flush(self, seconds: float) -> None:
        """Produce what waits and wait for the brokers, so many seconds at most. The last call."""
        self._not_before = 0.0
        self.retry()
        if not self._producer.flush(seconds):
            self._producer.close()  # with something left it would wait for the brokers

    def since(self, market: str) -> int | None:
        """Return when the first gap of a market began that is not recorded yet."""
        return min((gap.start_ms for gap in self.waiting if gap.market == market), default=None)

    @property
    def waiting(self) -> list[Gap]:
        """The gaps that the brokers have not acknowledged."""
        return [*self._sent, *self._waiting]

    @property
    def refusal(self) -> str:
        """Why gaps cannot be recorded, in Kafka's words; empty if they can."""
        return self._refusal if self._waiting else ""

    def _reported(self, gap: Gap, error: KafkaError | None, _: Message | None) -> None:
        self._sent.remove(gap)
        if error is None:
            self.recorded += 1
            self._refusal = ""
            return
        self._waiting.append(gap)
        self._not_before = self._clock() + _RETRY_SECONDS
        self._refusal = error.str()
        log.error("gap not recorded yet", reason=error.str(), state=f"gaps {error.name()}")

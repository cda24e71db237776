"""What one market misses, until it is on record as a gap.

There are two ways to miss something. Events did not come in: an outage, from the last event before
it to the first one after it. Or events came in and did not get into Kafka: losses, which are known
by name. An outage that goes on is put on record in parts, so that its beginning can be healed.

What is over is a gap. It is unrecorded until the brokers have acknowledged it, and never dropped.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog
from confluent_kafka import KafkaError

from polygon_streaming.gaps.gap import Gap
from polygon_streaming.gaps.topic import GapsTopic
from polygon_streaming.process import metrics, reasons
from polygon_streaming.stamps import to_text

log = structlog.get_logger()

# A full queue has room for a few records each time a batch is delivered, and refusals come batch
# by batch. Without such a pause each of them would end one gap and the next loss begin another.
_CALM_MS: Final = 1_000
_RETRY_SECONDS: Final = 5.0


@dataclass(slots=True)
class _Outage:
    start_ms: int
    reason: str
    noted_ms: int


@dataclass(slots=True)
class _Losses:
    start_ms: int
    noted_ms: int
    reason: str
    names: set[str] = field(default_factory=set)
    delivered: int | None = None


class Ledger:
    """What one market misses and is not yet on record. Instants are milliseconds since 1970 UTC.

    Attributes:
        events_lost: how many events came in and did not get into Kafka.
        gaps_recorded: how many records of gaps the brokers have acknowledged.
    """

    def __init__(
        self,
        market: str,
        feed: str,
        topic: GapsTopic,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open a ledger; `feed` is the name of the feed in its gaps: `stocks 1/1`."""
        self.events_lost = 0
        self.gaps_recorded = 0
        self._market = market
        self._feed = feed
        self._topic = topic
        self._clock = clock
        self._outage: _Outage | None = None
        self._losses: _Losses | None = None
        self._sent: list[Gap] = []
        self._to_send: deque[Gap] = deque()
        self._not_before = 0.0
        self._refusal = ""

    @property
    def since(self) -> int | None:
        """Up to when nothing is missing but what is on record; None if nothing is at all."""
        missing = (self._outage, self._losses, *self.unrecorded)
        return min((each.start_ms for each in missing if each is not None), default=None)

    @property
    def unrecorded(self) -> list[Gap]:
        """The gaps that the brokers have not acknowledged."""
        return [*self._sent, *self._to_send]

    @property
    def refusal(self) -> str:
        """Why gaps cannot be recorded, in Kafka's words; empty if they can."""
        return self._refusal if self._to_send else ""

    @property
    def losing(self) -> str:
        """Why events are being lost now; empty if none are."""
        return "" if self._losses is None else self._losses.reason

    @property
    def has_outage(self) -> bool:
        """Whether events are known not to have come in, and have not come again."""
        return self._outage is not None

    def lost(self, name: str, received_ms: int, now_ms: int, reason: str) -> None:
        """Note that an event did not get into Kafka.

        Args:
            name: its subscription: `A.AAPL`.
            received_ms: when it came in; refusals are heard of later, and out of order.
            now_ms: the current instant.
            reason: `buffer_full`, `not_delivered: <Kafka's error>`...
        """
        self.events_lost += 1
        metrics.feed_lost.labels(reasons.label(reason, reasons.LOST)).inc()
        if self._losses is None:
            self._losses = _Losses(received_ms, now_ms, reason)
        losses = self._losses
        losses.start_ms = min(losses.start_ms, received_ms)
        losses.noted_ms = now_ms
        losses.delivered = None
        losses.names.add(name)

    def settle(self, now_ms: int, delivered: int, outstanding: int) -> None:
        """Say that events are being lost, and put losses on record that have come to an end.

        They have once there was none for a second and records get through again, or none waits to:
        the refusals of a topic that is not there come half a minute apart.

        Args:
            now_ms: the current instant.
            delivered: how many records have been delivered so far.
            outstanding: how many wait for it.
        """
        losses = self._losses
        if losses is None:
            return
        log.error(
            "events are being lost",
            market=self._market,
            reason=losses.reason,
            lost=self.events_lost,
            state=f"losing {self._market} {losses.reason}",
        )
        if losses.delivered is None:
            losses.delivered = delivered
        through = delivered > losses.delivered or not outstanding
        if through and now_ms - losses.noted_ms >= _CALM_MS:
            self._end_losses(now_ms)

    def retry(self) -> None:
        """Produce the gaps that the brokers have refused, after a pause."""
        while self._to_send and self._clock() >= self._not_before:
            gap = self._to_send.popleft()
            # Before it is produced, because its report may come at once.
            self._sent.append(gap)
            self._topic.produce(gap, partial(self._reported, gap))

    def finish(self, now_ms: int) -> None:
        """Put losses on record, over or not, and produce what was refused once more, at once."""
        self._not_before = 0.0
        self._end_losses(now_ms)
        self.retry()

    def disconnected(self, start_ms: int, now_ms: int, reason: str) -> None:
        """Note that events have not come in since `start_ms`, unless that is known already."""
        if self._outage is None:
            self._outage = _Outage(start_ms, reason, now_ms)

    def restored(self, now_ms: int, names: Iterable[str]) -> None:
        """Put the outage on record: the events of `names` come again."""
        outage, self._outage = self._outage, None
        if outage is not None:
            self._record(outage.start_ms, now_ms, outage.reason, names)

    def outage_noted_ms(self) -> int | None:
        """Return when the outage was noted, or put on record in part; None without one."""
        return None if self._outage is None else self._outage.noted_ms

    def record_part(self, now_ms: int, names: Iterable[str]) -> None:
        """Put on record what the outage has been up to now. It goes on."""
        outage = self._outage
        if outage is not None:
            self.restored(now_ms, names)
            self._outage = _Outage(now_ms, outage.reason, now_ms)

    def _end_losses(self, now_ms: int) -> None:
        losses, self._losses = self._losses, None
        if losses is not None:
            self._record(losses.start_ms, now_ms, losses.reason, losses.names)

    def _record(self, start_ms: int, end_ms: int, reason: str, names: Iterable[str]) -> None:
        # A clock that was set back must not make a gap that ends before it begins.
        end_ms = max(end_ms, start_ms + 1)
        gap = Gap(self._market, start_ms, end_ms, reason, sorted(names), self._feed)
        log.warning(
            "gap",
            market=gap.market,
            start=to_text(gap.start_ms),
            end=to_text(gap.end_ms),
            reason=gap.reason,
            subscriptions=len(gap.subscriptions),
        )
        metrics.feed_gaps.labels(gap.market, reasons.label(gap.reason, reasons.FEED_GAPS)).inc()
        self._to_send.extend(gap.parts())
        self.retry()

    def _reported(self, gap: Gap, error: KafkaError | None) -> None:
        self._sent.remove(gap)
        if error is None:
            self.gaps_recorded += 1
            self._refusal = ""
            return
        self._to_send.append(gap)
        self._not_before = self._clock() + _RETRY_SECONDS
        self._refusal = error.str()
        log.error("gap not recorded yet", reason=error.str(), state=f"gaps {error.name()}")

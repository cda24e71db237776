"""When one market's outages begin and end.

An outage lasts from the last event before a connection ended to the first event on one whose
subscriptions are confirmed: a confirmation alone proves nothing, and neither does silence. One that
goes on is put on record in parts, at the end of trading hours and once an hour within them.
"""

from datetime import datetime, timedelta, timezone
from typing import Final

from polygon_streaming.feed.hearing import Hearing
from polygon_streaming.gaps.ledger import Ledger
from polygon_streaming.trading import is_open

_PART_MS: Final = 3_600_000


class Outages:
    """Follows the connections of one market. Instants are milliseconds since 1970 UTC."""

    def __init__(self, market: str, ledger: Ledger, delay: timedelta, now_ms: int) -> None:
        """Follow a market whose events come `delay` after trading."""
        self._market = market
        self._ledger = ledger
        self._delay = delay
        self._hearing = Hearing(now_ms)
        self._names: frozenset[str] = frozenset()
        self._was_open = False
        self._predecessor_known = False

    @property
    def first_event_ms(self) -> int:
        """When the first event of the connection came in; 0 before."""
        return self._hearing.first_ms

    @property
    def flowed_seconds(self) -> float:
        """The time from the first to the last event of the connection, as far as ticks saw it."""
        return self._hearing.flowed_seconds

    def started(self, reached_ms: int | None, now_ms: int) -> None:
        """Note up to when a predecessor had heard everything; None if there was none."""
        if reached_ms is not None:
            reached_ms = min(reached_ms, now_ms)
            self._hearing.follow(reached_ms)
            self._ledger.disconnected(reached_ms, now_ms, "restart")
        self._predecessor_known = True

    def connecting(self) -> None:
        """Note that a new connection is made."""
        self._hearing.connected()

    def ready(self, now_ms: int) -> None:
        """Note that all subscriptions are confirmed: from now on events are expected."""
        self._hearing.ready(now_ms)

    def disconnected(self, last_event_ms: int, now_ms: int, reason: str) -> None:
        """Note that a connection on which events may have come has ended."""
        heard = self._hearing.until(last_event_ms)
        if heard:
            self._ledger.disconnected(heard, now_ms, f"disconnected: {reason}")

    def tick(self, now_ms: int, last_event_ms: int, names: frozenset[str], *, ready: bool) -> bool:
        """Put on record what has ended, or has lasted; called about ten times a second.

        Args:
            now_ms: the current instant.
            last_event_ms: when the last event came in, 0 before the first.
            names: the subscriptions that are wanted now: what an outage leaves out.
            ready: whether they are confirmed.

        Returns:
            Whether events have come in since the last tick.
        """
        self._names = names
        heard = self._hearing.tick(now_ms, last_event_ms)
        if heard and ready and self._hearing.since_ready:
            self._ledger.restored(now_ms, self._names)
        self._record_part(now_ms)
        return heard

    def left(self, now_ms: int) -> None:
        """Take note that nobody wants the market any more: what was missed until now is all."""
        self._ledger.restored(now_ms, self._names)

    def accounted_until(self, last_event_ms: int) -> int | None:
        """Return up to when everything is produced or recorded as a gap; None if unknown.

        That is the last event, for it takes another one to prove that there was none in between.
        What is missing is recorded once it is over. If the feed ends before, its successor has to
        begin where it began.
        """
        if not self._predecessor_known:
            return None
        missing = self._ledger.since
        if missing is not None:
            return missing
        return self._hearing.until(last_event_ms) or None

    def _record_part(self, now_ms: int) -> None:
        moment = datetime.fromtimestamp(now_ms / 1000, timezone.utc) - self._delay
        was_open, self._was_open = self._was_open, is_open(self._market, moment)
        noted = self._ledger.outage_noted_ms()
        if noted is None:
            return
        over = was_open and not self._was_open
        if over or (self._was_open and now_ms - noted >= _PART_MS):
            self._ledger.record_part(now_ms, self._names)

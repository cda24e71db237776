"""Up to when the events of a market are known to have come in: where an outage begins.

That is the last event. Silence proves nothing, nor does a connection that is up. What a market of
few events costs by that is a longer window to be healed, with no more in it.
"""

from typing import Final

# `tick` comes ten times a second, unless the process or its machine stood still.
_STANDSTILL_MS: Final = 5_000
# A connection that is dead without a word is noticed by its pings within 40 s.
_PINGS_MS: Final = 60_000


class Hearing:
    """Follows one market's events. Instants are milliseconds since 1970 UTC.

    Attributes:
        first_ms: when the first event of the connection came in; 0 before.
        since_ready: whether one came in after all was confirmed.
    """

    def __init__(self, now_ms: int) -> None:
        self.first_ms = 0
        self.since_ready = False
        self._last_ms = 0
        self._ready_ms = 0
        self._followed_ms = 0
        self._ticked_ms = now_ms
        self._stood_still: tuple[int, int] | None = None

    @property
    def flowed_seconds(self) -> float:
        """The time from the first to the last event of the connection, as far as ticks saw it."""
        return (self._last_ms - self.first_ms) / 1000 if self.first_ms else 0.0

    def follow(self, reached_ms: int) -> None:
        """Note up to when a predecessor had heard everything."""
        self._followed_ms = reached_ms

    def connected(self) -> None:
        """Note that a new connection is made."""
        self.first_ms = 0

    def ready(self, now_ms: int) -> None:
        """Note that all subscriptions are confirmed: from now on events are expected."""
        self._ready_ms = now_ms
        self.since_ready = False
        self._followed_ms = self._followed_ms or now_ms

    def tick(self, now_ms: int, last_event_ms: int) -> bool:
        """Tell whether events have come in since the last tick."""
        if now_ms - self._ticked_ms > _STANDSTILL_MS:
            self._stood_still = self._ticked_ms, now_ms
        self._ticked_ms = now_ms
        if last_event_ms == self._last_ms:
            return False
        self._last_ms = last_event_ms
        self.first_ms = self.first_ms or last_event_ms
        self.since_ready = self.since_ready or last_event_ms >= self._ready_ms > 0
        return True

    def until(self, last_event_ms: int) -> int:
        """Return up to when events are known to have come in; 0 if none were expected yet."""
        last = last_event_ms or self._followed_ms
        if self._stood_still is not None and self._ticked_ms - self._stood_still[1] < _PINGS_MS:
            # What came in since may have waited in the socket, with more behind it that is gone.
            return min(last, self._stood_still[0])
        return last

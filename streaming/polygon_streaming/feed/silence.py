"""Whether a connection has been silent for longer than a market can be in trading hours."""

from datetime import datetime, timedelta

from polygon_streaming.trading import is_open


class SilenceWatch:
    """Tells when a connection has been silent for too long in trading hours.

    A connection made anew because of silence, and silent again, doubles the limit up to 16 times,
    so that a list of symbols that hardly trade does not end in endless reconnects.
    """

    def __init__(self, market: str, limit_seconds: float, delay: timedelta) -> None:
        """Watch a market whose events come `delay` after trading; a limit of 0 never tells."""
        self._market = market
        self._limit = limit_seconds
        self._delay = delay
        self._patience = 1
        self._quiet_since: float | None = None

    @property
    def fruitless(self) -> bool:
        """Whether a connection was made anew because of silence, and no event has come since."""
        return self._patience > 1

    def heard(self) -> None:
        """Note that an event came in."""
        self._quiet_since = None
        self._patience = 1

    def connected(self) -> None:
        """Note that a new connection starts to listen."""
        self._quiet_since = None

    def too_long(self, moment: datetime, monotonic: float) -> bool:
        """Tell whether the silence has lasted too long by now."""
        if not self._limit or not is_open(self._market, moment - self._delay):
            self._quiet_since = None
            return False
        if self._quiet_since is None:
            self._quiet_since = monotonic
        if monotonic - self._quiet_since < self._limit * self._patience:
            return False
        self._patience = min(self._patience * 2, 16)
        self._quiet_since = None
        return True

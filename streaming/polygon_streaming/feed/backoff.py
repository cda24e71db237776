"""How long to wait before the next connection.

What the vendor's limits are known to need (its documentation, and what others have seen of it): one
connection a market, whose surplus is evicted a while after `auth_success`, so that a success proves
nothing there; and no new connection in a tight loop. It publishes no limit on how often one may
connect. What a wait costs is known: what the vendor sends meanwhile is gone. So a line that drops,
however often, is back within a second once events have flowed on it for five; only connections that
bring nothing wait longer and longer. That makes two dozen connections a minute at the very worst.
"""

import random
from typing import Final

from polygon_streaming.feed.protocol import End
from polygon_streaming.settings import FeedSettings

# A connection on which events flowed for so long, or which just lasted, in the quiet of a night,
# was a good one: the next failure starts from the first wait.
FLOWED_SECONDS: Final = 5.0
LASTED_SECONDS: Final = 60.0
# An eviction by max_connections can come a while after auth_success, which proves nothing.
_UNDISTURBED_SECONDS: Final = 600.0
_COOL_DOWN_GROWTH: Final = 15
# What waiting does not mend, but the account's owner.
_ACCOUNT: Final = ("max_connections", "auth_failed")


class Backoff:
    """Remembers failures; jitter keeps tasks that failed together apart."""

    def __init__(self, settings: FeedSettings) -> None:
        self._settings = settings
        self._failures = 0
        self._refusals = 0

    def after(self, end: End, lasted_seconds: float, flowed_seconds: float = 0.0) -> float:
        """Return the seconds to wait after a connection that ended so.

        Args:
            end: how it ended.
            lasted_seconds: how long it lasted.
            flowed_seconds: the time from the first to the last event on it.
        """
        if lasted_seconds >= _UNDISTURBED_SECONDS:
            self._refusals = 0
        if end.reason in _ACCOUNT:
            first = self._settings.cool_down_seconds
            wait = first * min(2.0 ** min(self._refusals, 30), _COOL_DOWN_GROWTH)
            self._refusals += 1
        else:
            if flowed_seconds >= FLOWED_SECONDS or lasted_seconds >= LASTED_SECONDS:
                self._failures = 0
            wait = min(
                self._settings.retry_seconds * 2.0 ** min(self._failures, 30),
                self._settings.retry_max_seconds,
            )
            self._failures += 1
        return wait * random.uniform(0.5, 1.0)  # noqa: S311 - jitter

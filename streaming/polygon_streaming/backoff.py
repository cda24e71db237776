"""How long to wait before the next connection."""

from __future__ import annotations

import random
from typing import Final

from polygon_streaming.connection import End
from polygon_streaming.settings import FeedSettings

# A connection that lasted this long was a good one: the next failure starts from the first wait.
_GOOD_SECONDS: Final = 60.0
# An eviction by max_connections can come a while after auth_success, which proves nothing.
_UNDISTURBED_SECONDS: Final = 600.0
_COOL_DOWN_GROWTH: Final = 15


class Backoff:
    """Remembers failures; jitter keeps tasks that failed together apart."""

    def __init__(self, settings: FeedSettings) -> None:
        self._settings = settings
        self._failures = 0
        self._evictions = 0

    def after(self, end: End, lasted_seconds: float) -> float:
        """Return the seconds to wait after a connection that ended so."""
        if lasted_seconds >= _UNDISTURBED_SECONDS:
            self._evictions = 0
        if end.reason == "max_connections":
            first = self._settings.cool_down_seconds
            wait = first * min(2.0 ** min(self._evictions, 30), _COOL_DOWN_GROWTH)
            self._evictions += 1
        else:
            if lasted_seconds >= _GOOD_SECONDS:
                self._failures = 0
            wait = min(
                self._settings.retry_seconds * 2.0 ** min(self._failures, 30),
                self._settings.retry_max_seconds,
            )
            self._failures += 1
        return wait * random.uniform(0.5, 1.0)  # noqa: S311 - jitter

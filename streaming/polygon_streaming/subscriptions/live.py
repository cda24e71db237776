"""The live subscription list: read again and again, and only ever replaced by a good one."""

import asyncio
import random
from collections.abc import Callable

import structlog

from polygon_streaming.errors import ConfigError
from polygon_streaming.process import metrics
from polygon_streaming.subscriptions.parse import (
    InvalidSubscriptions,
    Subscription,
    parse,
    shard,
    without_covered,
)
from polygon_streaming.subscriptions.sources import ListSource, Unavailable

log = structlog.get_logger()


class SubscriptionList:
    """The last good version of the list, for one shard."""

    def __init__(self, source: ListSource, shard_index: int = 0, shard_count: int = 1) -> None:
        self._source = source
        self._shard = shard_index, shard_count
        self._current: frozenset[Subscription] = frozenset()
        self._refused = False

    def load(self) -> None:
        """Read the list for the first time, when there is no good version to fall back on.

        Raises:
            ConfigError: it cannot be read or is refused.
        """
        try:
            self._swap(self._source.read() or "")
        except Unavailable as error:
            raise ConfigError(f"subscriptions: {error}") from error

    def refresh(self) -> bool:
        """Read the list again; return whether there is a new good version.

        What is wrong is logged and counted, and the last good version stays.
        """
        try:
            text = self._source.read()
            if text is None:
                metrics.reload_successful.set(not self._refused)
                return False
            before = self._current
            self._swap(text)
        except (Unavailable, InvalidSubscriptions) as error:
            metrics.reload_successful.set(0)
            metrics.reload_failures.inc()
            log.error("subscriptions kept", reason=str(error), kept=len(self._current))
            return False
        return self._current != before

    def markets(self) -> list[str]:
        """Return the markets of the list."""
        return sorted({s.market for s in self._current})

    def names(self, market: str) -> frozenset[str]:
        """Return what to subscribe to in a market, as the server calls it."""
        return frozenset(s.name for s in self._current if s.market == market)

    async def watch(self, interval_seconds: float, on_change: Callable[[], None]) -> None:
        """Refresh for ever, about every `interval_seconds`; call `on_change` after each change."""
        while True:
            # Tasks started together should not ask together for ever after.
            await asyncio.sleep(interval_seconds * random.uniform(0.8, 1.2))  # noqa: S311
            if await asyncio.to_thread(self.refresh):
                log.info("subscriptions changed", count=len(self._current))
                on_change()

    def _swap(self, text: str) -> None:
        self._refused = True
        # Before it is divided: the wildcard and what it covers may belong to different shards.
        every = without_covered(parse(text))
        self._current = shard(every, *self._shard)
        self._refused = False
        metrics.reload_successful.set(1)
        metrics.reload_time.set_to_current_time()

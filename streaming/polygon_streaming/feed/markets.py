"""The markets of the list, each fed by a task of its own; they come and go with the list."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from polygon_streaming.feed.market import MarketFeed
from polygon_streaming.subscriptions.live import SubscriptionList

log = structlog.get_logger()

# How long a connection may take to end in order.
_CLOSE_SECONDS: Final = 3.0


class Markets:
    """Opens, leaves and watches the feeds of markets.

    Attributes:
        open: the feeds of the markets on the list, by market.
        leaving: markets that are no longer on the list; done once nothing is left to do.
    """

    def __init__(
        self, subscriptions: SubscriptionList, market_feed: Callable[[str], MarketFeed]
    ) -> None:
        """Prepare to follow a list; `market_feed` makes the feed of a market."""
        self.open: dict[str, MarketFeed] = {}
        self.leaving: dict[str, asyncio.Task[None]] = {}
        self._subscriptions = subscriptions
        self._market_feed = market_feed
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._watching: asyncio.Task[None] | None = None

    def start(self, reload_seconds: float) -> None:
        """Open the markets of the list, and follow it from now on."""
        self._open()
        watch = self._subscriptions.watch(reload_seconds, self._on_change)
        self._watching = asyncio.create_task(watch)

    def ended(self) -> BaseException | None:
        """Return what ended a market, or the watch over the list; None if nothing did."""
        for task in self._all():
            error = task.exception() if task.done() and not task.cancelled() else None
            if error is not None:
                return error
        return None

    async def stop(self) -> None:
        """End all connections in order, and what does not end by itself."""
        if self._watching is not None:
            self._watching.cancel()
        for market in self.open.values():
            market.stop()
        tasks = [*self._all(), *self.leaving.values()]
        await asyncio.wait(tasks, timeout=_CLOSE_SECONDS)
        for task in tasks:
            task.cancel()

    def _all(self) -> list[asyncio.Task[None]]:
        watching = [] if self._watching is None else [self._watching]
        return [*self._tasks.values(), *watching]

    def _on_change(self) -> None:
        listed = self._subscriptions.markets()
        for name in [name for name in self.open if name not in listed]:
            leaving = self._leave(self.open.pop(name), self._tasks.pop(name))
            self.leaving[name] = asyncio.create_task(leaving)
        self._open()
        for market in self.open.values():
            market.subscriptions_changed()

    def _open(self) -> None:
        for name in self._subscriptions.markets():
            if name not in self.open:
                self.open[name] = self._market_feed(name)
                self._tasks[name] = asyncio.create_task(self._run(self.open[name]))

    async def _run(self, market: MarketFeed) -> None:
        # The server allows one connection a market.
        before = self.leaving.pop(market.market, None)
        if before is not None:
            await before
        await market.run()

    async def _leave(self, market: MarketFeed, task: asyncio.Task[None]) -> None:
        """End a market that is no longer on the list, and its progress with it."""
        market.stop()
        await asyncio.wait([task], timeout=_CLOSE_SECONDS)
        task.cancel()
        market.leave()
        await asyncio.to_thread(market.progress.forget)
        log.info("market left", market=market.market, reason="no longer on the list")

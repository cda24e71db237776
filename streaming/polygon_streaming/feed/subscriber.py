"""The subscriptions of one market's connection, kept in line with the list."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog

from polygon_streaming.feed.connection import Connection
from polygon_streaming.process import metrics
from polygon_streaming.subscriptions.live import SubscriptionList

log = structlog.get_logger()

_ACK_POLL_SECONDS: Final = 0.05


class Subscriber:
    """Subscribes each connection of a market to what is listed, and again when that changes.

    Attributes:
        ready: whether all that was asked for is confirmed or reported, and something is confirmed.
    """

    def __init__(self, market: str, subscriptions: SubscriptionList, ack_seconds: float) -> None:
        self.ready = False
        self._market = market
        self._subscriptions = subscriptions
        self._ack_seconds = ack_seconds
        self._changed = asyncio.Event()

    @property
    def wanted(self) -> frozenset[str]:
        """What is listed now."""
        return self._subscriptions.names(self._market)

    def changed(self) -> None:
        """Take note that the list has changed."""
        self._changed.set()

    async def keep(self, connection: Connection, on_ready: Callable[[], None]) -> None:
        """Keep a connection subscribed until this is cancelled; `on_ready` hears when all is."""
        try:
            while True:
                self._changed.clear()
                await connection.want(self.wanted)
                await self._await_acks(connection)
                self.ready &= connection.protocol.confirmed > 0
                # While nothing at all is confirmed, the market is not served.
                while not connection.protocol.confirmed and not self._changed.is_set():
                    await asyncio.sleep(_ACK_POLL_SECONDS)
                if connection.protocol.confirmed and not self.ready:
                    self.ready = True
                    on_ready()
                await self._changed.wait()
        finally:
            self.ready = False

    def count(self, wanted: int, connection: Connection | None) -> None:
        """Bring the metrics up to date."""
        confirmed = connection.protocol.confirmed if connection is not None else 0
        for state, count in (
            ("desired", wanted),
            ("confirmed", confirmed),
            ("unconfirmed", max(0, wanted - confirmed)),
        ):
            metrics.subscriptions.labels(self._market, state).set(count)

    async def _await_acks(self, connection: Connection) -> None:
        deadline = time.monotonic() + self._ack_seconds
        while connection.protocol.unconfirmed and time.monotonic() < deadline:
            await asyncio.sleep(_ACK_POLL_SECONDS)
        missing = sorted(connection.protocol.unconfirmed)
        if not missing:
            log.info("subscribed", market=self._market, count=connection.protocol.confirmed)
            return
        log.error(
            "subscriptions not confirmed",
            market=self._market,
            missing=len(missing),
            names=missing[:20],
            not_authorized=connection.protocol.refusals,
            fix="channel not in the plan, or unknown to the server"
            if connection.protocol.refusals
            else "unknown to the server",
        )

"""One market, kept connected: subscriptions -> connection -> publisher, and the gaps between."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timezone
from typing import Final

import structlog
from confluent_kafka import KafkaException

from polygon_streaming import metrics
from polygon_streaming.backoff import Backoff
from polygon_streaming.channels import delay, host
from polygon_streaming.connection import Connection, End, Endpoint
from polygon_streaming.errors import ConfigError, StreamError
from polygon_streaming.gaps import Gap, GapLog
from polygon_streaming.progress import Progress
from polygon_streaming.publisher import Publisher
from polygon_streaming.settings import FeedSettings
from polygon_streaming.stamps import now_ms
from polygon_streaming.trading import SilenceWatch
from polygon_streaming.watch import SubscriptionList

log = structlog.get_logger()

_ACK_POLL_SECONDS: Final = 0.05
_PINGS_MS: Final = 60_000
# `tick` comes ten times a second, unless the process or its machine stood still.
_STANDSTILL_MS: Final = 5_000


class MarketFeed:
    """Keeps one market connected, for ever.

    Attributes:
        ready: whether it is connected, authorised and all that was asked for is confirmed or
            reported.
    """

    def __init__(
        self,
        market: str,
        settings: FeedSettings,
        subscriptions: SubscriptionList,
        publisher: Publisher,
        gaps: GapLog,
        progress: Progress,
    ) -> None:
        self.market = market
        self.ready = False
        self.publisher = publisher
        metrics.begin(market)
        self.progress = progress
        self._settings = settings
        self._subscriptions = subscriptions
        self._gaps = gaps
        self._endpoint = Endpoint(
            host=host(settings.feed, settings.brand),
            market=market,
            api_key=settings.api_key.get_secret_value(),
            tls=settings.tls,
        )
        self._silence = SilenceWatch(market, settings.silence_seconds, delay(settings.feed))
        self._backoff = Backoff(settings)
        self._connection: Connection | None = None
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._missing_since: tuple[int, str] | None = None
        self._last_event_ms = 0
        self._listening_since = 0
        self._ticked_ms = now_ms()
        self._stood_still: tuple[int, int] | None = None
        self._predecessor_known = False

    async def run(self) -> None:
        """Connect, again and again, until `stop`.

        Raises:
            ConfigError: the server does not accept the key.
            KafkaException: the producer is of no further use.
        """
        await self._note_restart()
        while not self._stopping.is_set():
            started = time.monotonic()
            end = await self._connect_once()
            if self._stopping.is_set():
                return
            metrics.reconnects.labels(self.market, end.reason).inc()
            if end.reason == "auth_failed":
                raise ConfigError(
                    f"The server does not accept the key for {self.market}: {end.detail!r}. "
                    "Check POLYGON_API_KEY and whether the plan includes WebSockets for it."
                )
            if self._missing_since is None and end.authorised:
                self._missing_since = self._heard_until(end), f"disconnected: {end.reason}"
            wait = self._backoff.after(end, time.monotonic() - started)
            log.warning(
                "disconnected",
                market=self.market,
                reason=end.reason,
                detail=end.detail,
                retry_seconds=round(wait, 1),
            )
            await first(self._stopping, wait)

    def stop(self) -> None:
        """End the connection in order, and `run` with it."""
        self._stopping.set()
        if self._connection is not None:
            self._connection.close("stopped")

    def subscriptions_changed(self) -> None:
        """Bring the connection's subscriptions in line with the list."""
        self._changed.set()

    def tick(self) -> None:
        """Look after metrics and silence; called about ten times a second."""
        now = now_ms()
        if now - self._ticked_ms > _STANDSTILL_MS:
            self._stood_still = self._ticked_ms, now
        self._ticked_ms = now
        publisher = self.publisher
        if publisher.last_event_ms != self._last_event_ms:
            self._last_event_ms = publisher.last_event_ms
            self._silence.heard()
        connection = self._connection
        names = self._subscriptions.names(self.market)
        if (
            connection is not None
            and names
            and connection.authorised.is_set()
            and self._silence.too_long(datetime.now(timezone.utc), time.monotonic())
        ):
            connection.close("silent", "no event for too long in trading hours")
        publisher.flush_metrics()
        metrics.subscriptions.labels(self.market, "desired").set(len(names))
        confirmed = connection.confirmed if connection is not None else 0
        metrics.subscriptions.labels(self.market, "confirmed").set(confirmed)
        unconfirmed = max(0, len(names) - confirmed)
        metrics.subscriptions.labels(self.market, "unconfirmed").set(unconfirmed)

    def accounted_until(self, now_ms: int) -> int | None:
        """Return up to when everything is produced or recorded as a gap; None if unknown.

        What is missing is recorded once it is over and there is room for it. If the feed ends
        before, its successor has to begin where it began.
        """
        if not self._predecessor_known:
            return None
        missing = self._missing_since[0] if self._missing_since is not None else None
        starts = missing, self.publisher.missing_since, self._gaps.since(self.market)
        return min([now_ms, *(start for start in starts if start is not None)])

    async def _connect_once(self) -> End:
        connection = Connection(self._endpoint, self._on_frame)
        self._connection = connection
        self._silence.connected()
        subscribing = asyncio.create_task(self._keep_subscribed(connection))
        try:
            return await connection.run()
        finally:
            self.ready = False
            metrics.connected.labels(self.market).set(0)
            self._connection = None
            subscribing.cancel()
            await asyncio.gather(subscribing, return_exceptions=True)

    async def _keep_subscribed(self, connection: Connection) -> None:
        await connection.authorised.wait()
        metrics.connected.labels(self.market).set(1)
        log.info("connected", market=self.market, host=self._endpoint.host, id=connection.id)
        self._listening_since = now_ms()
        while True:
            self._changed.clear()
            names = self._subscriptions.names(self.market)
            await connection.want(names)
            await self._await_acks(connection)
            # While nothing at all is confirmed, the gap goes on.
            while names and not connection.confirmed and not self._changed.is_set():
                await asyncio.sleep(_ACK_POLL_SECONDS)
            self.ready = connection.confirmed > 0 or not names
            if self.ready:
                self._close_gap()
            await self._changed.wait()

    async def _await_acks(self, connection: Connection) -> None:
        deadline = time.monotonic() + self._settings.ack_seconds
        while connection.unconfirmed and time.monotonic() < deadline:
            await asyncio.sleep(_ACK_POLL_SECONDS)
        missing = sorted(connection.unconfirmed)
        if not missing:
            log.info("subscribed", market=self.market, count=connection.confirmed)
            return
        log.error(
            "subscriptions not confirmed",
            market=self.market,
            missing=len(missing),
            names=missing[:20],
            not_authorized=connection.refusals,
            fix="channel not in the plan, or unknown to the server"
            if connection.refusals
            else "unknown to the server",
        )

    def _on_frame(self, frame: str, connection: Connection) -> None:
        self.publisher.publish(frame, connection.id, now_ms(), connection.on_status)

    async def _note_restart(self) -> None:
        try:
            reached = await asyncio.to_thread(self.progress.load)
        except KafkaException as error:
            raise StreamError(f"Kafka cannot be asked for the feed's progress: {error}") from None
        if reached is None:
            log.info("first start", market=self.market, shard=self._settings.shard)
        else:
            self._missing_since = reached, "restart"
        self._predecessor_known = True

    def _heard_until(self, end: End) -> int:
        """Return up to when events of an ended connection can be taken to have come in."""
        last, now = self.publisher.last_event_ms, now_ms()
        if end.reason == "silent":
            return max(last, self._listening_since)
        if self._stood_still is not None and now - self._stood_still[1] < _PINGS_MS:
            # What came in since may have waited in the socket, with more behind it that is gone.
            return self._stood_still[0]
        # A connection that is dead without a word is noticed by its pings within 40 s.
        return max(last, now - _PINGS_MS)

    def _close_gap(self) -> None:
        if self._missing_since is None:
            return
        (start, reason), self._missing_since = self._missing_since, None
        names = sorted(self._subscriptions.names(self.market))
        feed = f"{self.market} {self._settings.shard}"
        self._gaps.record(Gap(self.market, start, now_ms(), reason, names, feed))


async def first(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but no longer than so many seconds."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except asyncio.TimeoutError:
        return

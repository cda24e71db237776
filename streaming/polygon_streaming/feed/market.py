"""One market, kept connected: subscriptions -> connection -> publisher, and anew when it ends."""

import asyncio
import time
from datetime import datetime, timezone

import structlog

from polygon_streaming.channels import delay, host
from polygon_streaming.feed.backoff import Backoff
from polygon_streaming.feed.connection import Connection, Endpoint
from polygon_streaming.feed.frames import Split
from polygon_streaming.feed.outages import Outages
from polygon_streaming.feed.pause import pause
from polygon_streaming.feed.progress import Progress
from polygon_streaming.feed.protocol import End
from polygon_streaming.feed.publisher import Publisher
from polygon_streaming.feed.silence import SilenceWatch
from polygon_streaming.feed.subscriber import Subscriber
from polygon_streaming.gaps.ledger import Ledger
from polygon_streaming.process import metrics
from polygon_streaming.settings import FeedSettings
from polygon_streaming.stamps import now_ms
from polygon_streaming.subscriptions.live import SubscriptionList

log = structlog.get_logger()


class MarketFeed:
    """Keeps one market connected, for ever.

    Attributes:
        connection: the present one; None between two.
        refused: the server's words if it does not accept the key for this market; else empty.
    """

    def __init__(
        self,
        market: str,
        settings: FeedSettings,
        subscriptions: SubscriptionList,
        publisher: Publisher,
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        self.market = market
        self.refused = ""
        self.publisher = publisher
        self.ledger = ledger
        self.progress = progress
        self._shard = settings.shard
        self._subscriber = Subscriber(market, subscriptions, settings.ack_seconds)
        self._names: frozenset[str] = frozenset()
        self._endpoint = Endpoint(
            host=host(settings.feed, settings.brand),
            market=market,
            api_key=settings.api_key.get_secret_value(),
            tls=settings.tls,
            client=settings.websocket_client,
        )
        late = delay(settings.feed)
        self._silence = SilenceWatch(market, settings.silence_seconds, late)
        self._outages = Outages(market, ledger, late, now_ms())
        self._backoff = Backoff(settings)
        self.connection: Connection | None = None
        self._stopping = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether it is connected, authorised and all that was asked for confirmed or reported."""
        return self._subscriber.ready

    @property
    def first_event_ms(self) -> int:
        """When the first event of the connection came in; 0 before."""
        return self._outages.first_event_ms

    async def run(self) -> None:
        """Connect, again and again, until `stop`.

        Raises:
            StreamError: Kafka refuses to say how far the feed had got.
            KafkaException: the producer is of no further use.
        """
        metrics.begin(self.market)
        reached = await self.progress.predecessor(self.market, self._stopping)
        if self._stopping.is_set():
            return
        if reached is None:
            log.info("first start", market=self.market, shard=self._shard)
        self._outages.started(reached, now_ms())
        while not self._stopping.is_set():
            started = time.monotonic()
            end = await self._connect_once()
            if self._stopping.is_set():
                return
            metrics.reconnects.labels(self.market, end.reason).inc()
            if end.authorised:
                self._outages.disconnected(self.publisher.last_event_ms, now_ms(), end.reason)
            flowed = self._outages.flowed_seconds
            wait = self._backoff.after(end, time.monotonic() - started, flowed)
            self._report(end, wait)
            await pause(self._stopping, wait)

    def stop(self) -> None:
        """End the connection in order, and `run` with it."""
        self._stopping.set()
        if self.connection is not None:
            self.connection.close("stopped")

    def leave(self) -> None:
        """Take note that the market is no longer on the list: what was missed until now is all."""
        self._outages.left(now_ms())
        metrics.end(self.market)

    def subscriptions_changed(self) -> None:
        """Bring the connection's subscriptions in line with the list."""
        self._subscriber.changed()

    def problem(self) -> str:
        """Return why the market is not served; empty if it is."""
        if self.refused:
            return f"{self.market}: the server refuses it: {self.refused!r}"
        if not self.ready:
            return f"{self.market}: not subscribed"
        if self._silence.fruitless and self.ledger.has_outage:
            return f"{self.market}: no event since it was connected anew because of silence"
        return ""

    def tick(self) -> None:
        """Look after outages, silence and metrics; called about ten times a second."""
        now = now_ms()
        self._names = self._subscriber.wanted or self._names
        if self._outages.tick(now, self.publisher.last_event_ms, self._names, ready=self.ready):
            self._silence.heard()
        moment = datetime.fromtimestamp(now / 1000, timezone.utc)
        connection = self.connection
        if (
            connection is not None
            and connection.authorised.is_set()
            and self._silence.too_long(moment, time.monotonic())
        ):
            connection.close("silent", "no event for too long in trading hours")
        self.publisher.flush_metrics()
        self._subscriber.count(len(self._names), connection)

    def accounted_until(self) -> int | None:
        """Return up to when everything is produced or recorded as a gap; None if unknown."""
        return self._outages.accounted_until(self.publisher.last_event_ms)

    async def _connect_once(self) -> End:
        connection = Connection(self._endpoint, self._on_events)
        self.connection = connection
        self._outages.connecting()
        self._silence.connected()
        subscribing = asyncio.create_task(self._keep_subscribed(connection))
        try:
            return await connection.run()
        finally:
            metrics.connected.labels(self.market).set(0)
            self.connection = None
            subscribing.cancel()
            await asyncio.gather(subscribing, return_exceptions=True)

    async def _keep_subscribed(self, connection: Connection) -> None:
        await connection.authorised.wait()
        self._refuse("")
        metrics.connected.labels(self.market).set(1)
        log.info("connected", market=self.market, host=self._endpoint.host, id=connection.id)
        await self._subscriber.keep(connection, lambda: self._outages.ready(now_ms()))

    def _on_events(self, events: Split, connection: Connection) -> None:
        self.publisher.publish(events, connection.id, now_ms())

    def _report(self, end: End, wait: float) -> None:
        """Say why a connection ended, and when the next one comes."""
        common = {"market": self.market, "detail": end.detail, "retry_seconds": round(wait, 1)}
        if end.reason == "auth_failed":
            self._refuse(end.detail or end.reason)
            log.error(
                "market refused",
                fix="check POLYGON_API_KEY, and whether the plan includes WebSockets for it",
                state=f"refused {self.market}",
                **common,
            )
        else:
            log.warning(
                "disconnected",
                reason=end.reason,
                state=f"disconnected {self.market} {end.reason}",
                **common,
            )

    def _refuse(self, words: str) -> None:
        self.refused = words
        metrics.refused.labels(self.market).set(bool(words))

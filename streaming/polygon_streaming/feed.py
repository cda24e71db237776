"""The feed: subscriptions -> one supervised connection a market -> Kafka.

    list --watch--> MarketFeed --Connection--> Publisher --librdkafka's queue--> raw topic
                        |                          |
                        +---- disconnects ---------+--- what found no room --> gaps topic

Everything runs on one event loop, and nothing in it waits for Kafka.
"""

from __future__ import annotations

import asyncio
import random
import time
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer

from polygon_streaming import broker, metrics
from polygon_streaming.channels import host
from polygon_streaming.connection import Connection, End, Endpoint
from polygon_streaming.errors import ConfigError, StreamError
from polygon_streaming.gaps import Gap, GapLog
from polygon_streaming.progress import Progress
from polygon_streaming.publisher import Publisher
from polygon_streaming.settings import FeedSettings
from polygon_streaming.stamps import now_ms
from polygon_streaming.trading import SilenceWatch, is_open
from polygon_streaming.watch import SubscriptionList

log = structlog.get_logger()

_DELAY: Final = timedelta(minutes=15)
_TICK_SECONDS: Final = 0.1
_PROGRESS_SECONDS: Final = 5.0
# A connection that lasted this long was a good one: the next failure starts from the first wait.
_GOOD_SECONDS: Final = 60.0
# An eviction by max_connections can come a while after auth_success, which proves nothing.
_UNDISTURBED_SECONDS: Final = 600.0
_COOL_DOWN_GROWTH: Final = 15
_FLUSH_SECONDS: Final = 15.0


class Backoff:
    """How long to wait before the next connection."""

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
            wait = first * min(2.0**self._evictions, _COOL_DOWN_GROWTH)
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
        delayed = settings.feed.startswith("delayed")
        delay = _DELAY if delayed else timedelta(0)
        self._silence = SilenceWatch(market, settings.silence_seconds, delay)
        self._backoff = Backoff(settings)
        self._connection: Connection | None = None
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._missing_since: tuple[int, str] | None = None
        self._last_event_ms = 0

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
                self._missing_since = now_ms(), f"disconnected: {end.reason}"
            wait = self._backoff.after(end, time.monotonic() - started)
            log.warning(
                "disconnected",
                market=self.market,
                reason=end.reason,
                detail=end.detail,
                retry_seconds=round(wait, 1),
            )
            await _first(self._stopping, wait)

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
        publisher = self.publisher
        if publisher.last_event_ms != self._last_event_ms:
            self._last_event_ms = publisher.last_event_ms
            self._silence.heard()
        connection = self._connection
        if (
            connection is not None
            and connection.authorised.is_set()
            and self._silence.too_long(datetime.now(timezone.utc), time.monotonic())
        ):
            connection.close("silent", "no event for too long in trading hours")
        publisher.flush_metrics()
        names = self._subscriptions.names(self.market)
        metrics.subscriptions.labels(self.market, "desired").set(len(names))
        confirmed = connection.confirmed if connection is not None else 0
        metrics.subscriptions.labels(self.market, "confirmed").set(confirmed)

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
        while True:
            self._changed.clear()
            names = self._subscriptions.names(self.market)
            await connection.want(names)
            await self._await_acks(connection)
            self._close_gap()
            self.ready = connection.confirmed > 0 or not names
            await self._changed.wait()

    async def _await_acks(self, connection: Connection) -> None:
        deadline = time.monotonic() + self._settings.ack_seconds
        while connection.unconfirmed and time.monotonic() < deadline:
            await asyncio.sleep(_TICK_SECONDS / 2)
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
        if reached is not None:
            self._missing_since = reached, "restart"

    def _close_gap(self) -> None:
        if self._missing_since is None:
            return
        (start, reason), self._missing_since = self._missing_since, None
        names = sorted(self._subscriptions.names(self.market))
        feed = f"{self.market} {self._settings.shard}"
        self._gaps.record(Gap(self.market, start, now_ms(), reason, names, feed))


class Feed:
    """All markets of one process."""

    def __init__(self, settings: FeedSettings, subscriptions: SubscriptionList) -> None:
        """Prepare a feed; `subscriptions` is loaded.

        Raises:
            ConfigError: a Kafka property is wrong.
        """
        self._settings = settings
        self._subscriptions = subscriptions
        self._failure: StreamError | None = None
        self._stop = asyncio.Event()
        self.producer: Producer = broker.producer(
            settings,
            {
                # A broker that is away for an hour costs memory, not data: records wait until the
                # queue is full, and only then is there a gap.
                "message.timeout.ms": 0,
                "queue.buffering.max.messages": settings.buffer_records,
                "queue.buffering.max.kbytes": settings.buffer_megabytes * 1024,
            },
            self._on_failure,
        )
        self._gaps = GapLog(self.producer, settings.gaps_topic)
        self.markets: dict[str, MarketFeed] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Feed until `stop`; then deliver what is queued.

        Raises:
            StreamError: it cannot go on, or not everything could be delivered.
        """
        # Loads the exchange's calendar now rather than in the loop, where it would take a second.
        is_open("stocks", datetime.now(timezone.utc))
        self._open_markets()
        watching = asyncio.create_task(
            self._subscriptions.watch(self._settings.reload_seconds, self._on_change)
        )
        progress_due = time.monotonic() + _PROGRESS_SECONDS
        try:
            while not self._stop.is_set():
                await _first(self._stop, _TICK_SECONDS)
                self._tick()
                self._check()
                if time.monotonic() >= progress_due:
                    progress_due += _PROGRESS_SECONDS
                    self._store_progress()
        finally:
            watching.cancel()
            await self._shut_down()

    def stop(self) -> None:
        """Make `run` end in order. For a signal handler of the event loop."""
        self._stop.set()

    def problems(self) -> list[str]:
        """Return why the feed is not ready; nothing if it is."""
        if not self.markets:
            return ["starting"]
        found = [f"{m.market}: not subscribed" for m in self.markets.values() if not m.ready]
        if len(self.producer) > 0.8 * self._settings.buffer_records:
            found.append("kafka: the queue is over 80% full")
        return found

    def _open_markets(self) -> None:
        for market in self._subscriptions.markets():
            if market not in self.markets:
                self.markets[market] = self._market_feed(market)
                self._tasks[market] = asyncio.create_task(self.markets[market].run())

    def _market_feed(self, market: str) -> MarketFeed:
        settings = self._settings
        name = f"{market} {settings.shard}"
        group = f"polygon-stream-feed {name}".replace(" ", "-").replace("/", "-")
        topics = settings.raw_topic, settings.dead_letter_topic
        publisher = Publisher(market, name, self.producer, *topics, self._gaps)
        progress = Progress(broker.consumer(settings, group), settings.raw_topic)
        return MarketFeed(market, settings, self._subscriptions, publisher, self._gaps, progress)

    def _on_change(self) -> None:
        self._open_markets()
        for market in self.markets.values():
            market.subscriptions_changed()

    def _tick(self) -> None:
        self.producer.poll(0)
        self._gaps.retry()
        metrics.queue.set(len(self.producer))
        for market in self.markets.values():
            market.tick()
            market.progress.mark(now_ms(), self._produced(), len(self.producer))

    def _produced(self) -> int:
        return sum(market.publisher.produced for market in self.markets.values())

    def _store_progress(self) -> None:
        for market in self.markets.values():
            market.progress.store()

    def _check(self) -> None:
        """Raise what ended a market or the producer."""
        for task in self._tasks.values():
            if task.done():
                error = task.exception()
                if isinstance(error, KafkaException):
                    raise StreamError(f"Kafka: {error}. The feed must be started anew.") from error
                if error is not None:
                    raise error
        if self._failure is not None:
            raise self._failure

    def _on_failure(self, error: KafkaError, message: Any) -> None:
        headers = dict(message.headers() or [])
        market = self.markets.get((headers.get("market") or b"").decode())
        if market is not None and message.topic() == self._settings.raw_topic:
            market.publisher.not_delivered(error, message.key(), message.timestamp()[1])
        log.error("not delivered", topic=message.topic(), reason=error.str())
        if error.fatal():
            self._failure = StreamError(f"Kafka: {error.str()}. The feed must be started anew.")

    async def _shut_down(self) -> None:
        started = time.monotonic()
        for market in self.markets.values():
            market.stop()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=3)
        for task in self._tasks.values():
            task.cancel()
        now = now_ms()
        for market in self.markets.values():
            market.publisher.finish(now)
        self._gaps.retry()
        rest = await asyncio.to_thread(self.producer.flush, _FLUSH_SECONDS)
        for market in self.markets.values():
            market.publisher.flush_metrics()
            if rest:
                market.progress.close()
            else:
                market.progress.finish(now)
        log.info("stopped", undelivered=rest, seconds=round(time.monotonic() - started, 1))
        if rest or self._gaps.waiting:
            for gap in self._gaps.waiting:
                log.error("gap not recorded", gap=gap.encode().decode())
            raise StreamError(
                f"{rest} records could not be delivered to Kafka in {_FLUSH_SECONDS:.0f} s. "
                "The next start records a gap from the last delivered one."
            )


async def _first(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but no longer than so many seconds."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except asyncio.TimeoutError:
        return

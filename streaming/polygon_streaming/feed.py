"""The feed: subscriptions -> one supervised connection a market -> Kafka.

    list --watch--> MarketFeed --Connection--> Publisher --librdkafka's queue--> raw topic
                        |                          |
                        +---- disconnects ---------+--- what found no room --> gaps topic

Everything runs on one event loop, and nothing in it waits for Kafka.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timezone
from typing import Any, Final

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer

from polygon_streaming import broker, metrics
from polygon_streaming.channels import delay
from polygon_streaming.errors import StreamError
from polygon_streaming.gaps import GapLog
from polygon_streaming.market import MarketFeed, first
from polygon_streaming.progress import Progress
from polygon_streaming.publisher import Publisher
from polygon_streaming.settings import FeedSettings
from polygon_streaming.stamps import now_ms
from polygon_streaming.trading import is_open
from polygon_streaming.watch import SubscriptionList

log = structlog.get_logger()

_TICK_SECONDS: Final = 0.1
_PROGRESS_SECONDS: Final = 5.0
_FLUSH_SECONDS: Final = 15.0


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
        metrics.queue_limit.set(settings.buffer_records)
        self._gaps = GapLog(self.producer, settings.gaps_topic, delay(settings.feed))
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
        watching = self._subscriptions.watch(self._settings.reload_seconds, self._on_change)
        self._tasks["the list"] = asyncio.create_task(watching)
        progress_due = time.monotonic() + _PROGRESS_SECONDS
        try:
            while not self._stop.is_set():
                await first(self._stop, _TICK_SECONDS)
                self._tick()
                self._check()
                if time.monotonic() >= progress_due:
                    progress_due += _PROGRESS_SECONDS
                    self._store_progress()
        finally:
            await self._shut_down()

    def stop(self) -> None:
        """Make `run` end in order. For a signal handler of the event loop."""
        self._stop.set()

    def problems(self) -> list[str]:
        """Return why the feed is not ready; nothing if it is."""
        if self._stop.is_set():
            return ["stopping"]
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
            until = market.accounted_until(now_ms())
            if until is not None:
                market.progress.mark(until, self._produced(), len(self.producer))

    def _produced(self) -> int:
        return sum(market.publisher.produced for market in self.markets.values())

    def _store_progress(self) -> None:
        for market in self.markets.values():
            market.progress.store()

    def _check(self) -> None:
        """Raise what ended a market, the watch over the list, or the producer."""
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
            event_type = (headers.get("event_type") or b"?").decode()
            received_ms = message.timestamp()[1]
            market.publisher.not_delivered(error, event_type, message.key(), received_ms)
        elif message.topic() == self._settings.gaps_topic:
            self._gaps.not_delivered(message.value())
        log.error("not delivered", topic=message.topic(), reason=error.str())
        if error.fatal():
            self._failure = StreamError(f"Kafka: {error.str()}. The feed must be started anew.")

    async def _shut_down(self) -> None:
        started = time.monotonic()
        self._stop.set()
        self._tasks["the list"].cancel()
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
        ends = []
        for market in self.markets.values():
            market.publisher.flush_metrics()
            until = market.accounted_until(now)
            if rest or until is None:
                market.progress.close()
            else:
                ends.append(asyncio.to_thread(market.progress.finish, until))
        # At once: each may wait ten seconds for brokers that have gone.
        await asyncio.gather(*ends)
        if not rest:
            self.producer.close()  # with something left it would wait for the brokers
        log.info("stopped", undelivered=rest, seconds=round(time.monotonic() - started, 1))
        if rest or self._gaps.waiting:
            for gap in self._gaps.waiting:
                log.error("gap not recorded", gap=gap.encode().decode())
            left = rest + len(self._gaps.waiting)
            raise StreamError(
                f"{left} records could not be delivered to Kafka in {_FLUSH_SECONDS:.0f} s. "
                "The next start records a gap from the last delivered one."
            )

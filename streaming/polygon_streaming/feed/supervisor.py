"""The feed: subscriptions -> one supervised connection a market -> Kafka.

    list --watch--> MarketFeed --Connection--> Publisher --librdkafka's queue--> raw topic
                        |                          |
                        +--- outages --> Ledger <--+-- what was not taken --> gaps topic

Everything runs on one event loop, and nothing in it waits for Kafka.
"""

import asyncio
import time
from datetime import datetime, timezone
from threading import Event as ThreadEvent
from typing import Final

import structlog
from confluent_kafka import KafkaException

from polygon_streaming.channels import delay
from polygon_streaming.counted import counted
from polygon_streaming.errors import ConfigError, StreamError
from polygon_streaming.feed.clients import FeedClients
from polygon_streaming.feed.delivery import Delivery
from polygon_streaming.feed.market import MarketFeed
from polygon_streaming.feed.markets import Markets
from polygon_streaming.feed.official_client import require
from polygon_streaming.feed.pause import pause
from polygon_streaming.feed.progress import Progress
from polygon_streaming.feed.publisher import Publisher
from polygon_streaming.gaps.gap import Gap
from polygon_streaming.gaps.ledger import Ledger
from polygon_streaming.gaps.topic import GapsTopic
from polygon_streaming.kafka.watch import BrokerWatch
from polygon_streaming.process import metrics
from polygon_streaming.process.heartbeat import Heartbeat
from polygon_streaming.settings import FeedSettings
from polygon_streaming.stamps import now_ms
from polygon_streaming.subscriptions.live import SubscriptionList
from polygon_streaming.trading import is_open

log = structlog.get_logger()

_TICK_SECONDS: Final = 0.1
_PROGRESS_SECONDS: Final = 5.0
_FLUSH_SECONDS: Final = 12.0
_GAPS_SECONDS: Final = 3.0


class Feed:
    """All markets of one process."""

    def __init__(
        self, settings: FeedSettings, subscriptions: SubscriptionList, clients: FeedClients
    ) -> None:
        """Prepare a feed; `subscriptions` is loaded.

        Raises:
            ConfigError: the vendor's client is not installed.
        """
        require(settings.websocket_client)
        self.heartbeat = Heartbeat()
        self.producer = clients.producer
        self._settings = settings
        self._subscriptions = subscriptions
        self._progress = clients.progress
        self._stop = asyncio.Event()
        metrics.queue_limit.set(settings.buffer_records)
        self._delivery = Delivery(self.producer)
        self._gaps = GapsTopic(clients.gaps_producer, settings.gaps_topic, delay(settings.feed))
        topics = settings.raw_topic, settings.gaps_topic, settings.dead_letter_topic
        self._brokers = BrokerWatch(clients.watcher, topics, creator=self.producer)
        self.markets = Markets(subscriptions, self._market_feed)
        # A ledger outlives its market: what was produced before may still be refused.
        self._ledgers: dict[str, Ledger] = {}

    def run(self, stop: ThreadEvent) -> None:
        """Feed until `stop` is set, in a loop of its own; then deliver what is queued.

        Raises:
            ConfigError, StreamError: as for `run_async`.
        """
        asyncio.run(self._run_until(stop))

    async def run_async(self) -> None:
        """Feed until `stop` is called; then deliver what is queued.

        Raises:
            ConfigError: the server refuses every market.
            StreamError: it cannot go on, or not everything is delivered or on record.
        """
        # Loads the exchange's calendar now rather than in the loop, where it would take a second.
        is_open("stocks", datetime.now(timezone.utc))
        with self._brokers:
            self.markets.start(self._settings.reload_seconds)
            progress_due = time.monotonic() + _PROGRESS_SECONDS
            try:
                while not self._stop.is_set():
                    await pause(self._stop, _TICK_SECONDS)
                    self._tick()
                    self._check()
                    if time.monotonic() >= progress_due:
                        progress_due += _PROGRESS_SECONDS
                        self._store_progress()
            finally:
                await self._shut_down()

    def stop(self) -> None:
        """Make `run_async` end in order. To be called in its event loop."""
        self._stop.set()

    def problems(self) -> list[str]:
        """Return why the feed is not ready; nothing if it is. From any thread."""
        if self._stop.is_set():
            return ["stopping"]
        markets = list(self.markets.open.values())
        if not markets:
            return ["starting"]
        found = [problem for market in markets if (problem := market.problem())]
        ledgers = dict(self._ledgers)
        found += [
            f"{market}: events are being lost: {ledger.losing}"
            for market, ledger in ledgers.items()
            if ledger.losing
        ]
        found += self._brokers.problems() + self._delivery.problems()
        refusal = next((ledger.refusal for ledger in ledgers.values() if ledger.refusal), "")
        if refusal:
            found.append(f"kafka: gaps cannot be recorded: {refusal}")
        if len(self.producer) > 0.8 * self._settings.buffer_records:
            found.append("kafka: the queue is over 80% full")
        return found

    async def _run_until(self, stop: ThreadEvent) -> None:
        async def listen() -> None:
            await asyncio.to_thread(stop.wait)
            self.stop()

        listening = asyncio.create_task(listen())
        try:
            await self.run_async()
        finally:
            stop.set()  # the thread that waits for it would keep the process
            await listening

    def _market_feed(self, market: str) -> MarketFeed:
        settings = self._settings
        name = f"{market} {settings.shard}"
        group = f"polygon-stream-feed {name}".replace(" ", "-").replace("/", "-")
        ledger = self._ledgers.setdefault(market, Ledger(market, name, self._gaps))
        topics = settings.raw_topic, settings.dead_letter_topic
        publisher = Publisher(market, self.producer, *topics, ledger)
        self._delivery.add(publisher)
        progress = Progress(self._progress(group), settings.raw_topic)
        return MarketFeed(market, settings, self._subscriptions, publisher, ledger, progress)

    def _tick(self) -> None:
        self.heartbeat.beat()
        self._delivery.tick()
        self._gaps.poll()
        metrics.queue.set(len(self.producer))
        now = now_ms()
        for market in self.markets.open.values():
            market.tick()
            until = market.accounted_until()
            if until is not None:
                market.progress.mark(until, self._delivery.produced, self._delivery.outstanding)
        for ledger in self._ledgers.values():
            ledger.settle(now, self._delivery.delivered, self._delivery.outstanding)
            ledger.retry()

    def _store_progress(self) -> None:
        for market in self.markets.open.values():
            market.progress.store()

    def _check(self) -> None:
        """Raise what ended a market, the watch over the list, the producer, or all markets."""
        error = self.markets.ended()
        if isinstance(error, KafkaException):
            raise StreamError(f"Kafka: {error}. The feed must be started anew.") from error
        if error is not None:
            raise error
        if self._delivery.failure is not None:
            words = self._delivery.failure.str()
            raise StreamError(f"Kafka: {words}. The feed must be started anew.")
        refused = {m.market: m.refused for m in self.markets.open.values() if m.refused}
        if refused and len(refused) == len(self.markets.open):
            said = ", ".join(f"{market} ({words!r})" for market, words in refused.items())
            raise ConfigError(
                f"The server does not accept the key for {said}: no market is served. "
                "Check POLYGON_API_KEY and whether the plan includes WebSockets for it."
            )

    async def _shut_down(self) -> None:
        started = time.monotonic()
        self._stop.set()
        await self.markets.stop()
        # The last report first: only then is it known what is missing.
        undelivered = await asyncio.to_thread(self._delivery.finish, _FLUSH_SECONDS)
        losing = {name: ledger.losing for name, ledger in self._ledgers.items() if ledger.losing}
        for ledger in self._ledgers.values():
            ledger.finish(now_ms())
        await asyncio.to_thread(self._gaps.flush, _GAPS_SECONDS)
        await self._end_progress()
        lost = sum(ledger.events_lost for ledger in self._ledgers.values())
        unrecorded = self._unrecorded()
        log.info(
            "stopped",
            delivered=self._delivery.delivered,
            lost=lost,
            undelivered=undelivered,
            gaps=sum(ledger.gaps_recorded for ledger in self._ledgers.values()),
            gaps_not_recorded=len(unrecorded),
            seconds=round(time.monotonic() - started, 1),
        )
        for gap in unrecorded:
            log.error("gap not recorded", gap=gap.encode().decode())
        if unrecorded:
            raise StreamError(
                f"{counted(lost, 'event')} did not reach Kafka, and "
                f"{counted(len(unrecorded), 'gap')} could not be recorded there. "
                "The next start records a gap from the last moment that is accounted for."
            )
        if losing:
            said = ", ".join(f"{market} ({reason})" for market, reason in losing.items())
            raise StreamError(
                f"{counted(lost, 'event')} did not reach Kafka; to the end it did not take those "
                f"of {said}. They are on record as gaps, for `polygon-stream heal`."
            )

    async def _end_progress(self) -> None:
        ends = []
        unrecorded = self._unrecorded()
        for market in self.markets.open.values():
            market.publisher.flush_metrics()
            until = market.accounted_until()
            # With gaps that are not recorded the brokers are away, or what is stored holds good.
            if until is None or unrecorded:
                market.progress.close()
            else:
                ends.append(asyncio.to_thread(market.progress.finish, until))
        # At once: each may wait ten seconds for brokers that have gone.
        await asyncio.gather(*ends)

    def _unrecorded(self) -> list[Gap]:
        return [gap for ledger in self._ledgers.values() for gap in ledger.unrecorded]

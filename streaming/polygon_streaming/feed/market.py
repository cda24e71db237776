"""One market, kept connected: subscriptions -> connection -> publisher, and what is missed between.

An outage lasts from the last event before a connection ended to the first event on one whose
subscriptions are confirmed: a confirmation alone proves nothing, and neither does silence. One that
goes on is put on record in parts, at the end of trading hours and once an hour within them.
"""

import asyncio
import time
from datetime import datetime, timezone
from typing import Final

import structlog
from confluent_kafka import KafkaError, KafkaException

from polygon_streaming.channels import delay, host
from polygon_streaming.errors import StreamError
from polygon_streaming.feed.backoff import Backoff
from polygon_streaming.feed.connection import Connection, Endpoint
from polygon_streaming.feed.frames import Split
from polygon_streaming.feed.hearing import Hearing
from polygon_streaming.feed.progress import Progress
from polygon_streaming.feed.protocol import End
from polygon_streaming.feed.publisher import Publisher
from polygon_streaming.feed.silence import SilenceWatch
from polygon_streaming.gaps.ledger import Ledger
from polygon_streaming.kafka.errors import ends_consumer
from polygon_streaming.process import metrics
from polygon_streaming.settings import FeedSettings
from polygon_streaming.stamps import now_ms
from polygon_streaming.subscriptions.live import SubscriptionList
from polygon_streaming.trading import is_open

log = structlog.get_logger()

_ACK_POLL_SECONDS: Final = 0.05
_ASK_AGAIN_SECONDS: Final = 1.0
_PART_MS: Final = 3_600_000


class MarketFeed:
    """Keeps one market connected, for ever.

    Attributes:
        ready: whether it is connected, authorised and all that was asked for is confirmed or
            reported.
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
        self.ready = False
        self.refused = ""
        self.publisher = publisher
        self.ledger = ledger
        self.progress = progress
        self._settings = settings
        self._subscriptions = subscriptions
        self._names: frozenset[str] = frozenset()
        self._endpoint = Endpoint(
            host=host(settings.feed, settings.brand),
            market=market,
            api_key=settings.api_key.get_secret_value(),
            tls=settings.tls,
            client=settings.websocket_client,
        )
        self._delay = delay(settings.feed)
        self._silence = SilenceWatch(market, settings.silence_seconds, self._delay)
        self._backoff = Backoff(settings)
        self._connection: Connection | None = None
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._hearing = Hearing(now_ms())
        self._was_open = False
        self._predecessor_known = False

    async def run(self) -> None:
        """Connect, again and again, until `stop`.

        Raises:
            StreamError: Kafka refuses to say how far the feed had got.
            KafkaException: the producer is of no further use.
        """
        metrics.begin(self.market)
        await self._note_restart()
        while not self._stopping.is_set():
            started = time.monotonic()
            end = await self._connect_once()
            if self._stopping.is_set():
                return
            metrics.reconnects.labels(self.market, end.reason).inc()
            heard = self._hearing.until(self.publisher.last_event_ms)
            if end.authorised and heard:
                self.ledger.disconnected(heard, now_ms(), f"disconnected: {end.reason}")
            flowed = self._hearing.flowed_seconds
            wait = self._backoff.after(end, time.monotonic() - started, flowed)
            self._report(end, wait)
            await pause(self._stopping, wait)

    def stop(self) -> None:
        """End the connection in order, and `run` with it."""
        self._stopping.set()
        if self._connection is not None:
            self._connection.close("stopped")

    def leave(self) -> None:
        """Take note that the market is no longer on the list: what was missed until now is all."""
        self.ledger.restored(now_ms(), self._names)
        metrics.end(self.market)

    def subscriptions_changed(self) -> None:
        """Bring the connection's subscriptions in line with the list."""
        self._changed.set()

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
        self._names = self._subscriptions.names(self.market) or self._names
        if self._hearing.tick(now, self.publisher.last_event_ms):
            self._silence.heard()
            if self.ready and self._hearing.since_ready:
                self.ledger.restored(now, self._names)
        moment = datetime.fromtimestamp(now / 1000, timezone.utc)
        self._record_part(now, moment)
        connection = self._connection
        if (
            connection is not None
            and connection.authorised.is_set()
            and self._silence.too_long(moment, time.monotonic())
        ):
            connection.close("silent", "no event for too long in trading hours")
        self.publisher.flush_metrics()
        metrics.subscriptions.labels(self.market, "desired").set(len(self._names))
        confirmed = connection.protocol.confirmed if connection is not None else 0
        metrics.subscriptions.labels(self.market, "confirmed").set(confirmed)
        unconfirmed = max(0, len(self._names) - confirmed)
        metrics.subscriptions.labels(self.market, "unconfirmed").set(unconfirmed)

    def accounted_until(self) -> int | None:
        """Return up to when everything is produced or recorded as a gap; None if unknown.

        That is the last event, for it takes another one to prove that there was none in between.
        What is missing is recorded once it is over. If the feed ends before, its successor has to
        begin where it began.
        """
        if not self._predecessor_known:
            return None
        missing = self.ledger.since
        if missing is not None:
            return missing
        return self._hearing.until(self.publisher.last_event_ms) or None

    async def _connect_once(self) -> End:
        connection = Connection(self._endpoint, self._on_events)
        self._connection = connection
        self._hearing.connected()
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
        self._refuse("")
        metrics.connected.labels(self.market).set(1)
        log.info("connected", market=self.market, host=self._endpoint.host, id=connection.id)
        while True:
            self._changed.clear()
            await connection.want(self._subscriptions.names(self.market))
            await self._await_acks(connection)
            self.ready &= connection.protocol.confirmed > 0
            # While nothing at all is confirmed, the market is not served.
            while not connection.protocol.confirmed and not self._changed.is_set():
                await asyncio.sleep(_ACK_POLL_SECONDS)
            if connection.protocol.confirmed and not self.ready:
                self.ready = True
                self._hearing.ready(now_ms())
            await self._changed.wait()

    async def _await_acks(self, connection: Connection) -> None:
        deadline = time.monotonic() + self._settings.ack_seconds
        while connection.protocol.unconfirmed and time.monotonic() < deadline:
            await asyncio.sleep(_ACK_POLL_SECONDS)
        missing = sorted(connection.protocol.unconfirmed)
        if not missing:
            log.info("subscribed", market=self.market, count=connection.protocol.confirmed)
            return
        log.error(
            "subscriptions not confirmed",
            market=self.market,
            missing=len(missing),
            names=missing[:20],
            not_authorized=connection.protocol.refusals,
            fix="channel not in the plan, or unknown to the server"
            if connection.protocol.refusals
            else "unknown to the server",
        )

    def _on_events(self, events: Split, connection: Connection) -> None:
        self.publisher.publish(events, connection.id, now_ms())

    async def _note_restart(self) -> None:
        reached = await self._predecessor()
        if self._stopping.is_set():
            return
        if reached is None:
            log.info("first start", market=self.market, shard=self._settings.shard)
        else:
            now = now_ms()
            self._hearing.follow(min(reached, now))
            self.ledger.disconnected(min(reached, now), now, "restart")
        self._predecessor_known = True

    async def _predecessor(self) -> int | None:
        """Return how far the feed had got before, once the brokers say so."""
        while not self._stopping.is_set():
            try:
                return await asyncio.to_thread(self.progress.load)
            except KafkaException as error:
                reason: KafkaError = error.args[0]
                if ends_consumer(reason):
                    raise StreamError(
                        f"Kafka cannot be asked for the feed's progress: {reason.str()}."
                    ) from None
                log.error(
                    "progress not known yet",
                    market=self.market,
                    reason=reason.str(),
                    state=f"progress {self.market}",
                )
            await pause(self._stopping, _ASK_AGAIN_SECONDS)
        return None

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

    def _record_part(self, now: int, moment: datetime) -> None:
        was_open, self._was_open = self._was_open, is_open(self.market, moment - self._delay)
        noted = self.ledger.outage_noted_ms()
        if noted is None:
            return
        over = was_open and not self._was_open
        if over or (self._was_open and now - noted >= _PART_MS):
            self.ledger.record_part(now, self._names)


async def pause(until: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but no longer than so many seconds."""
    try:
        await asyncio.wait_for(until.wait(), seconds)
    except asyncio.TimeoutError:
        return

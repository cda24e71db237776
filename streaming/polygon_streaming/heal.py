"""Healing: what a gap left out, from the REST aggregates, into the raw topic.

A healed bar has the shape of a streamed one and the header `healed`. It carries what REST knows:
no accumulated volume, no official open. Where the stream did deliver a bar of the window, both are
there, and the table keeps the one that came last; healing twice does no harm.

Only bars can be healed (A and AM, XA and XAS, CA and CAS), not trades and quotes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from threading import Event
from typing import Any, Final

import msgspec
import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

from polygon_streaming import broker
from polygon_streaming.channels import AGGREGATE_SECONDS, WILDCARD
from polygon_streaming.errors import StreamError
from polygon_streaming.gaps import Gap, decode
from polygon_streaming.rest import Rest
from polygon_streaming.settings import HealSettings
from polygon_streaming.sources import open_source
from polygon_streaming.stamps import now_ms, to_text
from polygon_streaming.watch import SubscriptionList

log = structlog.get_logger()

_JOIN_SECONDS: Final = 45.0
# A bar comes a second or two after its window: one that had ended when the gap began may have been
# on its way.
_LATE_MS: Final = 5_000
# A wildcard's gap takes minutes at the pace of a paid plan and hours at that of the free one. The
# group must not take the partition away meanwhile.
_MAX_POLL_MS: Final = 86_400_000
# What an undelivered record was taken for that does not say its type.
_SECOND_BARS: Final = {"crypto": "XAS", "forex": "CAS"}


@dataclass(slots=True)
class Healed:
    """What a run has done."""

    gaps: int = 0
    bars: int = 0
    left_out: int = 0
    unreadable: int = 0


class Healer:
    """Reads the gaps topic to its end and heals what is new."""

    def __init__(self, settings: HealSettings) -> None:
        self._settings = settings
        self._rest = Rest(
            settings.rest_url, settings.api_key.get_secret_value(), settings.requests_per_minute
        )
        self._producer: Producer = broker.producer(settings, {}, self._on_failure)
        self._consumer: Consumer = broker.consumer(
            settings,
            settings.group,
            {"enable.partition.eof": True, "max.poll.interval.ms": _MAX_POLL_MS},
        )
        self._undelivered = 0
        self._stop = Event()

    def run(self, stop: Event | None = None) -> Healed:
        """Heal every gap that this group has not healed, and return what was done.

        Raises:
            StreamError: REST or Kafka refuses, it is too early, or `stop` was set; healed gaps stay
                healed.
            ConfigError: a gap does not name what is missing, and there is no list to go by.
        """
        self._stop = stop or self._stop
        done = Healed()
        self._consumer.subscribe([self._settings.gaps_topic])
        try:
            for message in self._messages():
                self._heal(message, done)
                # A gap counts as healed when its bars are in Kafka.
                rest = self._producer.flush(60)
                if rest or self._undelivered:
                    raise StreamError(f"{rest + self._undelivered} bars could not be delivered.")
                self._consumer.commit(message=message, asynchronous=False)
        except KafkaException as error:
            raise StreamError(f"Kafka: {error.args[0].str()}.") from error
        finally:
            self._consumer.close()
            if not len(self._producer):
                self._producer.close()  # with something left it would wait for the brokers
        return done

    def _messages(self) -> Iterator[Message]:
        """Return the gaps up to the end of each partition.

        Raises:
            StreamError: the group does not get the partitions; another healer may hold them.
        """
        at_end: set[int] = set()
        deadline = time.monotonic() + _JOIN_SECONDS
        while True:
            self._end_if_stopped()
            assigned = {place.partition for place in self._consumer.assignment()}
            if assigned and assigned <= at_end:
                return
            if not assigned and time.monotonic() > deadline:
                raise StreamError(f"{self._settings.gaps_topic} is not assigned to this healer.")
            message = self._consumer.poll(0.5)
            if message is None:
                continue
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                at_end.add(message.partition() or 0)
            elif broker.is_fatal(error):
                raise KafkaException(error)

    def _heal(self, message: Message, done: Healed) -> None:
        try:
            gap = decode(message.value() or b"")
        except ValueError as error:
            done.unreadable += 1
            log.error("gap skipped", offset=message.offset(), reason=str(error))
            return
        bars = 0
        for part in self._named(gap):
            for channel, symbol in self._targets(part, done):
                self._end_if_stopped()
                bars += self._heal_symbol(part, channel, symbol)
        done.gaps += 1
        done.bars += bars
        start, end = to_text(gap.start_ms), to_text(gap.end_ms)
        log.info("healed", market=gap.market, start=start, end=end, reason=gap.reason, bars=bars)

    def _named(self, gap: Gap) -> list[Gap]:
        """Return a gap that says what is missing; for one that does not, everything of the list.

        Raises:
            ConfigError: the list is needed, and cannot be read.
        """
        if gap.subscriptions:
            return [gap]
        settings = self._settings
        listed = SubscriptionList(open_source(settings.subscriptions, settings.s3_endpoint_url))
        listed.load()
        return [
            replace(gap, market=market, subscriptions=sorted(listed.names(market)))
            for market in listed.markets()
        ]

    def _targets(self, gap: Gap, done: Healed) -> Iterator[tuple[str, str]]:
        """Return channel and symbol of each series of bars that the gap cut."""
        for name in gap.subscriptions:
            channel, _, symbol = name.partition(".")
            if channel == "?":
                channel = _SECOND_BARS.get(gap.market, "A")
            if channel not in AGGREGATE_SECONDS:
                log.warning("not healed", subscription=name, reason="only bars can be")
                done.left_out += 1
                continue
            symbols = self._every(gap) if symbol == WILDCARD else [symbol]
            if not symbols:
                log.warning("not healed", subscription=name, reason="no list of what traded")
                done.left_out += 1
            beyond = len(symbols) - self._settings.max_symbols
            if beyond > 0:
                log.warning("not healed", subscription=name, symbols=beyond, fix="--max-symbols")
                done.left_out += beyond
            for each in symbols[: self._settings.max_symbols]:
                yield channel, each

    def _every(self, gap: Gap) -> list[str]:
        """Return the symbols that a wildcard stood for: what traded on the last day with bars."""
        moment = datetime.fromtimestamp(gap.start_ms / 1000, timezone.utc)
        for days_before in range(1, 6):
            day = (moment - timedelta(days=days_before)).date().isoformat()
            tickers = self._rest.traded(gap.market, day)
            if tickers:
                return [stream_symbol(gap.market, ticker) for ticker in tickers]
        return []

    def _heal_symbol(self, gap: Gap, channel: str, symbol: str) -> int:
        length_ms = 1000 * AGGREGATE_SECONDS[channel]
        timespan = "second" if length_ms == 1000 else "minute"
        # The bar in which the gap begins may be missing too.
        start_ms = (gap.start_ms - _LATE_MS) // length_ms * length_ms
        ticker = rest_ticker(gap.market, symbol)
        headers: list[tuple[str, str | bytes | None]] = [
            ("market", gap.market),
            ("received_at", to_text(now_ms())),
            ("connection", "rest"),
            ("event_type", channel),
            ("healed", gap.reason),
        ]
        count = 0
        for bar in self._rest.bars(ticker, timespan, start_ms, gap.end_ms):
            if bar["t"] + length_ms > now_ms():
                continue  # it is not over, and the stream is there again to bring it whole
            value = msgspec.json.encode(event(channel, symbol, bar))
            self._produce(value, symbol, headers)
            count += 1
        return count

    def _produce(self, value: bytes, symbol: str, headers: Any) -> None:
        while True:
            try:
                self._producer.produce(
                    self._settings.raw_topic, value, symbol, headers=headers, timestamp=now_ms()
                )
                return
            except BufferError:
                self._producer.poll(0.5)

    def _end_if_stopped(self) -> None:
        if self._stop.is_set():
            raise StreamError(
                "Stopped. The next run heals what is left, and this gap from its start."
            )

    def _on_failure(self, *_: Any) -> None:
        self._undelivered += 1


def event(channel: str, symbol: str, bar: dict[str, Any]) -> dict[str, Any]:
    """Return a streamed event for a bar of the REST API."""
    name = "sym" if channel in ("A", "AM") else "pair"
    moved = {"v": "v", "vw": "vw", "o": "o", "c": "c", "h": "h", "l": "l", "otc": "otc"}
    fields = {new: bar[old] for old, new in moved.items() if old in bar}
    end = bar["t"] + 1000 * AGGREGATE_SECONDS[channel]
    return {"ev": channel, name: symbol, **fields, "s": bar["t"], "e": end}


def rest_ticker(market: str, symbol: str) -> str:
    """Return how the REST API calls a symbol of the stream: `X:BTCUSD` for `BTC-USD`."""
    prefix = {"crypto": "X:", "forex": "C:"}.get(market)
    if prefix is None:
        return symbol
    return prefix + symbol.removeprefix(prefix).replace("-", "").replace("/", "")


def stream_symbol(market: str, ticker: str) -> str:
    """Return how the stream calls a ticker of the REST API: `BTC-USD` for `X:BTCUSD`.

    The quote currency is taken to have three letters, as USD, EUR and all currencies have.
    """
    bare = ticker[2:]
    if market == "crypto" and ticker.startswith("X:"):
        return f"{bare[:-3]}-{bare[-3:]}"
    if market == "forex" and ticker.startswith("C:"):
        return f"{bare[:-3]}/{bare[-3:]}"
    return ticker

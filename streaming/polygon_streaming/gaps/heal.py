"""Healing: what a gap left out, from the REST API, into the raw topic.

A healed event has the shape of a streamed one and the header `healed`. It carries what REST knows:
of a bar no accumulated volume, no official open; of trades and quotes nanoseconds. Where the stream
did deliver one of the window, both are there, and the table keeps the one that came last; healing
twice does no harm.

Bars (A and AM, XA and XAS, CA and CAS), trades (T, XT) and quotes (Q, C) can be healed. REST has no
history of the quotes of crypto.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict
from threading import Event
from typing import Any, Final

import msgspec
import structlog
from confluent_kafka import KafkaError, KafkaException, Message

from polygon_streaming import raw
from polygon_streaming.channels import AGGREGATE_SECONDS
from polygon_streaming.errors import StreamError
from polygon_streaming.gaps import ticks
from polygon_streaming.gaps.clients import HealClients
from polygon_streaming.gaps.gap import Gap, check, decode
from polygon_streaming.gaps.healed import Healed
from polygon_streaming.gaps.rest import BrokenAnswer, NotIncluded, Unknown
from polygon_streaming.gaps.series import Series, Targets, event, rest_ticker
from polygon_streaming.gaps.windows import Windows
from polygon_streaming.kafka.errors import ends_consumer
from polygon_streaming.settings import HealSettings
from polygon_streaming.stamps import NS_PER_MS, now_ms, to_text

log = structlog.get_logger()

_JOIN_SECONDS: Final = 45.0
_ANSWER_SECONDS: Final = 10.0
_SAY_SECONDS: Final = 10.0
# A bar comes a second or two after its window: one that had ended when the gap began may have been
# on its way.
_LATE_MS: Final = 5_000


class Healer:
    """Reads the gaps topic to its end and heals what is new."""

    def __init__(self, settings: HealSettings, clients: HealClients) -> None:
        self._settings = settings
        self._producer, self._consumer, self._rest = clients
        self._targets = Targets(settings, self._rest)
        self._undelivered = 0
        self._stop = Event()
        self._windows = Windows()
        self._kept: set[int] = set()
        self._total = 0
        self._said = time.monotonic()
        self._done = Healed()

    def run(self, stop: Event | None = None) -> Healed:
        """Heal every gap that this group has not healed, and return what was done.

        Raises:
            StreamError: REST or Kafka refuses, it is too early, or `stop` was set; healed gaps stay
                healed.
            ConfigError: the key is not accepted; or a gap does not name what is missing, and there
                is no list to go by.
        """
        self._stop = stop or self._stop
        self._consumer.subscribe([self._settings.gaps_topic])
        try:
            for message in self._messages():
                self._take(message)
        except KafkaException as error:
            raise StreamError(f"Kafka: {error.args[0].str()}.") from error
        finally:
            log.info("healing ended", requests=self._rest.requests, **asdict(self._done))
            self._consumer.close()
            if not len(self._producer):
                self._producer.close()  # with something left it would wait for the brokers
        return self._done

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
                self._total = self._total or self._left()
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                at_end.add(message.partition() or 0)
            elif ends_consumer(error):
                raise KafkaException(error)

    def _left(self) -> int:
        """Return how many records there are to read: for people, so an estimate will do."""
        total = 0
        places = self._consumer.assignment()
        for place in self._consumer.committed(places, timeout=_ANSWER_SECONDS):
            low, high = self._consumer.get_watermark_offsets(place, timeout=_ANSWER_SECONDS)
            total += high - max(place.offset, low)
        return total

    def _take(self, message: Message) -> None:
        """Heal a gap, and remember that it is healed."""
        partition = message.partition() or 0
        try:
            gap = decode(message.value() or b"")
            check(gap, now_ms())
        except ValueError as error:
            self._done.skipped += 1
            log.error("gap skipped", offset=message.offset(), reason=str(error))
        else:
            if self._heal(gap):
                self._done.gaps += 1
            else:
                self._done.kept += 1
                self._kept.add(partition)
        # A gap counts as healed when its events are in Kafka.
        rest = self._producer.flush(60)
        if rest or self._undelivered:
            raise StreamError(f"{rest + self._undelivered} events could not be delivered.")
        # What comes after a gap that is kept is read again with it, and healed twice.
        if partition not in self._kept:
            self._consumer.commit(message=message, asynchronous=False)

    def _heal(self, gap: Gap) -> bool:
        """Return whether a gap is healed as far as it can be."""
        bars, produced = self._done.bars, self._done.ticks
        try:
            whole = self._heal_all(gap, self._targets.of(gap, self._done))
        except (BrokenAnswer, NotIncluded, Unknown) as error:
            whole = False
            log.error("not healed", market=gap.market, reason=str(error))
        log.info(
            "healed" if whole else "kept",
            market=gap.market,
            start=to_text(gap.start_ms),
            end=to_text(gap.end_ms),
            reason=gap.reason,
            bars=self._done.bars - bars,
            ticks=self._done.ticks - produced,
        )
        return whole

    def _heal_all(self, gap: Gap, series: list[Series]) -> bool:
        refused: set[str] = set()
        whole = True
        for number, one in enumerate(series):
            self._end_if_stopped()
            self._say(gap, number, len(series))
            if one.market in refused:
                continue
            try:
                self._heal_series(gap, one)
            except Unknown as error:
                self._done.left_out += 1
                log.warning("not healed", subscription=one.name, reason=str(error))
            except NotIncluded as error:
                refused.add(one.market)
                log.error("not healed", market=one.market, reason=str(error))
            except BrokenAnswer as error:
                whole = False
                log.error("not healed", subscription=one.name, reason=str(error))
        return whole and not refused

    def _heal_series(self, gap: Gap, series: Series) -> None:
        origin = ticks.source(series.market, series.channel)
        if origin is not None:
            self._heal_ticks(gap, series, origin)
            return
        length_ms = 1000 * AGGREGATE_SECONDS[series.channel]
        # The bar in which the gap begins may be missing too. A likely gap knows the one before it.
        late_ms = _LATE_MS if gap.certain else 0
        start_ms = (gap.start_ms - late_ms) // length_ms * length_ms
        # The end is part of the window that REST is asked for.
        for start, end in self._windows.open(series, start_ms, gap.end_ms + 1):
            self._produce_bars(gap, series, start, end - 1)
            # A bar that is not over yet may be asked for again.
            self._windows.add(series, start, min(end, now_ms() - length_ms))

    def _heal_ticks(self, gap: Gap, series: Series, origin: ticks.Source) -> None:
        start_ms = gap.start_ms - (_LATE_MS if gap.certain else 0)
        ticker = rest_ticker(series.market, series.symbol)
        headers = raw.headers(series.market, raw.REST, healed=gap.reason)
        # The end is part of the gap: the event that ended it may have been one of several.
        for start, end in self._windows.open(series, start_ms, gap.end_ms + 1):
            asked_ms = now_ms()
            window = start * NS_PER_MS, end * NS_PER_MS
            read = ticks.Reader(origin, series.channel, series.symbol, *window)
            for tick in self._rest.ticks(origin.path, ticker, origin.query, *window, read):
                self._produce(msgspec.json.encode(tick), series.symbol, headers)
                self._done.ticks += 1
                self._end_if_stopped()
            # What is as young as the question may have come after the answer.
            self._windows.add(series, start, min(end, asked_ms - _LATE_MS))

    def _produce_bars(self, gap: Gap, series: Series, start_ms: int, end_ms: int) -> None:
        length_ms = 1000 * AGGREGATE_SECONDS[series.channel]
        timespan = "second" if length_ms == 1000 else "minute"
        ticker = rest_ticker(series.market, series.symbol)
        headers = raw.headers(series.market, raw.REST, healed=gap.reason)
        for bar in self._rest.bars(ticker, timespan, start_ms, end_ms):
            if bar["t"] + length_ms > now_ms():
                continue  # it is not over, and the stream is there again to bring it whole
            value = msgspec.json.encode(event(series.channel, series.symbol, bar))
            self._produce(value, series.symbol, headers)
            self._done.bars += 1

    def _produce(self, value: bytes, symbol: str, headers: Any) -> None:
        while True:
            try:
                self._producer.produce(
                    self._settings.raw_topic,
                    value,
                    symbol,
                    headers=headers,
                    timestamp=now_ms(),
                    on_delivery=self._on_failure,
                )
                return
            except BufferError:
                self._producer.poll(0.5)

    def _say(self, gap: Gap, number: int, count: int) -> None:
        """Say how far it is, every few seconds of long work."""
        if time.monotonic() - self._said < _SAY_SECONDS:
            return
        self._said = time.monotonic()
        done = self._done
        log.info(
            "healing",
            gap=f"{done.gaps + done.skipped + done.kept + 1} of {self._total}",
            series=f"{number} of {count}",
            market=gap.market,
            start=to_text(gap.start_ms),
            end=to_text(gap.end_ms),
            bars=done.bars,
            ticks=done.ticks,
            requests=self._rest.requests,
        )

    def _end_if_stopped(self) -> None:
        if self._stop.is_set():
            raise StreamError(
                "Stopped. The next run heals what is left, and this gap from its start."
            )

    def _on_failure(self, *_: Any) -> None:
        self._undelivered += 1

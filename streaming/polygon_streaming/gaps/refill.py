"""What REST has of one series in a gap, into the raw topic: bars, or trades and quotes."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from confluent_kafka import Producer

from polygon_streaming import raw
from polygon_streaming.channels import AGGREGATE_SECONDS
from polygon_streaming.counted import counted
from polygon_streaming.errors import StreamError
from polygon_streaming.gaps import ticks
from polygon_streaming.gaps.gap import Gap
from polygon_streaming.gaps.healed import Healed
from polygon_streaming.gaps.rest import Rest
from polygon_streaming.gaps.series import Series, event, rest_ticker
from polygon_streaming.gaps.windows import Windows
from polygon_streaming.stamps import NS_PER_MS, now_ms

# A bar comes a second or two after its window: one that had ended when the gap began may have been
# on its way.
_LATE_MS: Final = 5_000
_DELIVERY_SECONDS: Final = 60.0


class Refill:
    """Produces what is missing of a series, no window of it twice."""

    def __init__(
        self,
        producer: Producer,
        topic: str,
        rest: Rest,
        done: Healed,
        before_each: Callable[[], None],
    ) -> None:
        """Prepare to produce.

        Args:
            producer: of healed events.
            topic: the raw topic.
            rest: asks the REST API.
            done: counts what is produced.
            before_each: called now and then in long work, which it may end by raising.
        """
        self._producer = producer
        self._topic = topic
        self._rest = rest
        self._done = done
        self._before_each = before_each
        self._windows = Windows()
        self._undelivered = 0

    def series(self, gap: Gap, series: Series) -> None:
        """Produce what a gap left out of a series.

        Raises:
            Unknown, NotIncluded, BrokenAnswer: REST does not say.
        """
        origin = ticks.source(series.market, series.channel)
        if origin is None:
            self._bars(gap, series)
        else:
            self._ticks(gap, series, origin)

    def deliver(self) -> None:
        """Wait until what is produced is in Kafka.

        Raises:
            StreamError: some of it is not.
        """
        missing = self._producer.flush(_DELIVERY_SECONDS) + self._undelivered
        if missing:
            raise StreamError(f"{counted(missing, 'event')} could not be delivered.")

    def close(self) -> None:
        """Give up the producer."""
        if not len(self._producer):
            self._producer.close()  # with something left it would wait for the brokers

    def _bars(self, gap: Gap, series: Series) -> None:
        length_ms = 1000 * AGGREGATE_SECONDS[series.channel]
        # The bar in which the gap begins may be missing too. A likely gap knows the one before it.
        late_ms = _LATE_MS if gap.certain else 0
        start_ms = (gap.start_ms - late_ms) // length_ms * length_ms
        # The end is part of the window that REST is asked for.
        for start, end in self._windows.open(series, start_ms, gap.end_ms + 1):
            self._produce_bars(gap, series, start, end - 1)
            # A bar that is not over yet may be asked for again.
            self._windows.add(series, start, min(end, now_ms() - length_ms))

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

    def _ticks(self, gap: Gap, series: Series, origin: ticks.Source) -> None:
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
                self._before_each()
            # What is as young as the question may have come after the answer.
            self._windows.add(series, start, min(end, asked_ms - _LATE_MS))

    def _produce(self, value: bytes, symbol: str, headers: Any) -> None:
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    value,
                    symbol,
                    headers=headers,
                    timestamp=now_ms(),
                    on_delivery=self._on_failure,
                )
                return
            except BufferError:
                self._producer.poll(0.5)

    def _on_failure(self, *_: Any) -> None:
        self._undelivered += 1

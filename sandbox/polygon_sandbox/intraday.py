"""Bars of seconds and minutes, as pure functions of seed, ticker and time.

REST and the WebSocket server send the same ones, so a bar that a client missed on the stream can be
asked for and compared. Every second has trades, day and night: hours are the client's business.
`ticks` has the trades that build each bar. The grouped daily bars are another story, with other
prices.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sin
from zlib import crc32

from polygon_sandbox.listings import Row

DAY_SECONDS = 86_400
# Volume comes in lots: enough whole units for the trades that make a second, see `ticks`.
LOT = 20
_MIX = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Bar:
    """One window: `start` in seconds since 1970 UTC, prices in the quote currency, volume in units
    (whole ones, but for what amendments leave).

    `traded` is the volume of the UTC day up to the end of the window, `day_open` the day's first
    price.
    """

    start: int
    open: float
    high: float
    low: float
    close: float
    vwap: float
    volume: float
    trades: int
    traded: int
    day_open: float

    def row(self) -> Row:
        """The bar as the aggregates endpoint sends it."""
        return {
            "v": self.volume, "vw": self.vwap, "o": self.open, "c": self.close, "h": self.high,
            "l": self.low, "t": self.start * 1000, "n": self.trades,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """What makes the prices and volumes of one ticker."""

    salt: int
    level: float
    pace: int
    phase: float


class Intraday:
    """The bars of one seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def bar(self, ticker: str, start: int, seconds: int) -> Bar:
        """Return the bar of a window of so many seconds, 1 for a second bar."""
        series = _series(self._seed, ticker)
        if seconds == 1:
            return series.second(start)
        return together(start, [series.second(start + n) for n in range(seconds)])

    def shape(self, ticker: str) -> Shape:
        """Return what a ticker's bars are made from."""
        return _series(self._seed, ticker).shape

    def bars(
        self, ticker: str, seconds: int, first: int, last: int, descending: bool = False
    ) -> Iterator[Bar]:
        """Return the bars that start from `first` to `last`, both in seconds since 1970."""
        starts = range(-(-first // seconds) * seconds, last + 1, seconds)
        for start in reversed(starts) if descending else starts:
            yield self.bar(ticker, start, seconds)


def together(start: int, bars: Sequence[Bar]) -> Bar:
    """The bar of a window that is made of others."""
    volume = sum(bar.volume for bar in bars)
    return Bar(
        start=start,
        open=bars[0].open,
        high=max(bar.high for bar in bars),
        low=min(bar.low for bar in bars),
        close=bars[-1].close,
        vwap=round(sum(bar.vwap * bar.volume for bar in bars) / volume, 4),
        volume=volume,
        trades=sum(bar.trades for bar in bars),
        traded=bars[-1].traded,
        day_open=bars[-1].day_open,
    )


class _Series:
    """One ticker. Its price and the volume of its day so far are given for every second."""

    def __init__(self, seed: int, ticker: str) -> None:
        dice = random.Random(f"{seed} {ticker}")
        self._salt = crc32(ticker.encode()) ^ seed << 32
        self._level = dice.uniform(5, 400)
        self._pace = dice.randrange(10, 200)
        self._phase = dice.uniform(0, 6)
        self.shape = Shape(self._salt & _MASK, self._level, self._pace, self._phase)
        # Whoever asks goes on second by second: what one ends with the next begins with.
        self._ended = (0, 0.0, 0)
        self._opened = (0, 0.0)

    def second(self, start: int) -> Bar:
        """Return the bar of one second."""
        day = start - start % DAY_SECONDS
        at, opening, before = self._ended
        if at != start or start == day:
            opening, before = self._price(start), self._traded(day, start)
        closing, after = self._price(start + 1), self._traded(day, start + 1)
        self._ended = start + 1, closing, after
        opened = self._opened
        if opened[0] != day:
            opened = self._opened = day, self._price(day)
        top, bottom = max(opening, closing), min(opening, closing)
        high = round(top * (1 + 0.0002 * self._noise(start, 1)), 4)
        low = round(bottom * (1 - 0.0002 * self._noise(start, 2)), 4)
        volume = after - before
        return Bar(
            start=start,
            open=opening,
            high=high,
            low=low,
            close=closing,
            # Of each lot eight are traded at the open, two at the high, two at the low, the rest
            # at the close.
            vwap=round(0.4 * (opening + closing) + 0.1 * (high + low), 4),
            volume=volume,
            trades=7 + 2 * (volume // 1000),
            traded=after,
            day_open=opened[1],
        )

    def _price(self, second: int) -> float:
        wave = 0.02 * sin(second / 900 + self._phase) + 0.003 * sin(second / 37)
        return round(self._level * (1 + wave + 0.0004 * self._noise(second, 3)), 4)

    def _traded(self, day: int, second: int) -> int:
        # It grows by the pace each second, give or take less than the pace, so it always grows.
        swing = int((self._pace - 1) * self._noise(second, 4)) if second > day else 0
        return LOT * ((second - day) * self._pace + swing)

    def _noise(self, second: int, stream: int) -> float:
        """A number from 0 up to 1 for a ticker, a second and what it is for (splitmix64)."""
        x = (self._salt + (second * 8 + stream) * _MIX) & _MASK
        x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & _MASK
        x = ((x ^ x >> 27) * 0x94D049BB133111EB) & _MASK
        return (x ^ x >> 31) / 2**64


@lru_cache(maxsize=100_000)
def _series(seed: int, ticker: str) -> _Series:
    return _Series(seed, ticker)


def rest_ticker(channel: str, symbol: str) -> str:
    """Return how REST calls a symbol of the stream: `X:BTCUSD` for `BTC-USD` of `XAS`."""
    if channel[0] == "X":
        return "X:" + symbol.replace("-", "")
    return "C:" + symbol.replace("/", "") if channel[0] == "C" else symbol


def stream_symbol(ticker: str) -> str:
    """Return how the stream calls a ticker of REST: `BTC-USD` for `X:BTCUSD`."""
    mark = {"X:": "-", "C:": "/"}.get(ticker[:2])
    return f"{ticker[2:-3]}{mark}{ticker[-3:]}" if mark else ticker

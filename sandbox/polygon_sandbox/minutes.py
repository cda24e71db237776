"""Bars of minutes by the array: the same as `Intraday`'s to the last digit, a day in milliseconds.

What arrays and the interpreter might round differently (a value half-way between two fourth
digits, a sine in its last bit) is computed again the slow way.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polygon_sandbox.intraday import DAY_SECONDS, LOT, Bar, Intraday, Shape

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

_MIX = np.uint64(0x9E3779B97F4A7C15)
_HALF_WAY = 1e-4


class Minute(NamedTuple):
    """The bar of a minute, without the vwap; `start` in seconds since 1970 UTC."""

    start: int
    volume: float
    open: float
    close: float
    high: float
    low: float
    trades: int

    @classmethod
    def of(cls, bar: Bar) -> "Minute":
        """What a minute's bar has of it."""
        return cls(bar.start, bar.volume, bar.open, bar.close, bar.high, bar.low, bar.trades)


def minutes(bars: Intraday, ticker: str, first: int, count: int) -> list[Minute]:
    """Return `count` bars of minutes from `first` on, a whole minute in seconds since 1970 UTC."""
    shape = bars.shape(ticker)
    seconds = np.arange(first, first + count * 60, dtype=np.int64)
    edges = np.arange(first, first + count * 60 + 1, dtype=np.int64)
    price = _prices(bars, shape, ticker, edges)
    opening, closing = price[:-1], price[1:]
    top, bottom = np.maximum(opening, closing), np.minimum(opening, closing)
    high = _rounded(top * (1 + 0.0002 * _noise(shape, seconds, 1)))
    low = _rounded(bottom * (1 - 0.0002 * _noise(shape, seconds, 2)))
    volume = _volumes(shape, edges)
    by_minute = (count, 60)
    columns = (
        seconds[::60],
        volume.reshape(by_minute).sum(axis=1),
        opening[::60],
        closing[59::60],
        high.reshape(by_minute).max(axis=1),
        low.reshape(by_minute).min(axis=1),
        (7 + 2 * (volume // 1000)).reshape(by_minute).sum(axis=1),
    )
    return list(map(Minute, *(column.tolist() for column in columns)))


def _prices(bars: Intraday, shape: Shape, ticker: str, at: Whole) -> Floats:
    wave = 0.02 * np.sin(at / 900 + shape.phase) + 0.003 * np.sin(at / 37)
    exact = shape.level * (1 + wave + 0.0004 * _noise(shape, at, 3))
    return _rounded(exact, lambda n: bars.bar(ticker, int(at[n]), 1).open)


def _volumes(shape: Shape, edges: Whole) -> Whole:
    """The volume of each second between two edges: what its UTC day has traded more by its end."""
    of_day = edges % DAY_SECONDS
    swing = ((shape.pace - 1) * _noise(shape, edges, 4)).astype(np.int64)
    before = of_day * shape.pace + np.where(of_day > 0, swing, 0)
    after = (of_day[:-1] + 1) * shape.pace + swing[1:]
    return LOT * (after - before[:-1])


def _noise(shape: Shape, seconds: Whole, stream: int) -> Floats:
    """splitmix64, as in `intraday`."""
    x = np.uint64(shape.salt) + (seconds * 8 + stream).astype(np.uint64) * _MIX
    x = (x ^ x >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ x >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return (x ^ x >> np.uint64(31)).astype(np.float64) / 2.0**64


def _rounded(exact: Floats, again: Callable[[int], float] | None = None) -> Floats:
    """Four digits, as `round` gives them."""
    scaled = exact * 1e4
    result: Floats = np.rint(scaled) / 1e4
    doubtful = np.flatnonzero(np.abs(scaled - np.floor(scaled) - 0.5) < _HALF_WAY)
    for position in doubtful.tolist():
        number = float(exact[position])
        result[position] = again(position) if again else round(number, 4)
    return result

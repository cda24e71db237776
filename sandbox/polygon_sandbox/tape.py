"""The events of the streamed market: seeded, numbered, and as fast as they are wanted.

Every event carries its running number in the extra field `n`, from 1, so that a test can count each
one wherever it ends up. The same seed gives the same symbols and prices.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from polygon_sandbox.intraday import Intraday, rest_ticker

# Field of the symbol, and length of the bar in milliseconds, by event type.
_BARS = {
    "A": ("sym", 1000),
    "AM": ("sym", 60_000),
    "XAS": ("pair", 1000),
    "XA": ("pair", 60_000),
    "CAS": ("pair", 1000),
    "CA": ("pair", 60_000),
}


@dataclass(slots=True)
class _Series:
    symbol: str
    price: float
    traded: int = 0


class Tape:
    """Makes events for the subscriptions it is asked about."""

    def __init__(self, symbols: Sequence[str], seed: int = 7) -> None:
        """Open a tape.

        Args:
            symbols: what `*` stands for.
            seed: of the prices.
        """
        self.symbols = list(symbols)
        self.number = 0
        self._seed = seed
        self._series: dict[str, _Series] = {}
        self._dice = random.Random(seed)

    def events(self, channel: str, symbol: str, count: int, now_ms: int) -> list[bytes]:
        """Return the next `count` events of a subscription at an instant.

        A wildcard goes round all symbols.
        """
        if symbol != "*":
            return [self._event(channel, symbol, now_ms) for _ in range(count)]
        size = len(self.symbols)
        first = self.number
        return [
            self._event(channel, self.symbols[(first + n) % size], now_ms) for n in range(count)
        ]

    def _event(self, channel: str, symbol: str, now_ms: int) -> bytes:
        self.number += 1
        if channel not in _BARS:
            return (
                f'{{"ev":"{channel}","sym":"{symbol}","p":101.5,"s":100,"t":{now_ms},'
                f'"c":[12,37],"i":"{self.number}","n":{self.number}}}'
            ).encode()
        series = self._series.get(symbol)
        if series is None:
            start = random.Random(f"{self._seed} {symbol}").uniform(5, 400)
            series = self._series[symbol] = _Series(symbol, start)
        field, length = _BARS[channel]
        end = now_ms // length * length
        opening = series.price
        closing = max(0.01, opening * (1 + self._dice.gauss(0, 0.0004)))
        series.price = closing
        volume = self._dice.randrange(100, 5000)
        series.traded += volume
        high, low = max(opening, closing) * 1.0002, min(opening, closing) * 0.9998
        return (
            f'{{"ev":"{channel}","{field}":"{symbol}","v":{volume},"dv":"{volume}.5",'
            f'"av":{series.traded},"dav":"{series.traded}.25","op":{opening:.2f},'
            f'"vw":{(opening + closing) / 2:.4f},"o":{opening:.4f},"c":{closing:.4f},'
            f'"h":{high:.4f},"l":{low:.4f},"a":{opening:.4f},"z":{volume // 20},'
            f'"s":{end - length},"e":{end},"n":{self.number}}}'
        ).encode()


class ClockTape:
    """The bars that are over at an instant, one a symbol and window, as REST has them later."""

    def __init__(self, symbols: Sequence[str], seed: int = 7) -> None:
        """Open a tape; see `Tape`."""
        self.symbols = list(symbols)
        self.number = 0
        self._bars = Intraday(seed)

    def events(self, channel: str, symbol: str, second: int) -> list[bytes]:
        """Return the bars of a subscription whose window ends at a second since 1970."""
        field, length = _BARS.get(channel, ("", 0))
        if not length or second * 1000 % length:
            return []
        symbols = self.symbols if symbol == "*" else [symbol]
        return [self._event(channel, field, each, second, length // 1000) for each in symbols]

    def _event(self, channel: str, field: str, symbol: str, end: int, seconds: int) -> bytes:
        self.number += 1
        bar = self._bars.bar(rest_ticker(channel, symbol), end - seconds, seconds)
        return orjson.dumps(
            {
                "ev": channel, field: symbol, "v": bar.volume, "dv": f"{bar.volume}.0",
                "av": bar.traded, "vw": bar.vwap, "o": bar.open, "c": bar.close, "h": bar.high,
                "l": bar.low, "z": bar.volume // bar.trades, "s": bar.start * 1000,
                "e": end * 1000, "n": self.number,
            }
        )  # fmt: skip

"""The events of the streamed market: seeded, numbered, and as fast as they are wanted.

A bar is a function of seed, channel, symbol and window: whoever makes it, and however often, its
values are the same, and `Intraday` has them for the REST side too; so it is with trades and quotes
and `ticks`. Every event carries its running number in the extra field `n`, from 1, so that a test
can count each one wherever it ends up.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from polygon_sandbox.intraday import Intraday, rest_ticker
from polygon_sandbox.tick_forms import quote_event, trade_event
from polygon_sandbox.ticks import Kind, kind_of, quotes, trades

# Field of the symbol, and length of the bar in seconds, by event type.
_BARS = {
    "A": ("sym", 1),
    "AM": ("sym", 60),
    "XAS": ("pair", 1),
    "XA": ("pair", 60),
    "CAS": ("pair", 1),
    "CA": ("pair", 60),
}
_TRADES = ("T", "XT")
_QUOTES = ("Q", "XQ", "C")


class Tape:
    """Makes events for the subscriptions it is asked about, as many as are wanted.

    The windows of a symbol follow one another without a hole from the first one on, which is that
    of the moment, and so do its trades and quotes. So they run ahead of the clock where more than
    one bar a window is wanted, and fall behind where fewer are: for events that keep the time there
    is `ClockTape`.
    """

    def __init__(self, symbols: Sequence[str], seed: int = 7) -> None:
        """Open a tape.

        Args:
            symbols: what `*` stands for.
            seed: of the prices.
        """
        self.symbols = list(symbols)
        self.number = 0
        self._bars = Intraday(seed)
        self._next_start: dict[tuple[str, str], int] = {}
        self._ticks: dict[tuple[str, str, bool], Iterator[dict[str, Any]]] = {}

    def events(
        self, channel: str, symbol: str, count: int, now_ms: int, market: str = ""
    ) -> list[bytes]:
        """Return the next `count` events of a subscription at an instant.

        A wildcard goes round all symbols. The market tells futures from stocks.
        """
        futures = market.startswith("futures")
        if symbol != "*":
            return [self._event(channel, symbol, now_ms, futures) for _ in range(count)]
        size = len(self.symbols)
        first = self.number
        return [
            self._event(channel, self.symbols[(first + n) % size], now_ms, futures)
            for n in range(count)
        ]

    def _event(self, channel: str, symbol: str, now_ms: int, futures: bool) -> bytes:
        self.number += 1
        if channel in _TRADES or channel in _QUOTES:
            key = (channel, symbol, futures)
            if key not in self._ticks:
                self._ticks[key] = self._from(channel, symbol, now_ms // 1000 - 1, futures)
            return orjson.dumps({**next(self._ticks[key]), "n": self.number})
        if channel not in _BARS:
            return (
                f'{{"ev":"{channel}","sym":"{symbol}","p":101.5,"s":100,"t":{now_ms},'
                f'"c":[12,37],"i":"{self.number}","n":{self.number}}}'
            ).encode()
        seconds = _BARS[channel][1]
        opening = now_ms // 1000 // seconds * seconds - seconds
        start = self._next_start.get((channel, symbol), opening)
        self._next_start[channel, symbol] = start + seconds
        return _bar(self._bars, channel, symbol, start, self.number)

    def _from(
        self, channel: str, symbol: str, second: int, futures: bool
    ) -> Iterator[dict[str, Any]]:
        while True:
            yield from _ticks(self._bars, channel, symbol, second, futures)
            second += 1


class ClockTape:
    """The events that are over at an instant, as REST has them later: bars, one a symbol and
    window, and the trades and quotes of a second.

    `*` stands for the symbols of the channel's market: crypto has a hyphen in them, forex a slash.
    """

    def __init__(self, symbols: Sequence[str], seed: int = 7) -> None:
        """Open a tape; see `Tape`."""
        self.number = 0
        self._bars = Intraday(seed)
        self._symbols: dict[str, list[str]] = {"": [], "-": [], "/": []}
        for symbol in symbols:
            mark = next((mark for mark in "-/" if mark in symbol), "")
            self._symbols[mark].append(symbol)

    def events(self, channel: str, symbol: str, second: int, market: str = "") -> list[bytes]:
        """Return what of a subscription ends at a second since 1970: a bar's window, or the second
        of the trades and quotes. The market tells futures from stocks."""
        mark = {"X": "-", "C": "/"}.get(channel[0], "")
        symbols = self._symbols[mark] if symbol == "*" else [symbol]
        events = []
        if channel in _TRADES or channel in _QUOTES:
            futures = market.startswith("futures")
            for each in symbols:
                for event in _ticks(self._bars, channel, each, second - 1, futures):
                    self.number += 1
                    events.append(orjson.dumps({**event, "n": self.number}))
            return events
        seconds = _BARS[channel][1] if channel in _BARS else 0
        if not seconds or second % seconds:
            return []
        for each in symbols:
            self.number += 1
            events.append(_bar(self._bars, channel, each, second - seconds, self.number))
        return events


def _ticks(
    bars: Intraday, channel: str, symbol: str, second: int, futures: bool
) -> Iterator[dict[str, Any]]:
    ticker = rest_ticker(channel, symbol)
    kind: Kind = "futures" if futures else kind_of(ticker)
    bar = bars.bar(ticker, second, 1)
    if channel in _TRADES:
        return (trade_event(trade, kind, symbol) for trade in trades(bar, ticker, kind))
    return (quote_event(quote, kind, symbol) for quote in quotes(bar, ticker, kind))


def _bar(bars: Intraday, channel: str, symbol: str, start: int, number: int) -> bytes:
    field, seconds = _BARS[channel]
    bar = bars.bar(rest_ticker(channel, symbol), start, seconds)
    return orjson.dumps(
        {
            "ev": channel, field: symbol, "v": bar.volume, "dv": f"{bar.volume}.0",
            "av": bar.traded, "dav": f"{bar.traded}.0", "op": bar.day_open, "vw": bar.vwap,
            "o": bar.open, "c": bar.close, "h": bar.high, "l": bar.low,
            "a": round((bar.day_open + bar.close) / 2, 4), "z": bar.volume // bar.trades,
            "s": start * 1000, "e": (start + seconds) * 1000, "n": number,
        }
    )  # fmt: skip

"""Trades and quotes of the REST API as the stream would have sent them.

A healed one has the stream's names, REST's nanoseconds, and what only REST knows under its own
names. Quotes of futures go without their sequence number, which the stream does not have: the table
tells quotes apart by what both sides have.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final, NamedTuple

from polygon_streaming.channels import CHANNELS, TRADES

_ONLY_REST: Final = ("participant_timestamp", "correction")
_STOCK_TRADE: Final = {
    "price": "p", "size": "s", "decimal_size": "ds", "sip_timestamp": "t", "sequence_number": "q",
    "exchange": "x", "id": "i", "tape": "z", "conditions": "c", "trf_id": "trfi",
    "trf_timestamp": "trft", **{name: name for name in _ONLY_REST},
}  # fmt: skip
_CRYPTO_TRADE: Final = {
    "price": "p", "size": "s", "participant_timestamp": "t", "id": "i", "exchange": "x",
    "conditions": "c", "received_timestamp": "r",
}  # fmt: skip
_FUTURES_TRADE: Final = {"price": "p", "size": "s", "timestamp": "t", "sequence_number": "q"}
_STOCK_QUOTE: Final = {
    "bid_price": "bp", "bid_size": "bs", "bid_exchange": "bx", "ask_price": "ap", "ask_size": "as",
    "ask_exchange": "ax", "sip_timestamp": "t", "sequence_number": "q", "conditions": "c",
    "indicators": "i", "tape": "z", "trf_timestamp": "trft",
    "participant_timestamp": "participant_timestamp",
}  # fmt: skip
_FOREX_QUOTE: Final = {
    "bid_price": "b", "ask_price": "a", "bid_exchange": "x", "participant_timestamp": "t",
}  # fmt: skip
_FUTURES_QUOTE: Final = {
    "bid_price": "bp", "bid_size": "bs", "bid_timestamp": "bt", "ask_price": "ap", "ask_size": "as",
    "ask_timestamp": "at", "timestamp": "t",
}  # fmt: skip


class Source(NamedTuple):
    """Where REST has what a channel streams.

    Attributes:
        path: before the ticker.
        symbol: the event's field of the symbol.
        names: the event's field for each of REST's.
        query: besides the window.
    """

    path: str
    symbol: str
    names: Mapping[str, str]
    query: Mapping[str, str]


_OLDER: Final = {"order": "asc", "sort": "timestamp", "limit": "50000"}
# One less than the specification's maximum, as its prose says of the newer endpoints.
_NEWER: Final = {"sort": "timestamp.asc", "limit": "49999"}
_SOURCES: Final = {
    ("crypto", "XT"): Source("/v3/trades", "pair", _CRYPTO_TRADE, _OLDER),
    ("forex", "C"): Source("/v3/quotes", "p", _FOREX_QUOTE, _OLDER),
    ("futures", "T"): Source("/futures/v1/trades", "sym", _FUTURES_TRADE, _NEWER),
    ("futures", "Q"): Source("/futures/v1/quotes", "sym", _FUTURES_QUOTE, _NEWER),
    **{
        (market, channel): source
        for market in ("stocks", "options")
        for channel, source in (
            ("T", Source("/v3/trades", "sym", _STOCK_TRADE, _OLDER)),
            ("Q", Source("/v3/quotes", "sym", _STOCK_QUOTE, _OLDER)),
        )
    },
}


def source(market: str, channel: str) -> Source | None:
    """Return where REST has the trades or quotes of a channel; None if it has none of them."""
    if channel not in CHANNELS[market]:
        return None
    return _SOURCES.get((market.partition("/")[0], channel))


class Reader:
    """Makes events of rows that were asked for with a window, in nanoseconds since 1970 UTC."""

    def __init__(
        self, origin: Source, channel: str, symbol: str, start_ns: int, end_ns: int
    ) -> None:
        self._origin = origin
        self._channel = channel
        self._symbol = symbol
        self._window = start_ns, end_ns

    def __call__(self, row: Any) -> dict[str, Any]:
        """Return the event for a row.

        Raises:
            ValueError: it cannot be one of those that were asked for.
        """
        if not isinstance(row, dict):
            raise ValueError("a row is not an object")
        event: dict[str, Any] = {"ev": self._channel, self._origin.symbol: self._symbol}
        for name, short in self._origin.names.items():
            if row.get(name) is not None:
                event[short] = row[name]
        start_ns, end_ns = self._window
        time_ns = event.get("t")
        if type(time_ns) is not int or not start_ns <= time_ns < end_ns:
            raise ValueError(f"a time is {time_ns!r}, from {start_ns} to {end_ns} was asked for")
        for short in ("p", "s") if self._channel in TRADES else _PRICES & event.keys():
            if not _is_number(event.get(short)):
                raise ValueError(f"{short} is {event.get(short)!r}")
        return event


_PRICES: Final = {"bp", "ap", "a", "b"}


def _is_number(value: Any) -> bool:
    try:
        return type(value) in (int, float) and isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False

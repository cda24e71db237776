"""What a raw record is: a bar, a trade, a quote, or an event of another kind."""

from typing import Final

import msgspec

from polygon_streaming.channels import QUOTES, TRADES
from polygon_streaming.filter import records
from polygon_streaming.filter.quotes import CryptoQuote, ForexQuote, Quote, QuoteEvent
from polygon_streaming.filter.records import Bar
from polygon_streaming.filter.trades import CryptoTrade, Trade, TradeEvent
from polygon_streaming.raw import Unreadable

Event = Bar | TradeEvent | QuoteEvent | ForexQuote

_ticks = msgspec.json.Decoder(Trade | CryptoTrade | Quote | CryptoQuote | ForexQuote)
# What stands behind `{"ev":"` where the vendor writes it. A hint, which saves trying to read trades
# as bars; what is written in another way is read as well.
_HINTS: Final = frozenset(f'{name}"'[:2].encode() for name in (*TRADES, *QUOTES))


def read(value: bytes | None) -> Event | None:
    """Return the event in a raw record; None if it is of a kind that is not filtered.

    Raises:
        Unreadable: it is not a JSON object with an event type, or has a wrong field.
    """
    if value is not None and value[7:9] in _HINTS:
        return _read_tick(value) or records.read(value)
    bar = records.read(value)
    if bar is not None or value is None:
        return bar
    return _read_tick(value)


def _read_tick(value: bytes) -> Event | None:
    try:
        event: Event = _ticks.decode(value)
    except records.DECODING as error:
        kind = records.kind_of(value)
        if kind in TRADES or kind in QUOTES:
            what = "a trade" if kind in TRADES else "a quote"
            raise Unreadable(f"not {what}: {error}") from None
        return None
    return event

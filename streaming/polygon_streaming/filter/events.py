"""What a raw record is: a bar, a trade, a quote, or an event of another kind."""

import json
from collections.abc import Callable
from itertools import chain
from typing import Any, Final, Union

import msgspec

from polygon_streaming.channels import AGGREGATE_SECONDS, QUOTES, TRADES
from polygon_streaming.filter import bars
from polygon_streaming.filter.bars import Bar
from polygon_streaming.filter.quotes import CryptoQuote, ForexQuote, Quote, QuoteEvent
from polygon_streaming.filter.trades import CryptoTrade, Trade, TradeEvent
from polygon_streaming.raw import Unreadable

Event = Bar | TradeEvent | QuoteEvent | ForexQuote


class _Kind(msgspec.Struct, gc=False):
    ev: str


TYPES: Final[dict[str, tuple[type[Any], ...]]] = {
    "bars": bars.TYPES,
    "trades": (Trade, CryptoTrade),
    "quotes": (Quote, CryptoQuote, ForexQuote),
}
"""The types of the events that `read` returns, by kind."""
_any_type: Any = Union[tuple(chain(*TYPES.values()))]  # noqa: UP007
decode: Final[Callable[[Any], Event]] = msgspec.json.Decoder(_any_type).decode
"""Does at once what `read` does with nearly all values; what it raises, `read` puts in words."""
_kinds = msgspec.json.Decoder(_Kind)
_WHAT: Final = {
    **dict.fromkeys(AGGREGATE_SECONDS, "a bar"),
    **dict.fromkeys(TRADES, "a trade"),
    **dict.fromkeys(QUOTES, "a quote"),
}
# Besides what is wrong for JSON or for an event: text that is not UTF-8, numbers with more digits
# than Python reads, and what is nested too deeply.
_DECODING: Final = (msgspec.MsgspecError, ValueError, RecursionError)
NOT_DECODED: Final = (*_DECODING, TypeError)  # the last one without a value


def read(value: bytes | None) -> Event | None:
    """Return the event in a raw record; None if it is of a kind that is not filtered.

    Raises:
        Unreadable: it is not a JSON object with an event type, or has a wrong field.
    """
    if value is None:
        raise Unreadable("no value")
    try:
        event: Event = decode(value)
    except _DECODING as error:
        what = _WHAT.get(_kind_of(value))
        if what is None:
            return None
        raise Unreadable(f"not {what}: {error}") from None
    return event


def _kind_of(value: bytes) -> str:
    """Return the event type in a raw record.

    Raises:
        Unreadable: it is not an event.
    """
    try:
        return _kinds.decode(value).ev
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8: {error}") from None
    except _DECODING as error:
        raise Unreadable(f"not an event: {_in_words(value, error)}") from None


def _in_words(value: bytes, error: Exception) -> str:
    """Return what is wrong; of half a surrogate pair the decoder says that the data end early."""
    try:
        json.dumps(json.loads(value), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "half of a surrogate pair, which is not text"
    except (ValueError, RecursionError):
        pass
    return str(error)

"""The clean record of a quote; `schemas/quote.json` describes it.

The vendor's specifications have the meanings of its fields. Sizes are as the vendor sends them: its
specification of the stream still speaks of round lots for stocks, that of REST of shares.
"""

from decimal import Decimal
from typing import ClassVar, Final

import msgspec

from polygon_streaming.filter.ticks import (
    Code,
    Codes,
    Name,
    Number,
    Price,
    Sequence,
    codes,
    instant,
    moment,
    size_text,
)
from polygon_streaming.raw import Unreadable
from polygon_streaming.stamps import to_text

_WHAT: Final = "a quote"


class QuoteEvent(msgspec.Struct, tag_field="ev", gc=False):
    """What most kinds of quotes have between them. A side may be missing: then nobody bids, or
    asks."""

    ev: ClassVar[str]

    t: Number
    sym: Name = ""
    pair: Name = ""
    bp: Price | None = None
    bs: Decimal | None = None
    bx: Code | None = None
    bt: Number | None = None
    ap: Price | None = None
    as_: Decimal | None = msgspec.field(default=None, name="as")
    ax: Code | None = None
    at: Number | None = None
    x: Code | None = None
    c: Codes = None
    i: Codes = None
    q: Sequence | None = None
    z: Code | None = None
    trfi: Code | None = None
    trft: Number | None = None
    r: Number | None = None
    participant_timestamp: Number | None = None


class Quote(QuoteEvent, tag="Q", gc=False):
    """A quote of stocks, options or futures."""

    ev: ClassVar[str] = "Q"


class CryptoQuote(QuoteEvent, tag="XQ", gc=False):
    """A quote of crypto; both sides are of one exchange, `x`."""

    ev: ClassVar[str] = "XQ"


class ForexQuote(msgspec.Struct, tag_field="ev", tag="C", gc=False):
    """A quote of a pair of currencies, `p`. The specification's example has `x` in quotes."""

    ev: ClassVar[str] = "C"

    p: Name
    a: Price
    b: Price
    t: Number
    x: Code | Name | None = None


class QuoteRecord(msgspec.Struct, gc=False):
    """A quote as it leaves the filter. Times are UTC, with nine digits behind the point.

    Attributes:
        event_type: `Q`, `XQ` or `C`: the vendor's channel.
        market: `stocks`, `forex`...
        symbol: as the vendor's stream writes it.
        timestamp: when the tape had it (crypto, forex and futures: the exchange).
        sequence_number: its place among the quotes of the symbol's day, where there is one.
        bid_price: the best price that is bid; None if there is none.
        bid_size: how much is bid for, as an exact decimal.
        bid_exchange: where; the vendor's code.
        ask_price, ask_size, ask_exchange: likewise.
        conditions: the vendor's codes; the stream sends one at most.
        indicators: the vendor's codes.
        tape: 1 NYSE, 2 NYSE American and Arca, 3 Nasdaq.
        trf_id: the reporting facility's code.
        trf_timestamp: when the facility received it.
        participant_timestamp: when the exchange made it; only healed quotes know.
        bid_timestamp: when the bid was made; futures.
        ask_timestamp: likewise.
        vendor_timestamp: when the vendor received it; crypto.
        received_at: when the feed received it.
        healed: whether it comes from the REST API, after a gap.
    """

    event_type: str
    market: str
    symbol: str
    timestamp: str
    sequence_number: int | None
    bid_price: float | None
    bid_size: str | None
    bid_exchange: int | None
    ask_price: float | None
    ask_size: str | None
    ask_exchange: int | None
    conditions: list[int]
    indicators: list[int]
    tape: int | None
    trf_id: int | None
    trf_timestamp: str | None
    participant_timestamp: str | None
    bid_timestamp: str | None
    ask_timestamp: str | None
    vendor_timestamp: str | None
    received_at: str
    healed: bool


def clean_quote(
    event: QuoteEvent | ForexQuote, market: str, received_ms: int, healed: bool
) -> QuoteRecord:
    """Return the clean record of a quote; the arguments are those of `records.clean`.

    Raises:
        Unreadable: a value is out of the range that the table takes.
    """
    if isinstance(event, ForexQuote):
        event = _as_quote(event)
        kind = ForexQuote.ev
    else:
        kind = event.ev
    symbol = event.sym or event.pair
    if not symbol:
        raise Unreadable("not a quote: no symbol in sym, pair or p")
    return QuoteRecord(
        kind,
        market,
        symbol,
        moment(_WHAT, "t", event.t, received_ms),
        event.q,
        event.bp,
        None if event.bs is None else size_text(_WHAT, "bs", event.bs),
        event.x if event.bx is None else event.bx,
        event.ap,
        None if event.as_ is None else size_text(_WHAT, "as", event.as_),
        event.x if event.ax is None else event.ax,
        codes(event.c),
        codes(event.i),
        event.z,
        event.trfi,
        instant(_WHAT, "trft", event.trft),
        instant(_WHAT, "participant_timestamp", event.participant_timestamp),
        instant(_WHAT, "bt", event.bt),
        instant(_WHAT, "at", event.at),
        instant(_WHAT, "r", event.r),
        to_text(received_ms),
        healed,
    )


def _as_quote(event: ForexQuote) -> QuoteEvent:
    exchange = event.x
    if isinstance(exchange, str):
        # Nine digits are within what the table holds.
        if not (exchange.isdecimal() and exchange.isascii() and len(exchange) < 10):
            raise Unreadable(f"not a quote: x is {exchange!r}, not an exchange")
        exchange = int(exchange)
    return CryptoQuote(t=event.t, pair=event.p, bp=event.b, ap=event.a, x=exchange)

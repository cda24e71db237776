"""The clean record of a trade; `schemas/trade.json` describes it.

The vendor's specifications have the meanings of its fields. A healed trade has REST's times in
nanoseconds where the stream's are in milliseconds, and two fields that the stream does not send,
under REST's names.
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

_WHAT: Final = "a trade"


class TradeEvent(msgspec.Struct, tag_field="ev", gc=False):
    """What the kinds of trades have between them. `ds` is the exact size where `s` is rounded."""

    ev: ClassVar[str]

    p: Price
    s: Decimal
    t: Number
    sym: Name = ""
    pair: Name = ""
    ds: str | None = None
    i: Name | Sequence | None = None
    x: Code | None = None
    z: Code | None = None
    c: Codes = None
    q: Sequence | None = None
    trfi: Code | None = None
    trft: Number | None = None
    r: Number | None = None
    participant_timestamp: Number | None = None
    correction: Code | None = None


class Trade(TradeEvent, tag="T", gc=False):
    """A trade of stocks, options or futures."""

    ev: ClassVar[str] = "T"


class CryptoTrade(TradeEvent, tag="XT", gc=False):
    """A trade of crypto."""

    ev: ClassVar[str] = "XT"


class TradeRecord(msgspec.Struct, gc=False):
    """A trade as it leaves the filter. Times are UTC, with nine digits behind the point.

    Attributes:
        event_type: `T` or `XT`: the vendor's channel.
        market: `stocks`, `crypto`...
        symbol: as the vendor's stream writes it.
        timestamp: when the tape had it (crypto and futures: the exchange).
        sequence_number: its place among the trades of the symbol's day; crypto has none.
        trade_id: unique for a symbol, an exchange and a facility; empty if there is none.
        price: of a share, contract or coin.
        size: shares, contracts or coins, as an exact decimal.
        conditions: the vendor's codes.
        exchange: the vendor's code.
        tape: 1 NYSE, 2 NYSE American and Arca, 3 Nasdaq.
        trf_id: the reporting facility's code, of a trade off the exchanges.
        trf_timestamp: when the facility received it.
        participant_timestamp: when it was made on the exchange; only healed trades know.
        vendor_timestamp: when the vendor received it; crypto.
        correction: the vendor's indicator; only healed trades know.
        received_at: when the feed received it.
        healed: whether it comes from the REST API, after a gap.
    """

    event_type: str
    market: str
    symbol: str
    timestamp: str
    sequence_number: int | None
    trade_id: str
    price: float
    size: str
    conditions: list[int]
    exchange: int | None
    tape: int | None
    trf_id: int | None
    trf_timestamp: str | None
    participant_timestamp: str | None
    vendor_timestamp: str | None
    correction: int | None
    received_at: str
    healed: bool


def clean_trade(event: TradeEvent, market: str, received_ms: int, healed: bool) -> TradeRecord:
    """Return the clean record of a trade; the arguments are those of `records.clean`.

    Raises:
        Unreadable: a value is out of the range that the table takes.
    """
    symbol = event.sym or event.pair
    if not symbol:
        raise Unreadable("not a trade: no symbol in sym or pair")
    exact = ("s", event.s) if event.ds is None else ("ds", event.ds)
    return TradeRecord(
        event.ev,
        market,
        symbol,
        moment(_WHAT, "t", event.t, received_ms),
        event.q,
        "" if event.i is None else str(event.i),
        event.p,
        size_text(_WHAT, *exact),
        codes(event.c),
        event.x,
        event.z,
        event.trfi,
        instant(_WHAT, "trft", event.trft),
        instant(_WHAT, "participant_timestamp", event.participant_timestamp),
        instant(_WHAT, "r", event.r),
        event.correction,
        to_text(received_ms),
        healed,
    )

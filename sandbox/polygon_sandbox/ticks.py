"""Trades and quotes, as pure functions of seed, ticker and second: what the bars are built of.

The trades of a second that its conditions let count build its bar exactly: the first and the last
of them give open and close, the extremes high and low, the sizes the volume (and, with the prices,
the vwap up to rounding), and there are as many as the bar says. Stocks have others among them, as
the tape has: odd lots beyond the high and low, at both ends of the second, which count for the
volume alone, and an official opening price each minute, which counts for nothing. Quotes surround
the trades that come before the next quote.

The rules are those of the vendor's conditions (`update_rules`, consolidated). Trades outside the
regular session carry condition 12, which by its rule updates the volume alone; the vendor's bars of
minutes and seconds take them in all the same (its knowledge base on aggregate bars).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal
from zlib import crc32

from polygon_sandbox.clock import NEW_YORK
from polygon_sandbox.intraday import DAY_SECONDS, LOT, Bar

Kind = Literal["stocks", "options", "crypto", "forex", "futures"]

NS = 1_000_000_000
SLOTS = 64  # more than a second ever has trades, or quotes
_ODD_LOT, _EXTENDED, _OFFICIAL_OPEN = 37, 12, 16
_BEYOND = 0.01
_TRF = 4
_EXCHANGES: dict[Kind, Sequence[int]] = {
    "stocks": (_TRF, 8, 10, 11, 12, 19),
    "options": (300, 302, 309, 316, 323),
    "crypto": (1, 2, 6, 10, 23),
    "forex": (44, 48),
    "futures": (0,),
}

CONDITIONS: tuple[dict[str, Any], ...] = tuple(
    {
        "id": number,
        "type": "sale_condition",
        "name": name,
        "asset_class": "stocks",
        "data_types": ["trade"],
        "update_rules": {
            rules: dict(
                zip(("updates_high_low", "updates_open_close", "updates_volume"), w, strict=True)
            )
            for rules in ("consolidated", "market_center")
        },
    }
    for number, name, w in (
        (_EXTENDED, "Form T/Extended Hours", (False, False, True)),
        (14, "Intermarket Sweep", (True, True, True)),
        (_OFFICIAL_OPEN, "Market Center Official Open", (False, False, False)),
        (_ODD_LOT, "Odd Lot Trade", (False, False, True)),
    )
)
"""Rows of the conditions endpoint for what the trades carry."""


@dataclass(frozen=True, slots=True)
class Trade:
    """A trade. `size` is in hundredths; instants are nanoseconds since 1970 UTC.

    `time_ns` is when the tape had it (the SIP's time); `participant_ns` the exchange's,
    `received_ns` the vendor's own. A trade off the exchanges has a reporting facility and its time.
    `correction` is not 0 of one that was cancelled.
    """

    ticker: str
    time_ns: int
    price: float
    size: int
    conditions: tuple[int, ...]
    sequence: int
    exchange: int
    tape: int
    correction: int = 0

    @property
    def participant_ns(self) -> int:
        """When it was made."""
        return self.time_ns - 100_000 - self.sequence * 7919 % 900_000

    @property
    def received_ns(self) -> int:
        """When the vendor received it."""
        return self.time_ns + 151_000_000

    @property
    def trf(self) -> tuple[int, int] | None:
        """The reporting facility's id and time."""
        if self.exchange != _TRF:
            return None
        return 201 + self.sequence % 3, self.participant_ns + 40_000

    @property
    def id(self) -> int:
        """Unique for a ticker and an exchange."""
        return self.time_ns // NS * SLOTS + self.sequence % SLOTS

    @property
    def decimal_size(self) -> str:
        """The exact size, with one decimal at least, as the vendor writes it."""
        text = f"{self.size // 100}.{self.size % 100:02d}"
        return text[:-1] if text.endswith("0") else text


@dataclass(frozen=True, slots=True)
class Quote:
    """The best bid and ask from an instant on, in nanoseconds since 1970 UTC."""

    ticker: str
    time_ns: int
    bid: float
    bid_size: int
    bid_exchange: int
    ask: float
    ask_size: int
    ask_exchange: int
    sequence: int
    tape: int

    @property
    def participant_ns(self) -> int:
        """When the exchange made it."""
        return self.time_ns - 90_000 - self.sequence * 6007 % 400_000


def kind_of(ticker: str) -> Kind:
    """What a ticker of REST is. Futures look like stocks: their own endpoints know."""
    return {"O:": "options", "X:": "crypto", "C:": "forex"}.get(ticker[:2], "stocks")  # type: ignore[return-value]


def is_counted(conditions: Sequence[int]) -> bool:
    """Whether a trade updates the volume of a bar."""
    return _OFFICIAL_OPEN not in conditions


def sets_prices(conditions: Sequence[int]) -> bool:
    """Whether a trade updates the prices of a bar."""
    return is_counted(conditions) and _ODD_LOT not in conditions


def trades(bar: Bar, ticker: str, kind: Kind) -> Iterator[Trade]:
    """Yield the trades that make the bar of a second, in their order."""
    parts = list(_parts(bar, kind))
    for index, (price, size, conditions) in enumerate(parts):
        sequence = bar.start % DAY_SECONDS * SLOTS + 2 * index + 1
        venues = _EXCHANGES[kind]
        odd_lot = _ODD_LOT in conditions
        yield Trade(
            ticker=ticker,
            time_ns=bar.start * NS
            + (index + 1) * NS // (len(parts) + 2)
            + sequence * 104_729 % 997,
            price=price,
            size=size,
            conditions=conditions,
            sequence=sequence,
            exchange=_TRF if odd_lot else venues[sequence // 2 % len(venues)],
            tape=_tape(ticker),
        )


def quotes(bar: Bar, ticker: str, kind: Kind) -> Iterator[Quote]:
    """Yield the quotes of a second, in their order: four, the first before any trade."""
    venues = _EXCHANGES[kind]
    for index in range(4):
        sequence = bar.start % DAY_SECONDS * SLOTS + 3 * index + 2
        wider = round(_BEYOND * (1 + (bar.start + index) % 3), 2)
        yield Quote(
            ticker=ticker,
            time_ns=bar.start * NS + index * NS // 4 + sequence * 7_907 % 997,
            bid=round(bar.low - wider, 4),
            bid_size=100 * (1 + sequence % 9),
            bid_exchange=venues[sequence % len(venues)],
            ask=round(bar.high + wider, 4),
            ask_size=100 * (1 + sequence // 2 % 9),
            ask_exchange=venues[(sequence + 1) % len(venues)],
            sequence=sequence,
            tape=_tape(ticker),
        )


def _parts(bar: Bar, kind: Kind) -> Iterator[tuple[float, int, tuple[int, ...]]]:
    """Yield price, size in hundredths and conditions of each trade: see `Bar.vwap`."""
    lot = int(bar.volume) // LOT * 100
    more = int(bar.volume) // 1000
    usual = _usual(bar.start, kind)
    opens = _cut(8 * lot, 2 + more)
    if kind in ("stocks", "crypto"):
        # A fraction that the two halves of an order share.
        opens[0], opens[1] = opens[0] - 25, opens[1] + 25
    extremes = [(bar.high, lot, usual), (bar.low, lot, usual)]
    if bar.open > bar.close:
        extremes.reverse()
    if kind == "stocks":
        if bar.start % 60 == 0:
            yield round(bar.high * 1.001, 4), 10_000, (_OFFICIAL_OPEN,)
        yield round(bar.high + _BEYOND, 4), lot, (*usual, _ODD_LOT)
    yield from ((bar.open, size, usual) for size in opens)
    yield from extremes
    if kind != "stocks":
        yield from extremes
    yield from ((bar.close, size, usual) for size in _cut(8 * lot, 1 + more))
    if kind == "stocks":
        yield round(bar.low - _BEYOND, 4), lot, (*usual, _ODD_LOT)


def _cut(size: int, pieces: int) -> list[int]:
    """Whole units, the last piece takes what is left over."""
    each = size // 100 // pieces * 100
    return [each] * (pieces - 1) + [size - each * (pieces - 1)]


def _usual(second: int, kind: Kind) -> tuple[int, ...]:
    """The conditions that an ordinary trade carries."""
    if kind == "stocks":
        return (14,) if _is_regular(second // 1800) else (14, _EXTENDED)
    return {"options": (233,), "crypto": (1 + second % 2,)}.get(kind, ())


# Sessions begin and end at half hours.
@lru_cache(maxsize=4096)
def _is_regular(half_hour: int) -> bool:
    moment = datetime.fromtimestamp(half_hour * 1800, NEW_YORK)
    return moment.weekday() < 5 and 570 <= moment.hour * 60 + moment.minute < 960


def _tape(ticker: str) -> int:
    return 1 + crc32(ticker.encode()) % 3

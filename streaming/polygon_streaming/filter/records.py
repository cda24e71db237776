"""The clean record: one shape for the bars of every market. `schemas/record.json` describes it.

Nothing leaves here that the table would refuse: one record that ClickHouse cannot read sends its
whole batch to the sink's dead-letter queue. What cannot be cleaned raises, with the reason.
"""

import json
from typing import Annotated, Final

import msgspec

from polygon_streaming.channels import AGGREGATE_SECONDS
from polygon_streaming.raw import Unreadable
from polygon_streaming.stamps import EARLIEST_MS, LATEST_MS, is_instant, to_text

KEY_FIELDS: Final = ("event_type", "market", "symbol", "window_start")
"""What identifies a bar; a later bar of the same key replaces the earlier one."""


# The longest names, of options, have 26 characters. Longer ones would make of a record that is just
# within the brokers' limit one that is beyond it.
Name = Annotated[str, msgspec.Meta(max_length=100)]
# Above any price and any volume. Prices may be negative: futures and spreads trade below zero (oil
# settled at -37.63 dollars on 2020-04-20), and the vendor's specification sets no bound.
_MOST: Final = 1e18
Price = Annotated[float, msgspec.Meta(gt=-_MOST, lt=_MOST)]
_Size = Annotated[float, msgspec.Meta(ge=0, lt=_MOST)]
# The longest bars are of a minute. Not each channel's own length: the vendor's specification has
# examples of indices with `e` at `s`, and of XAS with `e` a minute after it.
_LONGEST_MS: Final = 60_000
# No bar starts after it was received. An hour is left to a clock that is wrong; a bar in local time
# east of Greenwich, or in a wrong unit that falls into these years, is further ahead.
_AHEAD_MS: Final = 3_600_000


class Bar(msgspec.Struct, gc=False):
    """An aggregate event as the vendor sends it (its WebSocket specification has the meanings).

    `dv` and `dav` are decimal strings, exact where `v` and `av` are rounded (seen since 2026). Of
    futures `dv` is a number and something else: the value traded (the vendor's client).
    Numbers are read as floats, whatever the specification says: fractions occur in all of them.
    """

    ev: str
    s: int | float
    o: Price
    h: Price
    l: Price  # noqa: E741 - the vendor's name
    c: Price
    sym: Name = ""
    pair: Name = ""
    e: int | float | None = None
    v: _Size | None = None
    dv: str | int | float | None = None
    av: _Size | None = None
    dav: str | None = None
    vw: Price | None = None
    op: Price | None = None
    a: Price | None = None
    z: _Size | None = None
    otc: bool | None = None


class Record(msgspec.Struct, gc=False):
    """A bar as it leaves the filter.

    Attributes:
        event_type: `A`, `AM`, `XA`, `XAS`, `CA`, `CAS`: the vendor's channel.
        market: `stocks`, `crypto`...
        symbol: as the vendor's stream writes it: `BRK.B`, `BTC-USD`, `EUR/USD`.
        window_start: start of the bar, UTC.
        window_end: its end, UTC.
        open: first price of the window; high, low and close likewise.
        vwap: the window's volume-weighted average price, if the market has one.
        volume: shares (or coins, ticks) traded in the window; fractional; 0 for indices.
        accumulated_volume: the day's volume so far.
        official_open: the day's official opening price.
        day_vwap: the day's volume-weighted average price so far.
        average_trade_size: of the window.
        otc: whether it was traded over the counter.
        received_at: when the feed received it, UTC.
        healed: whether it comes from the REST API, after a gap.
    """

    event_type: str
    market: str
    symbol: str
    window_start: str
    window_end: str
    open: float
    high: float
    low: float
    close: float
    vwap: float | None
    volume: float
    accumulated_volume: float | None
    official_open: float | None
    day_vwap: float | None
    average_trade_size: float | None
    otc: bool
    received_at: str
    healed: bool


class _Kind(msgspec.Struct, gc=False):
    ev: str


_CHANNELS: Final = frozenset(AGGREGATE_SECONDS)
_bars = msgspec.json.Decoder(Bar)
_read_number = msgspec.json.Decoder(float).decode
_kinds = msgspec.json.Decoder(_Kind)
# Besides what is wrong for JSON or for a bar: text that is not UTF-8, numbers with more digits than
# Python reads, and what is nested too deeply.
DECODING: Final = (msgspec.MsgspecError, ValueError, RecursionError)


def read(value: bytes | None) -> Bar | None:
    """Return the bar in a raw event; None if it is an event of another kind.

    Raises:
        Unreadable: it is no JSON object with an event type, or a bar with a wrong field.
    """
    if value is None:
        raise Unreadable("no value")
    try:
        bar = _bars.decode(value)
    except DECODING as error:
        _check_kind(value, error)
        return None
    return bar if bar.ev in _CHANNELS else None


def _check_kind(value: bytes, why_no_bar: Exception) -> None:
    """Make sure that what is not read as a bar is an event of another kind.

    Raises:
        Unreadable: it is a broken bar, or not an event.
    """
    if kind_of(value) in AGGREGATE_SECONDS:
        raise Unreadable(f"not a bar: {why_no_bar}") from None


def kind_of(value: bytes) -> str:
    """Return the event type in a raw record.

    Raises:
        Unreadable: it is not an event.
    """
    try:
        return _kinds.decode(value).ev
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8: {error}") from None
    except DECODING as error:
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


def clean(bar: Bar, market: str, received_ms: int, healed: bool) -> Record:
    """Return the clean record of a bar.

    Args:
        bar: as `read` returned it.
        market: its market; empty if the raw record does not say.
        received_ms: when the feed received it, milliseconds since 1970 UTC.
        healed: whether it comes from the REST API.

    Raises:
        Unreadable: a value is out of the range that the table takes.
    """
    symbol = bar.sym or bar.pair
    if not symbol:
        raise Unreadable("not a bar: no symbol in sym or pair")
    start = int(bar.s)
    end = start + 1000 * AGGREGATE_SECONDS[bar.ev] if bar.e is None else int(bar.e)
    # Each bar is compared here, and only what is wrong is looked at closely.
    if not (
        EARLIEST_MS <= start <= LATEST_MS
        and 0 <= end - start <= _LONGEST_MS
        and EARLIEST_MS <= received_ms <= LATEST_MS
        and start - received_ms <= _AHEAD_MS
    ):
        raise Unreadable(_wrong_time(bar, start, end, received_ms))
    return Record(
        bar.ev,
        market,
        symbol,
        to_text(start),
        to_text(end),
        bar.o,
        bar.h,
        bar.l,
        bar.c,
        bar.vw,
        bar.v or 0.0 if bar.dv is None or market[:7] == "futures" else _exact("dv", bar.dv),
        bar.av if bar.dav is None else _exact("dav", bar.dav),
        bar.op,
        bar.a,
        bar.z,
        bool(bar.otc),
        to_text(received_ms),
        healed,
    )


def _wrong_time(bar: Bar, start: int, end: int, received_ms: int) -> str:
    for name, stamp in (("s", bar.s), ("e", bar.e)):
        if stamp is not None and not is_instant(stamp):
            number = f"{stamp:.4g}" if abs(stamp) < 1e300 else "beyond all bounds"
            return f"not a bar: {name} is {number}, not in milliseconds since 1970"
    if not is_instant(received_ms):
        return "the record does not say when it was received: its timestamp is not set"
    hours = (start - received_ms) / 3_600_000
    if start - received_ms > _AHEAD_MS:
        return f"not a bar: its window starts {hours:.1f} h after it was received"
    return f"not a bar: e is {end - start} ms after s, and no bar is so long"


def _read_otherwise(text: str) -> float:
    """Return the number in a text that JSON does not take for one: `5.`, say; -1 for none."""
    try:
        return float(text)
    except ValueError:
        return -1.0


def _exact(name: str, text: str | float) -> float:
    volume = -1.0
    if isinstance(text, str):
        try:
            # Reads what JSON takes for a number to the same float, in a third of the time.
            volume = _read_number(text)
        except DECODING:
            volume = _read_otherwise(text)
    if not 0 <= volume < _MOST:
        raise Unreadable(f"not a bar: {name} is {text!r}, not a volume")
    return volume

"""The clean record: one shape for the bars of every market. `schemas/record.json` describes it.

Nothing leaves here that the table would refuse: one record that ClickHouse cannot read sends its
whole batch to the sink's dead-letter queue. What cannot be cleaned raises, with the reason.
"""

from __future__ import annotations

from math import isfinite
from typing import Final

import msgspec

from polygon_streaming.channels import AGGREGATE_SECONDS
from polygon_streaming.stamps import EARLIEST_MS, LATEST_MS, to_text

KEY_FIELDS: Final = ("event_type", "market", "symbol", "window_start")
"""What identifies a bar; a later bar of the same key replaces the earlier one."""


class Unreadable(Exception):
    """A record is no event, or no bar that can be cleaned; the text says why."""


class Bar(msgspec.Struct, gc=False):
    """An aggregate event as the vendor sends it (its WebSocket specification has the meanings).

    `dv` and `dav` are decimal strings, exact where `v` and `av` are rounded (seen since 2026).
    Numbers are read as floats, whatever the specification says: fractions occur in all of them.
    """

    ev: str
    s: int | float
    o: float
    h: float
    l: float  # noqa: E741 - the vendor's name
    c: float
    sym: str = ""
    pair: str = ""
    e: int | float | None = None
    v: float | None = None
    dv: str | None = None
    av: float | None = None
    dav: str | None = None
    vw: float | None = None
    op: float | None = None
    a: float | None = None
    z: float | None = None
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


_bars = msgspec.json.Decoder(Bar)
_kinds = msgspec.json.Decoder(_Kind)


def read(value: bytes | None) -> Bar | None:
    """Return the bar in a raw event; None if it is an event of another kind.

    Raises:
        Unreadable: it is no JSON object with an event type, or a bar with a wrong field.
    """
    if value is None:
        raise Unreadable("no value")
    try:
        bar = _bars.decode(value)
    except msgspec.MsgspecError as error:
        try:
            kind = _kinds.decode(value)
        except msgspec.MsgspecError as worse:
            raise Unreadable(f"not an event: {worse}") from None
        if kind.ev not in AGGREGATE_SECONDS:
            return None
        raise Unreadable(f"not a bar: {error}") from None
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8: {error}") from None
    return bar if bar.ev in AGGREGATE_SECONDS else None


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
    if not (EARLIEST_MS <= start <= LATEST_MS and EARLIEST_MS <= end <= LATEST_MS):
        raise Unreadable(f"not a bar: window {bar.s} to {bar.e} is not in milliseconds since 1970")
    if not isfinite(bar.o + bar.h + bar.l + bar.c):
        raise Unreadable("not a bar: a price is too large")
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
        _volume("dv", bar.dv, bar.v) or 0.0,
        _volume("dav", bar.dav, bar.av),
        bar.op,
        bar.a,
        bar.z,
        bool(bar.otc),
        to_text(received_ms),
        healed,
    )


def _volume(name: str, exact: str | None, rounded: float | None) -> float | None:
    if exact is None:
        return rounded
    try:
        volume = float(exact)
    except ValueError:
        volume = -1.0
    if not 0 <= volume < 1e18:
        raise Unreadable(f"not a bar: {name} is {exact!r}, no volume")
    return volume

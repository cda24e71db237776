"""The clean record: one shape for the bars of every market. `schemas/record.json` describes it.

Nothing leaves here that the table would refuse: one record that ClickHouse cannot read sends its
whole batch to the sink's dead-letter queue. What cannot be cleaned raises, with the reason.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import msgspec

from polygon_streaming.channels import AGGREGATE_SECONDS
from polygon_streaming.filter.bars import MOST, Bar, Size
from polygon_streaming.raw import Unreadable
from polygon_streaming.stamps import EARLIEST_MS, LATEST_MS, is_instant, to_text

KEY_FIELDS: Final = ("event_type", "market", "symbol", "window_start")
"""What identifies a bar; a later bar of the same key replaces the earlier one."""


# The longest bars are of a minute. Not each channel's own length: the vendor's specification has
# examples of indices with `e` at `s`, and of XAS with `e` a minute after it.
_LONGEST_MS: Final = 60_000
# No bar starts after it was received. An hour is left to a clock that is wrong; a bar in local time
# east of Greenwich, or in a wrong unit that falls into these years, is further ahead.
_AHEAD_MS: Final = 3_600_000


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


_read_volume: Final[Callable[[Any], float]] = msgspec.json.Decoder(Size).decode
_NO_VOLUME: Final = (msgspec.MsgspecError, ValueError, TypeError, RecursionError)


def clean(bar: Bar, market: str, received_ms: int, healed: bool) -> Record:
    """Return the clean record of a bar.

    Args:
        bar: as the vendor sent it.
        market: its market; empty if the raw record does not say.
        received_ms: when the feed received it, milliseconds since 1970 UTC.
        healed: whether it comes from the REST API.

    Raises:
        Unreadable: a value is out of the range that the table takes.
    """
    symbol = bar.sym or bar.pair
    if not symbol:
        raise Unreadable("not a bar: no symbol in sym or pair")
    channel = bar.ev
    window = _window(channel, bar.s, bar.e)
    # Each bar is compared here, and only what is wrong is looked at closely.
    if window is None or not window[0] <= received_ms <= LATEST_MS:
        raise Unreadable(_wrong_time(bar, received_ms))
    dv, dav = bar.dv, bar.dav
    volume, accumulated = bar.v or 0.0, bar.av
    try:
        # Reads what JSON takes for a number to the same float as Python, in a third of the time.
        # What most bars are of is asked for first: a comparison takes a third of a slice's time.
        if dv is not None and (market == "stocks" or market[:7] != "futures"):
            volume = _read_volume(dv)
        if dav is not None:
            accumulated = _read_volume(dav)
    except _NO_VOLUME:
        volume, accumulated = _volumes(bar, volume, market)
    return Record(
        channel,
        market,
        symbol,
        window[1],
        window[2],
        bar.o,
        bar.h,
        bar.l,
        bar.c,
        bar.vw,
        volume,
        accumulated,
        bar.op,
        bar.a,
        bar.z,
        bar.otc is True,
        to_text(received_ms),
        healed,
    )


# Bars of all symbols share their few windows.
@lru_cache(maxsize=16_384)
def _window(channel: str, s: float, e: float | None) -> tuple[int, str, str] | None:
    """Return the earliest time at which a window can have been received, its start and its end.

    None if it is not the window of a bar.
    """
    start, end = _bounds(channel, s, e)
    if EARLIEST_MS <= start <= LATEST_MS and 0 <= end - start <= _LONGEST_MS:
        return max(EARLIEST_MS, start - _AHEAD_MS), to_text(start), to_text(end)
    return None


def _bounds(channel: str, s: float, e: float | None) -> tuple[int, int]:
    start = int(s)
    return start, start + 1000 * AGGREGATE_SECONDS[channel] if e is None else int(e)


def _wrong_time(bar: Bar, received_ms: int) -> str:
    start, end = _bounds(bar.ev, bar.s, bar.e)
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


def _volumes(bar: Bar, volume: float, market: str) -> tuple[float, float | None]:
    """Return volumes of which one is not a number for JSON: `5.`, say.

    Raises:
        Unreadable: it is not one for Python either.
    """
    if bar.dv is not None and market[:7] != "futures":
        volume = _exact("dv", bar.dv)
    return volume, bar.av if bar.dav is None else _exact("dav", bar.dav)


def _exact(name: str, text: str | float) -> float:
    try:
        volume = float(text) if isinstance(text, str) else -1.0
    except ValueError:
        volume = -1.0
    if not 0 <= volume < MOST:
        raise Unreadable(f"not a bar: {name} is {text!r}, not a volume")
    return volume

"""Grouped daily bars: who trades on a day, at what price, and what the vendor did to the bars."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polygon_sandbox.listings import Listing, Row
from polygon_sandbox.prices import (
    FRACTIONAL_VOLUME_SINCE,
    MARKETS,
    Floats,
    Hashes,
    Quotes,
    mix,
    quotes,
    uniform,
)
from polygon_sandbox.reference import Split
from polygon_sandbox.sessions import end_of_window_ms

_FOREVER = date.max.toordinal()


@dataclass(frozen=True, slots=True)
class Edit:
    """What was done to one bar after the fact: corrections so far, and copies sent (1 = normal)."""

    corrections: int = 0
    copies: int = 1


class Edits:
    """Late corrections, dropped and duplicated bars, by (market, day), and when each happened."""

    def __init__(self) -> None:
        self._edits: dict[tuple[str, date], list[tuple[datetime, str, Edit]]] = defaultdict(list)

    def version(self, market: str, day: date) -> int:
        """Grows with each edit of that day."""
        return len(self._edits.get((market, day), ()))

    def correct(self, market: str, day: date, ticker: str, at: datetime) -> None:
        """Count one more correction of a bar."""
        edit = self._now(market, day).get(ticker, Edit())
        edit = replace(edit, corrections=edit.corrections + 1)
        self._edits[market, day].append((at, ticker, edit))

    def copy(self, market: str, day: date, ticker: str, copies: int, at: datetime) -> None:
        """Send a bar that many times: 0 drops it, 2 duplicates it."""
        edit = self._now(market, day).get(ticker, Edit())
        self._edits[market, day].append((at, ticker, replace(edit, copies=copies)))

    def apply(
        self, market: str, day: date, bars: list[Row], as_of: datetime | None = None
    ) -> list[Row]:
        """The bars as they are sent today, or were at an instant."""
        edits = self._now(market, day, as_of)
        if not edits:
            return bars
        sent = []
        for bar in bars:
            edit = edits.get(bar["T"], Edit())
            sent += [_corrected(bar, edit.corrections)] * edit.copies
        return sent

    def _now(self, market: str, day: date, as_of: datetime | None = None) -> dict[str, Edit]:
        """The last edit of each bar."""
        made = self._edits.get((market, day), ())
        return {ticker: edit for at, ticker, edit in made if as_of is None or at <= as_of}


def _corrected(bar: Row, times: int) -> Row:
    """Cancelled trades lower v and n and move vw; open, high, low, close stay (observed)."""
    bar = dict(bar)
    for _ in range(times):
        volume = bar["v"]
        lower = volume - max(volume // 50, 1) if volume > 2 else volume / 2
        bar["v"] = _number(round(lower, 8))
        if "n" in bar:
            bar["n"] = bar["n"] - max(bar["n"] // 50, 1) if bar["n"] > 1 else 2
            further = max(bar["l"], bar["h"], key=lambda edge: abs(edge - bar["vw"]))
            bar["vw"] = round((bar["vw"] + further) / 2, 8)
    return bar


class Tape:
    """The listings of one market as arrays, built anew whenever a listing comes or goes."""

    def __init__(self, market: str, listings: Iterable[Listing], seed: int) -> None:
        rows = [row for row in listings if not row.duplicate]
        salt = np.uint64(seed % 2**32 << 32)
        keys = mix(np.array([row.id for row in rows], dtype=np.uint64) ^ salt)
        # The vendor's order is not documented; the sandbox sends bars unsorted, the same each day.
        order = np.argsort(keys)
        self._market = market
        rows = [rows[position] for position in order.tolist()]
        self._tickers = [row.ticker for row in rows]
        self._keys: Hashes = keys[order]
        self._starts = np.array([row.listed_on.toordinal() for row in rows], dtype=np.int64)
        self._ends = np.array([_end(row) for row in rows], dtype=np.int64)
        self._is_otc = np.array([row.market == "otc" for row in rows], dtype=np.bool_)
        self._generations: dict[str, list[int]] = defaultdict(list)
        for position, ticker in enumerate(self._tickers):
            self._generations[ticker].append(position)

    def bars(
        self,
        day: date,
        splits: Iterable[Split],
        today: date,
        adjusted: bool,
        include_otc: bool,
        elapsed: float,
    ) -> list[Row]:
        """`results` of a grouped answer; `elapsed` below 1 means partial bars."""
        trading = self._trading(day)
        if not include_otc:
            trading &= ~self._is_otc
        positions = np.flatnonzero(trading)
        known = [split for split in splits if split.execution_date <= today]
        sent = self._recorded(day, positions, known, elapsed)
        if adjusted:
            later = self._factor(split for split in known if split.execution_date > day)
            sent = sent.split(later[positions]).rounded(MARKETS[self._market].price_decimals, 6)
        bars = self._rows_of(sent, day, positions)
        self._omit(bars, day, positions)
        return bars

    def position(self, ticker: str, day: date) -> int | None:
        """Which of the listings with that symbol is listed on a day, as a number of its own."""
        ordinal = day.toordinal()
        listed = (
            position
            for position in self._generations.get(ticker, ())
            if self._starts[position] <= ordinal < self._ends[position]
        )
        return next(listed, None)

    def closes(
        self, day: date, tickers: Iterable[str], splits: Iterable[Split]
    ) -> dict[str, float]:
        """The unadjusted closes of a session that is over, of those symbols that have a bar."""
        listed = {ticker: self.position(ticker, day) for ticker in tickers}
        trading = self._trading(day)
        traded = {t: p for t, p in listed.items() if p is not None and trading[p]}
        positions = np.array(list(traded.values()), dtype=np.int64)
        recorded = self._recorded(day, positions, splits, elapsed=1)
        return dict(zip(traded, recorded.close.tolist(), strict=True))

    def _trading(self, day: date) -> NDArray[np.bool_]:
        ordinal = day.toordinal()
        listed = (self._starts <= ordinal) & (ordinal < self._ends)
        # One listing in a hundred has no trade on a day, and so no bar.
        return np.asarray(listed & (uniform(self._keys, ordinal, 20) >= 0.01), dtype=np.bool_)

    def _recorded(
        self, day: date, positions: NDArray[np.int64], splits: Iterable[Split], elapsed: float
    ) -> Quotes:
        """The unadjusted bars of a day."""
        # A split that the vendor recorded late never showed in the prices of its days.
        past = self._factor(s for s in splits if s.priced and s.execution_date <= day)
        raw = _partial(quotes(self._market, self._keys[positions], day), elapsed)
        return self._traded(raw.split(past[positions]), day, positions)

    def _factor(self, splits: Iterable[Split]) -> Floats:
        """New shares for one old share after these splits, for every listing."""
        factor = np.ones(len(self._tickers))
        for split in splits:
            ordinal = split.execution_date.toordinal()
            for position in self._generations.get(split.ticker, ()):
                if self._starts[position] <= ordinal < self._ends[position]:
                    factor[position] *= split.ratio
        return factor

    def _traded(self, raw: Quotes, day: date, positions: NDArray[np.int64]) -> Quotes:
        """The unadjusted bars as recorded: whole shares until 2026-02-23, most fractional since."""
        look = MARKETS[self._market]
        recorded = raw.rounded(look.price_decimals, look.volume_decimals)
        if self._market != "stocks":
            return recorded
        whole = uniform(self._keys[positions], day.toordinal(), 21) < 0.2
        whole |= day < FRACTIONAL_VOLUME_SINCE
        volume = np.where(whole, np.maximum(np.floor(raw.volume), 1), recorded.volume)
        return replace(recorded, volume=volume)

    def _rows_of(self, sent: Quotes, day: date, positions: NDArray[np.int64]) -> list[Row]:
        end_ms = end_of_window_ms(self._market, day)
        columns = zip(
            (self._tickers[position] for position in positions.tolist()),
            sent.volume.tolist(),
            sent.vwap.tolist(),
            sent.open.tolist(),
            sent.close.tolist(),
            sent.high.tolist(),
            sent.low.tolist(),
            sent.trades.astype(np.int64).tolist(),
            strict=True,
        )
        return [
            {
                "T": T,
                "v": _number(v),
                "vw": vw,
                "o": o,
                "c": c,
                "h": h,
                "l": low,
                "t": end_ms,
                "n": n,
            }
            for T, v, vw, o, c, h, low, n in columns
        ]

    def _omit(self, bars: list[Row], day: date, positions: NDArray[np.int64]) -> None:
        """Fields that the vendor's spec calls optional: n and vw missing, otc only when true."""
        bare = uniform(self._keys[positions], day.toordinal(), 22) < 0.02
        for position in np.flatnonzero(bare).tolist():
            del bars[position]["n"], bars[position]["vw"]
        for position in np.flatnonzero(self._is_otc[positions]).tolist():
            bars[position]["otc"] = True


def _end(row: Listing) -> int:
    return _FOREVER if row.delisted_on is None else row.delisted_on.toordinal()


def _partial(whole: Quotes, elapsed: float) -> Quotes:
    """The bars so far, `elapsed` being the part of the session that is over (0 to 1)."""
    if elapsed >= 1:
        return whole
    close = whole.open + (whole.close - whole.open) * elapsed
    top, bottom = np.maximum(whole.open, close), np.minimum(whole.open, close)
    high = top + (whole.high - top) * elapsed
    low = bottom + (whole.low - bottom) * elapsed
    return Quotes(
        open=whole.open,
        high=high,
        low=low,
        close=close,
        vwap=(high + low) / 2,
        volume=np.maximum(whole.volume * elapsed, 1),
        trades=np.maximum(np.floor(whole.trades * elapsed), 1),
    )


def _number(value: float) -> Any:
    """A JSON integer where the number is whole, as the vendor writes it."""
    return int(value) if value == int(value) else value

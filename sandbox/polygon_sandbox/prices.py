"""Prices and volumes as pure functions of (listing, day): nothing is stored, any day is cheap."""

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Hashes = NDArray[np.uint64]

# Observed: from this session on, unadjusted stock volumes are fractional, up to 6 decimals.
FRACTIONAL_VOLUME_SINCE = date(2026, 2, 23)

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_LARGEST = 2.0**53


@dataclass(frozen=True, slots=True)
class Market:
    """The look of a market's bars: price level and decimals, daily swing, volume level."""

    median_price: float
    price_spread: float
    price_decimals: int
    swing: float
    median_volume: float
    volume_decimals: int


MARKETS = {
    "stocks": Market(25.0, 1.1, 4, 0.02, 300_000.0, 6),
    "crypto": Market(5.0, 3.0, 8, 0.04, 50_000.0, 8),
    "fx": Market(1.2, 1.5, 5, 0.004, 150_000.0, 0),
}


@dataclass(frozen=True, slots=True)
class Quotes:
    """One day's numbers, an element a listing: prices in the quote currency, volume in units."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    vwap: Floats
    volume: Floats
    trades: Floats

    def split(self, factor: Floats) -> "Quotes":
        """The same trades counted in new shares, `factor` of them for one old share."""
        return Quotes(
            self.open / factor,
            self.high / factor,
            self.low / factor,
            self.close / factor,
            self.vwap / factor,
            self.volume * factor,
            self.trades,
        )

    def rounded(self, price_decimals: int, volume_decimals: int) -> "Quotes":
        """The numbers as they are printed; rounding keeps low <= open, close, vwap <= high."""
        return Quotes(
            np.round(self.open, price_decimals),
            np.round(self.high, price_decimals),
            np.round(self.low, price_decimals),
            np.round(self.close, price_decimals),
            np.round(self.vwap, price_decimals),
            np.round(self.volume, volume_decimals),
            self.trades,
        )


def mix(values: Hashes) -> Hashes:
    """Scatter 64-bit integers (splitmix64), the source of every random number here."""
    values = values + _GOLDEN
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def uniform(keys: Hashes, day: int, stream: int) -> Floats:
    """Numbers in [0, 1) that depend on the listing, the day (ordinal) and what they are for."""
    salt = np.uint64((day * 64 + stream) * 0x9E3779B1 % 2**63)
    return (mix(keys ^ salt) >> np.uint64(11)).astype(np.float64) / _LARGEST


def quotes(market: str, keys: Hashes, day: date) -> Quotes:
    """What every listing would trade at on `day` had it never split."""
    look = MARKETS[market]
    ordinal = day.toordinal()
    close = _level(look, keys, ordinal)
    opening = _level(look, keys, ordinal - 1) * (
        1 + look.swing * (uniform(keys, ordinal, 1) - 0.5) / 2
    )
    top, bottom = np.maximum(opening, close), np.minimum(opening, close)
    high = top * (1 + look.swing * uniform(keys, ordinal, 2) / 2)
    low = bottom * (1 - look.swing * uniform(keys, ordinal, 3) / 2)
    vwap = low + (high - low) * (0.3 + 0.4 * uniform(keys, ordinal, 4))
    volume = look.median_volume * np.exp(
        4 * (uniform(keys, 0, 5) - 0.5) + 2 * (uniform(keys, ordinal, 6) - 0.5)
    )
    # Fx has no trades: the spec's example counts quotes, and v equals n.
    per_trade = 1.0 if market == "fx" else 20 + 180 * uniform(keys, 0, 7)
    trades = np.maximum(1, np.round(volume / per_trade))
    return Quotes(opening, high, low, close, vwap, volume, trades)


def _level(look: Market, keys: Hashes, ordinal: int) -> Floats:
    """The closing price: a level per listing, two slow waves, and the day's noise."""
    level = look.price_spread * 2 * (uniform(keys, 0, 8) + uniform(keys, 0, 9) - 1)
    year = 2 * np.pi * ordinal / 365.25
    slow = 0.35 * np.sin(year / 4.3 + 2 * np.pi * uniform(keys, 0, 10))
    fast = 0.12 * np.sin(year * 2.7 + 2 * np.pi * uniform(keys, 0, 11))
    noise = look.swing * (uniform(keys, ordinal, 12) - 0.5)
    return look.median_price * np.asarray(np.exp(level + slow + fast + noise), dtype=np.float64)

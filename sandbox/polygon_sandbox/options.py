"""Options: the contracts of an underlying, live or expired, and what a snapshot of its chain shows.

Of every third stock, and of those that tests count on. A series expires on the last session of a
week and is listed eight weeks before, with strikes around the close before that day, a call and a
put each. A contract is live up to and on its expiration date (the hour is unverified), then it is
in the list of the expired ones and in no chain. Splits leave strikes as they are.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import exp, sqrt
from random import Random
from zlib import crc32

from polygon_sandbox.clock import to_ns
from polygon_sandbox.listings import Row
from polygon_sandbox.sessions import Calendar

_ALWAYS = ("A", "AAPL", "MSFT")
_LISTED = timedelta(weeks=8)
_STEPS = ((10, 0.5), (50, 1.0), (200, 5.0))  # up to a price, dollars between strikes

Closes = Callable[[str, date], float | None]


@dataclass(frozen=True, slots=True)
class OptionsSize:
    """How many weekly series a world begins with that have expired, and the strikes of a series."""

    weeks: int = 30
    strikes: int = 20


@dataclass(frozen=True, slots=True)
class _Added:
    contract: Row
    listed_on: date


class Options:
    """The options of one world."""

    def __init__(
        self, seed: int, size: OptionsSize, founded_on: date, calendar: Calendar, closes: Closes
    ) -> None:
        """`closes` is the last close of a symbol before a day; None where it was not listed."""
        self._seed = seed
        self._size = size
        self._calendar = calendar
        self._closes = closes
        monday = founded_on - timedelta(days=founded_on.weekday())
        self._first_week = monday - timedelta(weeks=size.weeks)
        self._series: dict[tuple[str, date], list[Row]] = {}
        self._added: list[_Added] = []

    @property
    def version(self) -> int:
        """Grows with each contract that is added by hand."""
        return len(self._added)

    def add(
        self,
        underlying: str,
        expiration: date,
        strike: float,
        contract_type: str,
        listed_on: date,
        today: date,
    ) -> Row:
        """List one more contract; one that has expired already is entered late."""
        if not self.has_options(underlying):
            raise KeyError(f"{underlying!r} has no options")
        contract = _contract(underlying, expiration, strike, contract_type)
        if any(contract["ticker"] == c["ticker"] for c in self.contracts(underlying, today)):
            raise ValueError(f"{contract['ticker']} is already listed")
        self._added.append(_Added(contract, listed_on))
        return dict(contract)

    def has_options(self, underlying: str) -> bool:
        """Whether a stock is one of those with options, whether listed now or not."""
        return underlying in _ALWAYS or crc32(f"{self._seed}/{underlying}".encode()) % 3 == 0

    def contracts(self, underlying: str, as_of: date) -> list[Row]:
        """The contracts listed by a day, live and expired ones, in the order of their tickers."""
        found = [
            contract
            for expiration, listed_on in self._expirations(as_of)
            for contract in self._made(underlying, expiration, listed_on)
        ]
        found += [
            added.contract
            for added in self._added
            if added.contract["underlying_ticker"] == underlying and added.listed_on <= as_of
        ]
        return sorted(found, key=lambda contract: str(contract["ticker"]))

    def chain(self, underlying: str, now: datetime, today: date) -> Iterator[tuple[Row, Row]]:
        """Each live contract and its snapshot at an instant; values change with every hour."""
        price = self._closes(underlying, today)
        if price is None:
            return
        for contract in live(self.contracts(underlying, today), today):
            yield contract, _snapshot(self._seed, contract, price, now, today)

    def _expirations(self, as_of: date) -> Iterator[tuple[date, date]]:
        """Expiration and listing day of every series that is listed by a day."""
        monday = self._first_week
        while True:
            week = self._calendar.sessions("stocks", monday, monday + timedelta(days=4))
            if week:
                if week[-1] - _LISTED > as_of:
                    return
                yield week[-1], week[-1] - _LISTED
            monday += timedelta(days=7)

    def _made(self, underlying: str, expiration: date, listed_on: date) -> list[Row]:
        key = underlying, expiration
        if key not in self._series:
            close = self._closes(underlying, listed_on) if self.has_options(underlying) else None
            strikes = _strikes(close, self._size.strikes) if close else ()
            self._series[key] = [
                _contract(underlying, expiration, strike, kind)
                for strike in strikes
                for kind in ("call", "put")
            ]
        return self._series[key]


def live(contracts: Iterable[Row], as_of: date) -> list[Row]:
    """The contracts that have not expired on a day."""
    return [row for row in contracts if row["expiration_date"] >= as_of.isoformat()]


def expired(contracts: Iterable[Row], as_of: date) -> list[Row]:
    """The contracts that have expired before a day."""
    return [row for row in contracts if row["expiration_date"] < as_of.isoformat()]


def _strikes(close: float, count: int) -> list[float]:
    step = next((step for limit, step in _STEPS if close < limit), 10.0)
    middle = round(close / step)
    first = max(1, middle - count // 2)
    return [round(step * (first + n), 4) for n in range(count)]


def _contract(underlying: str, expiration: date, strike: float, kind: str) -> Row:
    root = underlying.replace(".", "").upper()
    ticker = f"O:{root}{expiration:%y%m%d}{kind[0].upper()}{round(strike * 1000):08d}"
    number = crc32(ticker.encode())
    contract: Row = {
        "cfi": f"O{kind[0].upper()}ASPS",
        "contract_type": kind,
        "exercise_style": "american",
        "expiration_date": expiration.isoformat(),
        "primary_exchange": "BATO",
        "shares_per_contract": 100,
        "strike_price": int(strike) if strike == int(strike) else strike,
        "ticker": ticker,
        "underlying_ticker": underlying,
    }
    if number % 50 == 0:  # what a merger leaves of some contracts
        contract["additional_underlyings"] = [
            {"amount": 44, "type": "equity", "underlying": "VMW"},
            {"amount": 6.53, "type": "currency", "underlying": "USD"},
        ]
    if number % 70 == 0:
        contract["correction"] = 1
    return contract


def _snapshot(seed: int, contract: Row, price: float, now: datetime, today: date) -> Row:
    dice = Random(f"{seed}/{contract['ticker']}/{now:%Y-%m-%dT%H}")
    call, strike = contract["contract_type"] == "call", float(contract["strike_price"])
    days = (date.fromisoformat(contract["expiration_date"]) - today).days
    inside = max(price - strike if call else strike - price, 0.0)
    hope = (
        price * 0.02 * sqrt(days + 1) * exp(-8 * abs(strike / price - 1)) * dice.uniform(0.9, 1.1)
    )
    premium = max(round(inside + hope, 2), 0.01)
    break_even = round(strike + premium if call else strike - premium, 4)
    stamp = to_ns(now) - dice.randrange(60_000_000_000)
    traded = dice.random() < 0.7
    shown = ("contract_type", "exercise_style", "expiration_date")
    snapshot: Row = {
        "break_even_price": break_even,
        # Seen: an empty object where nothing was traded.
        "day": _day(dice, premium, stamp) if traded else {},
        "details": {
            name: contract[name]
            for name in (*shown, "shares_per_contract", "strike_price", "ticker")
        },
        "last_quote": {
            "ask": round(premium + 0.02, 2),
            "ask_size": dice.randrange(1, 90),
            "bid": round(max(premium - 0.02, 0), 2),
            "bid_size": dice.randrange(1, 90),
            "last_updated": stamp,
            "midpoint": premium,
            "timeframe": "REAL-TIME",
        },
        "open_interest": dice.randrange(5_000),
        "underlying_asset": {
            "change_to_break_even": round(break_even - price, 4),
            "last_updated": stamp,
            "price": price,
            "ticker": contract["underlying_ticker"],
            "timeframe": "DELAYED",
        },
    }
    if traded:
        snapshot["last_trade"] = {
            "conditions": [209],
            "exchange": 316,
            "price": premium,
            "sip_timestamp": stamp - 1,
            "size": 2,
            "timeframe": "REAL-TIME",
        }
    if inside < 0.15 * price:  # the vendor computes none deep in the money
        sign = 1 if call else -1
        snapshot["implied_volatility"] = round(dice.uniform(0.15, 0.9), 6)
        snapshot["greeks"] = {
            "delta": round(sign / (1 + exp(-sign * 20 * (price / strike - 1))), 6),
            "gamma": round(dice.uniform(0, 0.05), 6),
            "theta": -round(dice.uniform(0, 0.5), 6),
            "vega": round(dice.uniform(0, 0.5), 6),
        }
    return snapshot


def _day(dice: Random, premium: float, stamp: int) -> Row:
    before = max(round(premium * dice.uniform(0.8, 1.2), 2), 0.01)
    return {
        "change": round(premium - before, 4),
        "change_percent": round(100 * (premium - before) / before, 4),
        "close": premium,
        "high": max(premium, before),
        "last_updated": stamp,
        "low": min(premium, before),
        "open": before,
        "previous_close": before,
        "volume": dice.randrange(1, 5_000),
        "vwap": round((premium + before) / 2, 4),
    }

"""Splits and dividends with their adjustment factors, as /stocks/v1 states them.

To adjust a price of day D multiply it by the factor of the ticker's first event after D (vendor's
spec). The factor is therefore a product over that event and all later ones: of split_from /
split_to, or of 1 - cash / close with the last close before the ex-date. Checked by value against
the spec's examples and a recorded answer of February 2026 (AAPL: 0.25, 1/28 and 1/56 for splits;
0.838964 / 0.842566 = 1 - 2.65 / 619.86 for a dividend of 2012), all rounded to six decimals.

Unverified: that an announced event counts from its day on (its factor is 1 until then); that the
events of another company under the same symbol do not count; that a dividend for which there is
no close, or a lower one than the cash, counts as 1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from math import prod

from polygon_sandbox.bars import Tape
from polygon_sandbox.listings import Listing, Row
from polygon_sandbox.reference import Split, dividend_row, event_id, first_dividends, first_splits
from polygon_sandbox.sessions import Calendar, calendar_until

_DECIMALS = 6
# How far back the last close before an ex-date is looked for, in sessions.
_SESSIONS_BACK = 5
# The older list's letters in the newer one's words (unverified beyond CD and SC).
_DISTRIBUTIONS = {"CD": "recurring", "SC": "special", "LT": "irregular", "ST": "irregular"}


class CorporateActions:
    """All splits and dividends so far, announced ones included."""

    def __init__(
        self,
        seed: int,
        listings: Sequence[Listing],
        today: Callable[[], date],
        tape: Callable[[], Tape],
    ) -> None:
        self._today = today
        self._tape = tape
        self.splits = first_splits(seed, listings, today())
        self._dividends = first_dividends(seed, listings, today())

    @property
    def version(self) -> object:
        """Another value for every split and dividend that is entered, and for other listings."""
        return len(self.splits), len(self._dividends), self._tape()

    def add_split(
        self, ticker: str, execution_date: date, split_from: float, split_to: float
    ) -> Row:
        """Enter a split; prices show it only if its day is still to come."""
        identity = event_id(ticker, execution_date, split_from, split_to, len(self.splits))
        split = Split(identity, ticker, execution_date, split_from, split_to)
        self.splits.append(replace(split, priced=execution_date > self._today()))
        return split.row()

    def add_dividend(
        self, ticker: str, ex_date: date, cash_amount: float, dividend_type: str, frequency: int
    ) -> Row:
        """Enter a dividend of `cash_amount` USD a share."""
        row = dividend_row(ticker, ex_date, cash_amount, dividend_type, frequency)
        row["id"] = event_id(row["id"], len(self._dividends))
        self._dividends.append(row)
        return dict(row)

    def plain_splits(self) -> list[Row]:
        """The rows of the deprecated list, in the order they were entered."""
        return [split.row() for split in self.splits]

    def plain_dividends(self) -> list[Row]:
        """The rows of the deprecated list, in the order they were entered."""
        return [dict(row) for row in self._dividends]

    def splits_with_factors(self) -> list[Row]:
        """The rows of the newer list, in the order they were entered."""
        companies = _Companies(self._tape(), self.splits, self._today())
        return [
            {
                "adjustment_type": _adjustment_type(split),
                **split.row(),
                "historical_adjustment_factor": round(
                    companies.split_factor(split.ticker, split.execution_date, included=True),
                    _DECIMALS,
                ),
            }
            for split in self.splits
        ]

    def dividends_with_factors(self) -> list[Row]:
        """The rows of the newer list, in the order they were entered."""
        today = self._today()
        companies = _Companies(self._tape(), self.splits, today)
        own = _own_factors(self._dividends, companies, calendar_until(today.year + 2))
        past: dict[object, list[tuple[date, float]]] = defaultdict(list)
        for row, factor in zip(self._dividends, own, strict=True):
            ex_date = date.fromisoformat(row["ex_dividend_date"])
            if ex_date <= today:
                past[companies.of(row["ticker"], ex_date)].append((ex_date, factor))
        rows = []
        for old in self._dividends:
            ex_date = date.fromisoformat(old["ex_dividend_date"])
            later = past[companies.of(old["ticker"], ex_date)]
            factor = prod(own_factor for day, own_factor in later if day >= ex_date)
            shares = companies.split_factor(old["ticker"], ex_date, included=False)
            row = {name: value for name, value in old.items() if name != "dividend_type"}
            row["distribution_type"] = _distribution_type(old)
            row["historical_adjustment_factor"] = round(factor, _DECIMALS)
            row["split_adjusted_cash_amount"] = round(old["cash_amount"] * shares, _DECIMALS)
            rows.append(row)
        return rows


class _Companies:
    """The splits that are done, by company: a symbol may be that of one company after another."""

    def __init__(self, tape: Tape, splits: Iterable[Split], today: date) -> None:
        self.tape = tape
        self.splits = list(splits)
        self.today = today
        self._done: dict[object, list[Split]] = defaultdict(list)
        for split in self.splits:
            if split.execution_date <= today:
                self._done[self.of(split.ticker, split.execution_date)].append(split)

    def of(self, ticker: str, day: date) -> object:
        """The company that has the symbol on a day."""
        return ticker, self.tape.position(ticker, day)

    def split_factor(self, ticker: str, day: date, *, included: bool) -> float:
        """Old shares for one new one: what a price before the splits after `day` is multiplied by.

        `included` counts those of the day as well.
        """
        first = day if included else day + timedelta(days=1)
        done = self._done[self.of(ticker, day)]
        return prod(1 / split.ratio for split in done if split.execution_date >= first)


def _own_factors(
    dividends: Sequence[Row], companies: _Companies, calendar: Calendar
) -> list[float]:
    """1 - cash / close of each dividend, both in today's shares."""
    factors = [1.0] * len(dividends)
    by_day: dict[date, list[int]] = defaultdict(list)
    for number, row in enumerate(dividends):
        by_day[date.fromisoformat(row["ex_dividend_date"])].append(number)
    for ex_date, numbers in by_day.items():
        if ex_date > companies.today:
            continue
        fortnight = calendar.sessions("stocks", ex_date - timedelta(days=14), ex_date)
        open_cases = {n: dividends[n]["ticker"] for n in numbers}
        for session in [day for day in fortnight if day < ex_date][: -_SESSIONS_BACK - 1 : -1]:
            closes = companies.tape.closes(session, list(open_cases.values()), companies.splits)
            for number, ticker in list(open_cases.items()):
                if ticker not in closes or companies.of(ticker, session) != companies.of(
                    ticker, ex_date
                ):
                    continue
                del open_cases[number]
                shares = companies.split_factor(ticker, ex_date, included=False)
                close = closes[ticker] * companies.split_factor(ticker, session, included=False)
                cash = dividends[number]["cash_amount"] * shares
                factors[number] = 1 - cash / close if cash < close else 1.0
    return factors


def _adjustment_type(split: Split) -> str:
    if split.split_to < split.split_from:
        return "reverse_split"
    # Three shares for two come as a dividend of half a share (the sandbox's own choice).
    return "forward_split" if split.split_to == int(split.split_to) else "stock_dividend"


def _distribution_type(row: Row) -> str:
    kind = _DISTRIBUTIONS[row["dividend_type"]]
    return "unknown" if kind == "recurring" and row["frequency"] == 0 else kind

"""Splits and dividends with their adjustment factors, as /stocks/v1 states them.

To adjust a price of day D multiply it by the factor of the ticker's first event after D (vendor's
spec). The factor is therefore a product over that event and all later ones: of split_from /
split_to, or of 1 - cash / close with the last close before the ex-date. Checked by value against
the spec's examples and a recorded answer of February 2026 (AAPL: 0.25, 1/28 and 1/56 for splits;
0.838964 / 0.842566 = 1 - 2.65 / 619.86 for a dividend of 2012), all rounded to six decimals.

Unverified: that an announced event counts from its day on (its factor is 1 until then); that the
events of another company under the same symbol do not count; that a dividend for which there is
no close, or a lower one than the cash, counts as 1; that the splits between ex-date and payment
count for `split_adjusted_cash_amount`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date

from polygon_sandbox.bars import Tape
from polygon_sandbox.factors import Factors
from polygon_sandbox.listings import Listing, Row
from polygon_sandbox.reference import Split, dividend_row, event_id, first_dividends, first_splits
from polygon_sandbox.sessions import calendar_until

_DECIMALS = 6
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
        self._rows: dict[str, tuple[object, list[Row]]] = {}
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
        return [dict(row) for row in self._kept("splits", self._made_splits)]

    def dividends_with_factors(self) -> list[Row]:
        """The rows of the newer list, in the order they were entered."""
        return [dict(row) for row in self._kept("dividends", self._made_dividends)]

    def _kept(self, name: str, make: Callable[[Factors], list[Row]]) -> list[Row]:
        """The rows as they were made last, for as long as nothing has happened since."""
        today = self._today()
        version = self.version, today
        if name not in self._rows or self._rows[name][0] != version:
            calendar = calendar_until(today.year + 2)
            factors = Factors(self._tape(), calendar, self.splits, today)
            self._rows[name] = version, make(factors)
        return self._rows[name][1]

    def _made_splits(self, factors: Factors) -> list[Row]:
        rows = []
        for split in self.splits:
            factor = factors.of_splits(split.ticker, split.execution_date)
            row = {"adjustment_type": _adjustment_type(split), **split.row()}
            rows.append({**row, "historical_adjustment_factor": round(factor, _DECIMALS)})
        return rows

    def _made_dividends(self, factors: Factors) -> list[Row]:
        rows = []
        products = factors.of_dividends(self._dividends)
        for old, factor in zip(self._dividends, products, strict=True):
            ex_date = date.fromisoformat(old["ex_dividend_date"])
            cash = old["cash_amount"] * factors.after_splits(old["ticker"], ex_date)
            row = {name: value for name, value in old.items() if name != "dividend_type"}
            row["distribution_type"] = _distribution_type(old)
            row["historical_adjustment_factor"] = round(factor, _DECIMALS)
            row["split_adjusted_cash_amount"] = round(cash, _DECIMALS)
            rows.append(row)
        return rows


def _adjustment_type(split: Split) -> str:
    if split.split_to < split.split_from:
        return "reverse_split"
    # Three shares for two come as a dividend of half a share (the sandbox's own choice).
    return "forward_split" if split.split_to == int(split.split_to) else "stock_dividend"


def _distribution_type(row: Row) -> str:
    kind = _DISTRIBUTIONS[row["dividend_type"]]
    return "unknown" if kind == "recurring" and row["frequency"] == 0 else kind

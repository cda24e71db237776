"""What prices before a split or a dividend are multiplied by, from the prices of the world.

The meaning of the factors, and the evidence for it, is in `corporate_actions`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from math import prod

from polygon_sandbox.bars import Tape
from polygon_sandbox.listings import Row
from polygon_sandbox.reference import Split
from polygon_sandbox.sessions import Calendar

# How far back the last close before an ex-date is looked for, in sessions.
_SESSIONS_BACK = 5

# A symbol, and which of the companies that had it.
Company = tuple[str, int | None]


class Factors:
    """The factors as of today: later events are announced, and count for nothing yet."""

    def __init__(
        self, tape: Tape, calendar: Calendar, splits: Iterable[Split], today: date
    ) -> None:
        self._tape = tape
        self._calendar = calendar
        self._today = today
        self._of_symbol: dict[str, list[Split]] = defaultdict(list)
        self._done: dict[Company, list[Split]] = defaultdict(list)
        for split in splits:
            if split.execution_date <= today:
                self._of_symbol[split.ticker].append(split)
                self._done[self._company(split.ticker, split.execution_date)].append(split)

    def of_splits(self, ticker: str, since: date) -> float:
        """Old shares for one new one over the company's splits from a day on, the day included."""
        done = self._done[self._company(ticker, since)]
        return prod(1 / split.ratio for split in done if split.execution_date >= since)

    def after_splits(self, ticker: str, day: date) -> float:
        """The same over the splits after a day: what its prices are multiplied by."""
        done = self._done[self._company(ticker, day)]
        return prod(1 / split.ratio for split in done if split.execution_date > day)

    def of_dividends(self, dividends: Sequence[Row]) -> list[float]:
        """For each dividend the product over it and the later ones of its company."""
        days = [date.fromisoformat(row["ex_dividend_date"]) for row in dividends]
        companies = [
            self._company(row["ticker"], day) for row, day in zip(dividends, days, strict=True)
        ]
        paid: dict[Company, list[tuple[date, float]]] = defaultdict(list)
        for number, own in self._own(dividends, days).items():
            paid[companies[number]].append((days[number], own))
        return [
            prod(own for ex_date, own in paid[company] if ex_date >= day)
            for company, day in zip(companies, days, strict=True)
        ]

    def _own(self, dividends: Sequence[Row], days: Sequence[date]) -> dict[int, float]:
        """1 - cash / close of each dividend that is no longer announced, by its place."""
        by_day: dict[date, list[int]] = defaultdict(list)
        for number, day in enumerate(days):
            if day <= self._today:
                by_day[day].append(number)
        own = {}
        for day, numbers in by_day.items():
            closes = self._closes_before(day, {dividends[n]["ticker"] for n in numbers})
            for number in numbers:
                ticker = dividends[number]["ticker"]
                cash = dividends[number]["cash_amount"] * self.after_splits(ticker, day)
                close = closes.get(ticker, 0.0)
                own[number] = 1 - cash / close if cash < close else 1.0
        return own

    def _closes_before(self, day: date, tickers: set[str]) -> Mapping[str, float]:
        """The last close of each company before a day, in today's shares."""
        closes: dict[str, float] = {}
        sessions = self._calendar.sessions(
            "stocks", day - timedelta(days=14), day - timedelta(days=1)
        )
        for session in sessions[::-1][:_SESSIONS_BACK]:
            sought = sorted(tickers - closes.keys())
            splits = [split for ticker in sought for split in self._of_symbol[ticker]]
            for ticker, close in self._tape.closes(session, sought, splits).items():
                if self._company(ticker, session) == self._company(ticker, day):
                    closes[ticker] = close * self.after_splits(ticker, session)
        return closes

    def _company(self, ticker: str, day: date) -> Company:
        return ticker, self._tape.position(ticker, day)

"""The truth behind the API: everything follows from a seed, the clock and the events so far."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from threading import RLock
from typing import Any

from polygon_sandbox import marketstatus
from polygon_sandbox.clock import Clock, last_nightly_batch, to_ns
from polygon_sandbox.companies import Sizes, found
from polygon_sandbox.contract import Query
from polygon_sandbox.corporate_actions import CorporateActions
from polygon_sandbox.daily import DailyBars
from polygon_sandbox.datasets import Dataset, Datasets, DatasetSize
from polygon_sandbox.intraday import Bar
from polygon_sandbox.listings import STOCK_MARKETS, DelistedStyle, Register, Row
from polygon_sandbox.lists import Lists
from polygon_sandbox.options import Options, OptionsSize, expired, live
from polygon_sandbox.paging import Marker, Paging, Undated
from polygon_sandbox.profiles import Profiles
from polygon_sandbox.reference import event_id, exchange_rows, type_rows
from polygon_sandbox.sessions import calendar_until
from polygon_sandbox.trading import Trading


class World:
    """A market that answers every question of the API, and the events that change it.

    Sizes are rows: `stocks` active and `delisted` inactive ones of the market stocks, the others
    active. `now` fixes the clock at an instant such as 2026-11-20T22:30:00Z; None follows real
    time. `undated` says where rows without the sort field go: "lowest" (smallest value, the
    default), "first" or "last" in both orders; what the vendor does is unverified. `paging` is
    "keyset", or "offset", under which rows that move between two pages can be missed. `datasets`
    is how large the lists of `dataset` are, `options` how many contracts an underlying has.

    Methods may be called while a sandbox serves the world: one lock guards it.

    Attributes:
        trading: what is traded second by second, of any ticker.
    """

    def __init__(
        self,
        seed: int = 7,
        stocks: int = 50,
        delisted: int = 80,
        otc: int = 10,
        crypto: int = 8,
        fx: int = 8,
        indices: int = 5,
        now: str | datetime | None = None,
        undated: Undated = "lowest",
        paging: Paging = "keyset",
        datasets: DatasetSize | None = None,
        options: OptionsSize | None = None,
    ) -> None:
        self._lock = RLock()
        self._seed = seed
        self._clock = Clock(now)
        calendar_until(self.today.year + 2)  # now rather than during the first answer
        self._stamped = last_nightly_batch(self._clock.now())
        sizes = Sizes(stocks, delisted, otc, crypto, fx, indices)
        listings = found(seed, sizes, self._clock.now())
        self._register = Register(listings, seed)
        self._daily = DailyBars(seed, self._register, self._clock, lambda: self._actions.splits)
        self._actions = CorporateActions(
            seed, listings, self._clock.today, lambda: self._daily.tape("stocks")
        )
        symbols = sorted(row.ticker for row in listings if row.market == "stocks")
        size = datasets or DatasetSize()
        self._datasets = Datasets(seed, symbols, size, self._clock.today)
        self._options = Options(
            seed,
            options or OptionsSize(),
            self.today,
            self._daily.calendar,
            self._daily.close_before,
        )
        self._profiles = Profiles(seed)
        self._lists = Lists(
            self._register, self._actions, self._datasets, self._options, undated, paging
        )
        self.trading = Trading(seed)

    # What is true now

    @property
    def now(self) -> datetime:
        """The current instant in UTC."""
        return self._clock.now()

    @property
    def today(self) -> date:
        """The current date in New York."""
        return self._clock.today()

    def bars(
        self,
        market: str,
        day: date,
        adjusted: bool = False,
        include_otc: bool = False,
        as_of: datetime | None = None,
    ) -> list[Row]:
        """`results` of the grouped answer for that day, as a plan that sees today gets it.

        Volume is in shares or units, prices in the quote currency, `t` in ms since 1970 UTC.
        `as_of` leaves out corrections that came later.
        """
        with self._lock:
            return self._daily.bars(market, day, adjusted, include_otc, as_of)

    def grouped(
        self, market: str, day: date, adjusted: bool, include_otc: bool
    ) -> tuple[int, bytes]:
        """How many bars the day has, and the same as a JSON array, kept for the next time."""
        with self._lock:
            return self._daily.grouped(market, day, adjusted, include_otc)

    def daily_bar(self, market: str, ticker: str, day: date, adjusted: bool = False) -> Row | None:
        """The grouped bar of one symbol, over the counter or not; None if it has none that day."""
        with self._lock:
            return self._daily.bar(market, ticker, day, adjusted)

    def intraday(
        self,
        ticker: str,
        seconds: int,
        first_ms: int,
        last_ms: int,
        descending: bool = False,
        *,
        listed: bool = True,
    ) -> Iterator[Bar]:
        """The bars of so many seconds that start from `first_ms` to `last_ms` and are over by now.

        None for a ticker that is not active; unless `listed` is false, for contracts (options and
        futures) are not on the list.
        """
        starts = self.over(
            ticker, -(-first_ms // 1000), last_ms // 1000, descending, seconds, listed=listed
        )
        bars = (self.trading.bar(ticker, start, seconds) for start in starts)
        return (bar for bar in bars if bar is not None)

    def over(
        self,
        ticker: str,
        first: int,
        last: int,
        descending: bool = False,
        seconds: int = 1,
        *,
        listed: bool = True,
    ) -> Sequence[int]:
        """The starts of those windows, in seconds since 1970 UTC."""
        with self._lock:
            known = not listed or any(r.active and r.ticker == ticker for r in self._register)
            now = int(self.now.timestamp())
        last = min(last, now - seconds)
        starts = range(-(-first // seconds) * seconds, last + 1, seconds) if known else range(0)
        return starts[::-1] if descending else starts

    def tickers(self, market: str, active: bool = True) -> list[Row]:
        """All rows the tickers endpoint has for a market, in ticker order."""
        with self._lock:
            self._catch_up()
            rows = [r for r in self._register if r.market == market and r.active == active]
            rows.sort(key=lambda row: (row.ticker, row.id))
            return [dict(row.fields) for row in rows]

    def splits(self) -> list[Row]:
        """All splits, future ones included, in the order they were entered."""
        with self._lock:
            return self._actions.plain_splits()

    def splits_with_factors(self) -> list[Row]:
        """The same as /stocks/v1/splits has them now."""
        with self._lock:
            return self._actions.splits_with_factors()

    def dividends(self) -> list[Row]:
        """All dividends, announced ones included, in the order they were entered."""
        with self._lock:
            return self._actions.plain_dividends()

    def dividends_with_factors(self) -> list[Row]:
        """The same as /stocks/v1/dividends has them now."""
        with self._lock:
            return self._actions.dividends_with_factors()

    def dataset(self, path: str) -> Dataset:
        """The rows of one of the market-wide lists that are made up from the contract."""
        with self._lock:
            return self._datasets.at(path)

    def exchanges(self, asset_class: str | None = None, locale: str | None = None) -> list[Row]:
        """Exchanges, of one asset class or locale if given."""
        return _matching(exchange_rows(), asset_class, locale)

    def ticker_types(self, asset_class: str | None = None, locale: str | None = None) -> list[Row]:
        """Ticker types, of one asset class or locale if given."""
        return _matching(type_rows(), asset_class, locale)

    def holidays(self) -> list[Row]:
        """Holidays and early closes of the coming year, a row per exchange."""
        return marketstatus.upcoming(self._daily.calendar, self.now)

    def market_status(self) -> Row:
        """What is open now."""
        return marketstatus.current(self._daily.calendar, self.now)

    def sessions(self, market: str, start: date, end: date) -> list[date]:
        """Days with bars from `start` to `end`, both included: XNYS sessions for stocks, UTC days
        for crypto, and for fx all but Saturdays (unverified)."""
        return self._daily.calendar.sessions(market, start, end)

    def page(
        self, path: str, query: Query, marker: Marker | None, symbol: str = ""
    ) -> tuple[list[Row], Marker | None]:
        """One page of the list at a path, of one symbol if given, and the next page's marker."""
        with self._lock:
            self._catch_up()
            return self._lists.page(path, query, marker, self.now, self.today, symbol)

    def ticker_details(self, ticker: str, day: date | None = None) -> Row | None:
        """The details of a symbol that is listed on a day, today by default; None of no other."""
        with self._lock:
            self._catch_up()
            today = self.today
            day = day or today
            for listing in self._register.of(ticker):
                row = listing.as_of(day, active=True) if day < today else listing.fields
                if row is not None and row["active"]:
                    close = self._daily.close_before(ticker, day)
                    return self._profiles.details(listing, row, close)
            return None

    def ticker_events(self, ticker: str) -> Row | None:
        """The ticker changes of the company that has the symbol now, or had it last."""
        with self._lock:
            found = [row for row in self._register.of(ticker) if row.market in STOCK_MARKETS]
            return self._profiles.events(found[0]) if found else None

    def related_companies(self, ticker: str) -> list[Row]:
        """Companies that are like one; none of a symbol that is not a stock."""
        with self._lock:
            stocks = [row.ticker for row in self._register if row.active and row.market == "stocks"]
            return self._profiles.related(ticker, stocks) if ticker in stocks else []

    def consensus_ratings(self, ticker: str) -> list[Row]:
        """The analysts' consensus about a stock: one row, or none."""
        with self._lock:
            known = self._is_stock(ticker)
            return self._profiles.ratings(ticker, self.today) if known else []

    def option_contracts(self, underlying: str, gone: bool = False) -> list[Row]:
        """The live contracts of an underlying, or those `gone` before today, in ticker order."""
        with self._lock:
            if not self._is_stock(underlying):
                return []
            contracts = self._options.contracts(underlying, self.today)
            chosen = expired if gone else live
            return [dict(row) for row in chosen(contracts, self.today)]

    def option_chain(self, underlying: str) -> list[Row]:
        """The snapshots of the live contracts of an underlying now, in ticker order."""
        with self._lock:
            if not self._is_stock(underlying):
                return []
            return [row for _, row in self._options.chain(underlying, self.now, self.today)]

    # What happens

    def advance(self, to: str | datetime, restamp: bool = True) -> None:
        """Move the clock forward; a night that passes gives active stock rows a new stamp."""
        with self._lock:
            self._clock.advance(to)
            if not restamp:
                self._stamped = last_nightly_batch(self.now)
            self._catch_up()

    def restamp(self) -> None:
        """Run the nightly batch now: every active stocks and otc row gets a new stamp."""
        with self._lock:
            self._register.restamp(to_ns(self.now))

    def delist(
        self,
        ticker: str,
        on: date | None = None,
        keep_identifiers: bool = True,
        style: DelistedStyle = "utc-midnight",
    ) -> None:
        """Delist a symbol: `on` (default today) is the first day without a bar.

        Its row moves to active=false with a new stamp, its last. A crypto row just vanishes.
        """
        with self._lock:
            self._catch_up()
            for row in self._register.active(ticker):
                day = on or self.today
                self._register.delist(row, day, to_ns(self.now), keep_identifiers, style)

    def list_symbol(self, ticker: str, name: str, market: str = "stocks") -> Row:
        """List a new company from today on; the symbol may be that of a delisted one."""
        with self._lock:
            self._catch_up()
            if market not in STOCK_MARKETS:
                raise ValueError(f"a company can be listed in {STOCK_MARKETS}, not in {market!r}")
            if any(row.active and row.ticker == ticker for row in self._register):
                raise ValueError(f"{ticker!r} is already listed")
            fields = _company(ticker, name, market)
            now_ns = to_ns(self.now)
            return dict(self._register.add(market, fields, self.today, now_ns).fields)

    def rename(self, ticker: str, name: str) -> None:
        """Give an active company a new name, and its row a new stamp."""
        with self._lock:
            self._catch_up()
            listing = self._register.active(ticker)[0]
            self._register.edit(listing, {"name": name}, to_ns(self.now))

    def edit_delisted(self, ticker: str, **changes: Any) -> None:
        """Change fields of the youngest delisted row with that symbol, and its stamp."""
        with self._lock:
            listing = self._register.latest_delisted(ticker)
            self._register.edit(listing, changes, to_ns(self.now))

    def correct(self, market: str, day: date, ticker: str) -> None:
        """A late correction: v, vw and n of one bar change, its prices stay."""
        with self._lock:
            self._daily.correct(market, day, ticker)

    def drop_bar(self, market: str, day: date, ticker: str) -> None:
        """Stop sending one bar."""
        with self._lock:
            self._daily.copy(market, day, ticker, copies=0)

    def duplicate_bar(self, market: str, day: date, ticker: str) -> None:
        """Send one bar twice, a defect seen in 2021."""
        with self._lock:
            self._daily.copy(market, day, ticker, copies=2)

    def cancel_trade(self, ticker: str, time_ns: int) -> None:
        """Cancel a trade, named by its time on the tape: too late for the stream."""
        self.trading.cancel(ticker, time_ns, self.now)

    def report_trade(self, ticker: str, time_ns: int, price: float, size: float) -> None:
        """Add a trade that was reported too late for the stream; it counts in its bars.

        `size` is in units, of which it may have hundredths.
        """
        self.trading.report(ticker, time_ns, price, size, self.now)

    def add_split(
        self, ticker: str, execution_date: date, split_from: float, split_to: float
    ) -> Row:
        """Enter a split. One whose day is over changes adjusted bars only, as late records do."""
        with self._lock:
            return self._actions.add_split(ticker, execution_date, split_from, split_to)

    def add_dividend(
        self,
        ticker: str,
        ex_dividend_date: date,
        cash_amount: float,
        dividend_type: str = "CD",
        frequency: int = 4,
    ) -> Row:
        """Enter a dividend of `cash_amount` USD a share; it may repeat or lie in the past."""
        with self._lock:
            return self._actions.add_dividend(
                ticker, ex_dividend_date, cash_amount, dividend_type, frequency
            )

    def add_option(
        self,
        underlying: str,
        expiration: date,
        strike: float,
        contract_type: str = "call",
        listed_on: date | None = None,
    ) -> Row:
        """List a contract (`listed_on` is today by default); its expiration may be past."""
        with self._lock:
            day = listed_on or self.today
            return self._options.add(underlying, expiration, strike, contract_type, day, self.today)

    # Inside

    def _catch_up(self) -> None:
        """Run the nightly batch if a night has passed; of several only the last leaves a trace."""
        night = last_nightly_batch(self.now)
        if night > self._stamped:
            self._stamped = night
            self._register.restamp(to_ns(night))

    def _is_stock(self, ticker: str) -> bool:
        return any(row.market == "stocks" for row in self._register.of(ticker))


def _company(ticker: str, name: str, market: str) -> Row:
    code = event_id(ticker, name).upper()
    return {
        "ticker": ticker,
        "name": name,
        "market": market,
        "locale": "us",
        "primary_exchange": "XNAS" if market == "stocks" else "OTCM",
        "type": "CS",
        "active": True,
        "currency_name": "usd",
        "cik": f"{int(code[1:6], 16):010d}",
        "composite_figi": f"BBG00{code[1:8]}",
        "share_class_figi": f"BBG001{code[8:14]}",
    }


def _matching(rows: list[Row], asset_class: str | None, locale: str | None) -> list[Row]:
    return [
        row
        for row in rows
        if asset_class in (None, row["asset_class"]) and locale in (None, row["locale"])
    ]

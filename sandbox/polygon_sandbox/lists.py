"""The lists of the API: which rows each has now, a page at a time."""

from collections.abc import Callable, Iterable
from datetime import date, datetime

from polygon_sandbox.catalog import (
    IndexCache,
    chain_entries,
    contract_entries,
    event_entries,
    row_entries,
    ticker_entries,
)
from polygon_sandbox.contract import Query
from polygon_sandbox.corporate_actions import CorporateActions
from polygon_sandbox.datasets import Datasets
from polygon_sandbox.listings import Register, Row
from polygon_sandbox.options import Options
from polygon_sandbox.paging import Entry, Marker, Paging, Undated

TICKERS = "/v3/reference/tickers"
CONTRACTS = "/v3/reference/options/contracts"
CHAIN = "/v3/snapshot/options/{underlyingAsset}"
# The version of the rows, the rows themselves.
Found = tuple[object, Callable[[], Iterable[Entry]]]


class Lists:
    """Finds the rows that a query means and cuts them into pages."""

    def __init__(
        self,
        register: Register,
        actions: CorporateActions,
        datasets: Datasets,
        options: Options,
        undated: Undated,
        paging: Paging,
    ) -> None:
        self._register = register
        self._datasets = datasets
        self._options = options
        self._indices = IndexCache(undated)
        self._paging = paging
        self._events: dict[str, Callable[[], list[Row]]] = {
            "/stocks/v1/splits": actions.splits_with_factors,
            "/stocks/v1/dividends": actions.dividends_with_factors,
        }
        self._old_events: dict[str, Callable[[], list[Row]]] = {
            "/v3/reference/splits": actions.plain_splits,
            "/v3/reference/dividends": actions.plain_dividends,
        }
        self._actions = actions

    def page(
        self,
        path: str,
        query: Query,
        marker: Marker | None,
        now: datetime,
        today: date,
        symbol: str,
    ) -> tuple[list[Row], Marker | None]:
        """One page of the list at a path, and the marker of the next page or None.

        `symbol` is that of a list of one symbol.
        """
        version, entries = self._found(path, query, now, today, symbol)
        index = self._indices.get(query, (path, version), entries)
        rows, following = index.page(marker, query.limit, self._paging)
        return [dict(row) for row in rows], following

    def _found(self, path: str, query: Query, now: datetime, today: date, symbol: str) -> Found:
        if path == TICKERS:
            register = self._register
            return (register.version, today), lambda: ticker_entries(register, query, today)
        if path in (CONTRACTS, CHAIN):
            options, register = self._options, self._register
            state = options.version, register.trading_version, now, symbol
            stocks = {row.ticker for row in register if row.market == "stocks"}
            if path == CHAIN:
                chain = options.chain(symbol, now, today) if symbol in stocks else ()
                return state, lambda: chain_entries(chain, query)
            return state, lambda: contract_entries(options, stocks, query, today)
        if path in self._old_events:
            old = self._old_events[path]
            return self._actions.version, lambda: event_entries(old(), query)
        if path in self._events:
            events = self._events[path]
            return (self._actions.version, today), lambda: row_entries(events(), query)
        rows, version = self._datasets.at(path).current()
        return version, lambda: row_entries(rows, query)

"""The lists of the API: which rows each has now, a page at a time."""

from collections.abc import Callable, Iterable
from datetime import date

from polygon_sandbox.catalog import IndexCache, event_entries, row_entries, ticker_entries
from polygon_sandbox.contract import Query
from polygon_sandbox.corporate_actions import CorporateActions
from polygon_sandbox.datasets import Datasets
from polygon_sandbox.listings import Register, Row
from polygon_sandbox.paging import Entry, Marker, Paging, Undated

TICKERS = "/v3/reference/tickers"
# The version of the rows, the rows themselves.
Found = tuple[object, Callable[[], Iterable[Entry]]]


class Lists:
    """Finds the rows that a query means and cuts them into pages."""

    def __init__(
        self,
        register: Register,
        actions: CorporateActions,
        datasets: Datasets,
        undated: Undated,
        paging: Paging,
    ) -> None:
        self._register = register
        self._datasets = datasets
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
        self, path: str, query: Query, marker: Marker | None, today: date
    ) -> tuple[list[Row], Marker | None]:
        """One page of the list at a path, and the marker of the next page or None."""
        version, entries = self._found(path, query, today)
        index = self._indices.get(query, (path, version), entries)
        rows, following = index.page(marker, query.limit, self._paging)
        return [dict(row) for row in rows], following

    def _found(self, path: str, query: Query, today: date) -> Found:
        if path == TICKERS:
            register = self._register
            return (register.version, today), lambda: ticker_entries(register, query, today)
        if path in self._old_events:
            old = self._old_events[path]
            return self._actions.version, lambda: event_entries(old(), query)
        if path in self._events:
            events = self._events[path]
            return (self._actions.version, today), lambda: row_entries(events(), query)
        rows, version = self._datasets.at(path).current()
        return version, lambda: row_entries(rows, query)

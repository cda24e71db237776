"""List queries: which rows a request means, in its order."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Any

from polygon_sandbox.contract import Filter, Query
from polygon_sandbox.listings import Listing, Row
from polygon_sandbox.options import Options, expired, live
from polygon_sandbox.paging import Entry, Index, Undated
from polygon_sandbox.stamps import parse_ns

_STAMPS = ("last_updated_utc", "delisted_utc")
_KEPT_INDICES = 16


class IndexCache:
    """Sorted lists by query, so that the second page costs a search and not a sort."""

    def __init__(self, undated: Undated) -> None:
        self._undated = undated
        self._indices: OrderedDict[object, Index] = OrderedDict()

    def get(self, query: Query, version: object, entries: Callable[[], Iterable[Entry]]) -> Index:
        """The index of a query; `version` names the data and the endpoint it is about."""
        key = (version, query.filters, query.order_by)
        index = self._indices.get(key)
        if index is None:
            orders = [order for _, order in query.order_by]
            index = Index(entries(), orders, self._undated)
            self._indices[key] = index
            if len(self._indices) > _KEPT_INDICES:
                self._indices.popitem(last=False)
        self._indices.move_to_end(key)
        return index


def ticker_entries(listings: Iterable[Listing], query: Query, today: date) -> Iterator[Entry]:
    """Rows of the tickers endpoint; `active` is true unless the query says otherwise (spec).

    A past `date` gives the list of that day, approximated from listing and delisting days.
    No row has a CUSIP (the vendor does not send it), so that filter finds nothing.
    """
    active = bool(query.value("active", True))
    day = date.fromisoformat(query.value("date", today.isoformat()))
    words = str(query.value("search", "")).lower()
    venue = query.value("exchange", None)
    conditions = query.conditions("active", "date", "search", "exchange")
    if venue is not None:
        conditions += (Filter("primary_exchange", "eq", venue),)
    # Relevance is approximated by ticker order: with `search` the vendor ignores `sort`.
    sort = "ticker" if words else query.sort
    for listing in listings:
        row = _row_on(listing, day, today, active)
        if row is None or not all(condition.accepts(row) for condition in conditions):
            continue
        if words and words not in f"{row['ticker']} {row['name']}".lower():
            continue
        yield Entry((_sort_value(row, sort),), (listing.ticker, listing.id), row)


def row_entries(rows: Iterable[Row], query: Query) -> Iterator[Entry]:
    """Rows of any other list, numbered in the order they were entered."""
    conditions = query.conditions()
    for number, row in enumerate(rows):
        if all(condition.accepts(row) for condition in conditions):
            yield Entry(tuple(row.get(column) for column, _ in query.order_by), (number,), row)


def event_entries(rows: Iterable[Row], query: Query) -> Iterator[Entry]:
    """Rows of the older splits and dividends, numbered in the order they were entered."""
    conditions = query.conditions("reverse_split")
    reverse = query.value("reverse_split", None)
    for number, row in enumerate(rows):
        if reverse is not None and (row["split_from"] > row["split_to"]) is not reverse:
            continue
        if all(condition.accepts(row) for condition in conditions):
            yield Entry((row.get(query.sort),), (row["ticker"], number), row)


def contract_entries(
    options: Options, stocks: Iterable[str], query: Query, today: date
) -> Iterator[Entry]:
    """Option contracts; `expired` is false unless the query says so: live ones and expired ones
    are two lists (observed). `as_of` gives those of a day in the past."""
    as_of = min(date.fromisoformat(query.value("as_of", today.isoformat())), today)
    chosen = expired if query.value("expired", False) else live
    conditions = query.conditions("expired", "as_of")
    about = [condition for condition in conditions if condition.name == "underlying_ticker"]
    for stock in sorted(stocks):
        if not all(condition.accepts({"underlying_ticker": stock}) for condition in about):
            continue
        for contract in chosen(options.contracts(stock, as_of), as_of):
            if all(condition.accepts(contract) for condition in conditions):
                yield Entry((contract.get(query.sort),), (contract["ticker"],), contract)


def chain_entries(chain: Iterable[tuple[Row, Row]], query: Query) -> Iterator[Entry]:
    """Snapshots of a chain, chosen and sorted by their contracts."""
    for contract, snapshot in chain:
        if all(condition.accepts(contract) for condition in query.conditions()):
            yield Entry((contract[query.sort],), (contract["ticker"],), snapshot)


def _row_on(listing: Listing, day: date, today: date, active: bool) -> Row | None:
    if day < today:
        return listing.as_of(day, active)
    return listing.fields if listing.active == active else None


def _sort_value(row: Row, sort: str) -> Any:
    """Stamps sort as instants: their text does not, once trailing zeros are cut."""
    value = row.get(sort)
    return parse_ns(value) if value is not None and sort in _STAMPS else value

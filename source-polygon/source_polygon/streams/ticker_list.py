"""One list of tickers (a market's active or delisted ones), read as cheaply as is safe."""

from collections.abc import Iterable, Iterator
from typing import Final

from airbyte_cdk.sources.declarative.requesters.requester import Requester

from source_polygon.clock import utc_now
from source_polygon.stamps import sortable
from source_polygon.streams.listings import Row, stamp
from source_polygon.vendor.paging import pages

_NEWEST_FIRST: Final = {"sort": "last_updated_utc", "order": "desc"}
_OLDEST_FIRST: Final = {"sort": "last_updated_utc", "order": "asc"}
_BY_TICKER: Final = {"sort": "ticker", "order": "asc"}

# Markets whose stamps follow change. Crypto and fx rows were seen with one constant stamp and
# indices without any, so these are read in full each time (1, 2 and 14 requests). That otc behaves
# like stocks is unverified; were its stamps missing or constant, it would be read in full too.
_STAMPED_MARKETS: Final = ("stocks", "otc")

# The active list of stocks has about this many pages.
_CHEAPER_ONE_BY_ONE: Final = 12


class TickerList:
    """A market's active or delisted tickers. The first request is made at once.

    Attributes:
        newest: the newest stamp at that time, sortable; "" where there is none. Rows stamped while
            the list is read are newer, so a later reading from here on misses nothing. A stamp
            that lies in the future says nothing: what changes until then would be older.
        undated: how many rows without a usable stamp were come across.
        whole: whether all rows of the list were come across.
        stamped: whether stamps tell which rows have changed.
    """

    def __init__(self, requester: Requester, base_url: str, market: str, *, active: bool) -> None:
        self._requester = requester
        self._base_url = base_url
        self._which = {"market": market, "active": str(active).lower()}
        self._active = active
        self.stamped = market in _STAMPED_MARKETS
        self._pages = self._ask(_NEWEST_FIRST if self.stamped else _BY_TICKER)
        self._first, self._more = next(self._pages)
        now = sortable(utc_now().isoformat())
        stamps = [stamp(row) or "" for row in self._first]
        self.newest = max((stamped for stamped in stamps if stamped <= now), default="")
        self.undated = 0
        self.whole = not self._more

    def rows(self, since: str, undated: int) -> Iterator[Row]:
        """Return all rows stamped at or after `since`, all without a stamp, and maybe older ones.

        Args:
            since: sortable stamp; "" for the whole list.
            undated: rows without a stamp that the last full reading came across.

        Returns:
            rows sorted by ticker.
        """
        found = self._recent(since, undated) if self._more else self._first
        self.whole = self.whole or found is None
        for row in self._all() if found is None else sorted(found, key=lambda row: row["ticker"]):
            self.undated += stamp(row) is None
            yield row

    def _recent(self, since: str, undated: int) -> list[Row] | None:
        """Return the newest rows back to `since`, or None where only the whole list is safe."""
        if not since or not self.stamped:
            return None
        found, reached = self._first, _reaches(self._first, since)
        # Delisted rows stand still, so further pages are safe. Active ones may be stamped meanwhile
        # and leave the pages that are still to come.
        while not reached and not self._active and self._more:
            page, self._more = next(self._pages)
            found, reached = found + page, _reaches(page, since)
        if not self._more and not self._active:
            return found
        return self._with_undated(found, undated) if reached else None

    def _with_undated(self, found: list[Row], undated: int) -> list[Row] | None:
        """Add the rows without a stamp, which sort before or behind all others (unverified).

        Where they sort behind all in both orders they are out of reach; then their known number
        shows that some are missing.
        """
        oldest, more = next(self._ask(_OLDEST_FIRST))
        leading = [row for row in oldest if stamp(row) is None]
        if more and len(leading) == len(oldest):
            return None
        # In some orders the same rows lead both pages.
        missing = [row for row in leading if row not in found]
        if sum(stamp(row) is None for row in found) + len(missing) < undated:
            return None
        return found + missing

    def _all(self) -> Iterator[Row]:
        if not self.stamped:
            yield from self._first
        for page, _ in self._ask(_BY_TICKER) if self.stamped else self._pages:
            yield from page

    def _ask(self, order: dict[str, str]) -> Iterator[tuple[list[Row], bool]]:
        return pages(self._requester, {**self._which, **order}, self._base_url, key="ticker")


def active_among(requester: Requester, base_url: str, market: str, tickers: set[str]) -> set[str]:
    """Return those of `tickers` that are active now, in as few requests as there are."""
    which = {"market": market, "active": "true"}
    lists: Iterable[dict[str, str]] = ({"ticker": ticker} for ticker in sorted(tickers))
    if len(tickers) > _CHEAPER_ONE_BY_ONE:
        lists = [_BY_TICKER]
    found = {
        row["ticker"]
        for params in lists
        for page, _ in pages(requester, {**which, **params}, base_url, key="ticker")
        for row in page
    }
    return found & tickers


def _reaches(page: list[Row], since: str) -> bool:
    """Return whether `page`, newest rows first, goes back to before `since`."""
    stamps = [stamped for row in page if (stamped := stamp(row)) is not None]
    if stamps == sorted(stamps, reverse=True):
        return any(stamped < since for stamped in stamps)
    # Were stamps sorted as text (unverified), then wrongly within a second, as trailing zeros are
    # cut; an older second is older all the same.
    return any(stamped[:19] < since[:19] for stamped in stamps)

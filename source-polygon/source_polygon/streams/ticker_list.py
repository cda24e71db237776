"""One list of tickers (a market's active or delisted ones), read as cheaply as is safe."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from source_polygon.clock import utc_now
from source_polygon.rows import Row
from source_polygon.stamps import sortable
from source_polygon.streams.listings import require_times, stamp
from source_polygon.vendor.paging import pages
from source_polygon.vendor.questions import Vendor

_NEWEST_FIRST: Final = {"sort": "last_updated_utc", "order": "desc"}
_OLDEST_FIRST: Final = {"sort": "last_updated_utc", "order": "asc"}
_BY_TICKER: Final = {"sort": "ticker", "order": "asc"}

# Markets whose stamps follow change. Crypto and fx rows were seen with one constant stamp and
# indices without any, so these are read in full each time (1, 2 and 14 requests). That otc behaves
# like stocks is unverified; were its stamps missing or constant, it would be read in full too.
_STAMPED_MARKETS: Final = ("stocks", "otc")

Pages = Iterator[tuple[list[Row], bool]]
"""Pages of rows, each with whether another one follows."""

# The vendor's maximum.
_PAGE_SIZE: Final = 1000

# The active list of stocks has about this many pages.
_CHEAPER_ONE_BY_ONE: Final = 12


@dataclass(frozen=True)
class Reading:
    """What a list is read for in one sync.

    Attributes:
        rows: the rows, sorted by ticker; pages that are still to come are asked for as it goes on.
        newest: the newest stamp when the reading began, sortable; "" where there is none. Rows
            stamped while the list is read are newer, so a later reading from here on misses
            nothing. A stamp that lies in the future says nothing: what changes until then would be
            older.
        whole: whether `rows` are all of the list.
    """

    rows: Iterable[Row]
    newest: str
    whole: bool


@dataclass(frozen=True)
class TickerList:
    """A market's active or delisted tickers.

    Attributes:
        vendor: is asked for them.
        market: the market.
        active: which of the two lists.
    """

    vendor: Vendor
    market: str
    active: bool

    @property
    def stamped(self) -> bool:
        """Whether stamps tell which rows have changed."""
        return self.market in _STAMPED_MARKETS

    def read(self, since: str, undated: int) -> Reading:
        """Return all rows stamped at or after `since`, all without a stamp, and maybe older ones.

        Args:
            since: sortable stamp; "" for the whole list.
            undated: rows without a stamp that the last full reading came across.
        """
        following = self._ask(_NEWEST_FIRST if self.stamped else _BY_TICKER)
        first, more = next(following)
        newest = _newest(first)
        if not more:
            return Reading(sorted(first, key=_ticker), newest, whole=True)
        if not self.stamped:
            return Reading(chain(first, _rows(following)), newest, whole=True)
        recent = self._recent(first, following, since, undated) if since else None
        if recent is None:
            return Reading(_rows(self._ask(_BY_TICKER)), newest, whole=True)
        return Reading(sorted(recent, key=_ticker), newest, whole=False)

    def _recent(
        self, first: list[Row], following: Pages, since: str, undated: int
    ) -> list[Row] | None:
        """Return the newest rows back to `since`, or None where only the whole list is safe."""
        found, reached, more = first, _reaches(first, since), True
        # Delisted rows stand still, so further pages are safe. Active ones may be stamped meanwhile
        # and leave the pages that are still to come.
        while not reached and not self.active and more:
            page, more = next(following)
            found, reached = found + page, _reaches(page, since)
        if not more:
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

    def _ask(self, order: dict[str, str]) -> Pages:
        which = {"market": self.market, "active": str(self.active).lower()}
        # A market without active tickers is none; delisted ones exist for some markets alone.
        complaint = f"tickers: {self.market} has no active ones" if self.active else ""
        for page, more in pages(
            self.vendor,
            {**which, **order},
            key=["ticker"],
            page_size=_PAGE_SIZE,
            complaint=complaint,
            of=str,
        ):
            require_times(page, self.market)
            yield list(page), more


def active_among(vendor: Vendor, market: str, tickers: set[str]) -> set[str]:
    """Return those of `tickers` that are active now, in as few requests as there are."""
    which = {"market": market, "active": "true"}
    lists: Iterable[dict[str, str]] = ({"ticker": ticker} for ticker in sorted(tickers))
    if len(tickers) > _CHEAPER_ONE_BY_ONE:
        lists = [_BY_TICKER]
    found = {
        row["ticker"]
        for params in lists
        for page, _ in pages(
            vendor, {**which, **params}, key=["ticker"], page_size=_PAGE_SIZE, of=str
        )
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


def _newest(page: list[Row]) -> str:
    now = sortable(utc_now().isoformat())
    stamps = [stamp(row) or "" for row in page]
    return max((stamped for stamped in stamps if stamped <= now), default="")


def _rows(following: Pages) -> Iterator[Row]:
    for page, _ in following:
        yield from page


def _ticker(row: Row) -> str:
    return str(row["ticker"])

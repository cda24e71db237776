"""Which listing a ticker row belongs to, so that a keyed table equals the vendor's own list.

A symbol is not a key. It is used again after its company has left, it may have ended several times,
and the vendor gives no identifier that lasts (FIGI and CIK are missing on most old rows, and appear
late on new ones). An active row and the delisted row that it becomes must share a key, or the table
would show the company as listed for ever; the delisted row of one company and the active row of the
next must not, or one would overwrite the other. `listing_end` makes the difference:

- `open` for a listing that was open when this connector first saw it. It stays `open` when the
  listing ends, so that the delisted row replaces the active one.
- the listing's `delisted_utc` for one that was over by then.
- When a symbol whose row is `open` is listed anew, the new company takes `open`, and the old row is
  emitted again under its `delisted_utc`.

What tells the second case from the first after the first sync is the boundary: a delisting later
than it happened to a listing that we saw open. The boundary of all symbols is a while before the
newest delisting known at the first sync, because delistings are recorded days late; `dated` holds
the later boundary of the few symbols for which a newer one is known.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final

from source_polygon.stamps import days_before, sortable

Row = dict[str, Any]

OPEN: Final = "open"

# A delisting recorded later than this after the fact, at the time of the first sync, would be taken
# for an old one, and its active row would stay in the table.
_RECORDED_LATE_DAYS: Final = 60


def stamp(row: Row) -> str | None:
    """Return the row's `last_updated_utc` in sortable form, or None where it has no usable one."""
    try:
        return sortable(row["last_updated_utc"])
    except (KeyError, TypeError, ValueError):
        return None


def ended(row: Row) -> str:
    """Return when the listing of a delisted row ended, sortable; its last stamp where unsaid."""
    try:
        return sortable(row["delisted_utc"])
    except (KeyError, TypeError, ValueError):
        return stamp(row) or ""


def newest_of_each(rows: Iterable[Row]) -> Iterator[Row]:
    """Return `rows`, sorted by ticker, with only the newest of those that are one listing.

    Rows that differ only in their stamp are duplicates on the vendor's side.
    """
    for _, same in groupby(rows, key=lambda row: row["ticker"]):
        listings: dict[str, Row] = {}
        for row in same:
            end = "" if row.get("active", True) else ended(row)
            known = listings.get(end)
            if known is None or (stamp(row) or "") >= (stamp(known) or ""):
                listings[end] = row
        yield from listings.values()


class Listings:
    """Assigns `listing_end` in one sync of one market.

    Attributes:
        horizon: boundary of all symbols without one of their own; "" before the first sync.
        dated: later boundaries of single symbols.
    """

    def __init__(self, horizon: str, dated: dict[str, str]) -> None:
        self.horizon = horizon
        self.dated = dated
        self._active: set[str] = set()

    def see_active(self, ticker: str) -> str:
        """Note an active row; return its `listing_end`."""
        self._active.add(ticker)
        return OPEN

    def first_delisted(self, rows: Iterable[Row], newest: str) -> Iterator[tuple[Row, str]]:
        """Return the delisted rows of a first sync with their `listing_end`.

        Args:
            rows: all delisted rows, sorted by ticker.
            newest: the newest stamp among them, or any time near it.
        """
        self.set_horizon(newest)
        for row in newest_of_each(rows):
            end = ended(row)
            if end > self.horizon:
                self._raise_boundary(row["ticker"], end)
            yield row, end

    def later_delisted(self, rows: Iterable[Row], changed_since: str) -> Iterator[tuple[Row, str]]:
        """Return those of `rows` that a later sync must emit, with their `listing_end`.

        Args:
            rows: delisted rows, sorted by ticker; at least all recorded since the first sync.
            changed_since: sortable stamp; rows older than it were emitted before.
        """
        recent: dict[str, dict[str, Row]] = {}
        for row in newest_of_each(rows):
            end = ended(row)
            if end > self.dated.get(row["ticker"], self.horizon):
                recent.setdefault(row["ticker"], {})[end] = row
            elif changed(row, changed_since):
                yield row, end
        for ticker, ends in recent.items():
            yield from self._recent(ticker, sorted(ends.items()), changed_since)

    def set_horizon(self, newest: str) -> None:
        """Set the boundary of all symbols, at the first sync, from the newest known delisting."""
        self.horizon = days_before(newest, _RECORDED_LATE_DAYS)

    def _recent(
        self, ticker: str, ends: list[tuple[str, Row]], changed_since: str
    ) -> Iterator[tuple[Row, str]]:
        """Keep `open` for the symbol's newest listing; move the ones before it to their end."""
        over = ends if ticker in self._active else ends[:-1]
        for end, row in over:
            self._raise_boundary(ticker, end)
            yield row, end
        for _, row in ends[len(over) :]:
            if changed(row, changed_since):
                yield row, OPEN

    def _raise_boundary(self, ticker: str, end: str) -> None:
        self.dated[ticker] = max(end, self.dated.get(ticker, ""))


def changed(row: Row, since: str) -> bool:
    """Return whether the row was stamped at or after `since`, or cannot tell."""
    stamped = stamp(row)
    return stamped is None or stamped >= since

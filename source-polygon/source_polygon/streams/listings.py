"""Which listing a ticker row belongs to, so that a keyed table equals the vendor's own list.

A symbol is not a key. It is used again after its company has left, it may have ended several times,
and the vendor gives no identifier that lasts (FIGI and CIK are missing on most old rows, and appear
late on new ones). An active row and the delisted row that it becomes must share a key, or the table
would show the company as listed for ever; the delisted row of one company and the active row of the
next must not, or one would overwrite the other. `listing_end` makes the difference:

- `open` for the active listing of a symbol. It stays `open` when the listing ends, so that the
  delisted row replaces the active one.
- the listing's `delisted_utc` for one that was over long before this connector first looked.
- When a symbol whose delisted row is `open` is listed anew, the new company takes `open`, and the
  old row is emitted again under its `delisted_utc`.

What tells the second case from the first is a boundary: a delisting that happened later may be that
of a listing that we emitted as active. The boundary of all symbols lies a while before the newest
delisting known at the first sync, because delistings are recorded days late and a first sync may
have died before it saved a state. `dated` holds the boundary of the few symbols with one of their
own. A delisting recorded still later than that is known by its symbol, which was `listed`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Final

from source_polygon.stamps import days_before, sortable

Row = dict[str, Any]

OPEN: Final = "open"

# How long before the first sync a delisting may have happened whose active row is in the table all
# the same, from a first sync that did not finish.
_UNFINISHED_DAYS: Final = 60

# A symbol that is in both lists was either used again, or ended between the reading of the two. The
# second is possible only if its delisting was recorded just now; a day is ample for a reading.
_JUST_NOW_DAYS: Final = 1

AskActive = Callable[[set[str]], set[str]]
"""Returns those of some symbols that are active by now."""


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
        dated: boundaries of single symbols.
        listed: symbols whose row in the table was active before this sync, as far as known.
        whole: whether all active rows have been seen in this sync, and not just the newest.
    """

    def __init__(self, horizon: str, dated: dict[str, str], listed: set[str]) -> None:
        self.horizon = horizon
        self.dated = dated
        self.listed = listed
        self.whole = False
        self._active: set[str] = set()
        self._gone: set[str] = set()

    def see_active(self, ticker: str) -> str:
        """Note an active row; return its `listing_end`."""
        self._active.add(ticker)
        return OPEN

    def set_horizon(self, newest: str) -> None:
        """Set the boundary of all symbols, at the first sync, from the newest known delisting."""
        self.horizon = days_before(newest, _UNFINISHED_DAYS)

    def see_delisted(
        self, rows: Iterable[Row], changed_since: str, now: str, ask_active: AskActive
    ) -> Iterator[tuple[Row, str]]:
        """Return those of `rows` that this sync must emit, with their `listing_end`.

        Args:
            rows: delisted rows, sorted by ticker; at least all recorded since the first sync.
            changed_since: sortable stamp; rows older than it were emitted before.
            now: the current time, sortable.
            ask_active: asks the vendor, where the order of two events decides.
        """
        recent: dict[str, dict[str, Row]] = {}
        just_now = days_before(now, _JUST_NOW_DAYS)
        for row in newest_of_each(rows):
            ticker, end = row["ticker"], ended(row)
            fresh = changed(row, changed_since)
            was_active = ticker in self.listed or (
                ticker in self._active and changed(row, just_now)
            )
            if end > self.dated.get(ticker, self.horizon) or (fresh and was_active):
                recent.setdefault(ticker, {})[end] = row
            elif fresh:
                yield row, end
        active = self._active_again(recent, changed_since, just_now)
        doubtful = {ticker for ticker, certain in active.items() if not certain}
        listed_anew = (active.keys() - doubtful) | (ask_active(doubtful) if doubtful else set())
        for ticker, ends in recent.items():
            ordered = sorted(ends.items())
            yield from self._recent(ticker, ordered, ticker in listed_anew, changed_since)
        self._gone = recent.keys() - listed_anew

    def listed_now(self) -> set[str]:
        """Return the symbols whose row in the table is active after this sync."""
        return (self._active if self.whole else self.listed | self._active) - self._gone

    def _active_again(
        self, recent: Mapping[str, Mapping[str, Row]], changed_since: str, just_now: str
    ) -> dict[str, bool]:
        """Return the symbols of `recent` that may be active again, and whether that is certain."""
        found = {}
        for ticker, ends in recent.items():
            rows = ends.values()
            if ticker in self._active:
                found[ticker] = not any(changed(row, just_now) for row in rows)
            elif (
                not self.whole
                and ticker in self.listed
                and any(changed(row, changed_since) for row in rows)
            ):
                # Its active row may be one that has not changed, or be gone.
                found[ticker] = False
        return found

    def _recent(
        self, ticker: str, ends: list[tuple[str, Row]], listed_anew: bool, changed_since: str
    ) -> Iterator[tuple[Row, str]]:
        """Keep `open` for the symbol's newest listing; move the ones before it to their end."""
        over = ends if listed_anew else ends[:-1]
        for end, row in over:
            if end > self.dated.get(ticker, self.horizon):
                self.dated[ticker] = end
            yield row, end
        for end, row in ends[len(over) :]:
            if end <= self.dated.get(ticker, self.horizon):
                self.dated[ticker] = days_before(end, 1)
            if changed(row, changed_since):
                yield row, OPEN


def changed(row: Row, since: str) -> bool:
    """Return whether the row was stamped at or after `since`, or cannot tell."""
    stamped = stamp(row)
    return stamped is None or stamped >= since

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

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Final

from source_polygon.errors import system_error
from source_polygon.rows import Row
from source_polygon.stamps import days_before, sortable

LOGGER = logging.getLogger("airbyte")

OPEN: Final = "open"

_NAMED: Final = 5

# How long before the first sync a delisting may have happened whose active row is in the table all
# the same, from a first sync that did not finish.
_UNFINISHED_DAYS: Final = 60

# A symbol that is in both lists was either used again, or ended between the reading of the two. The
# second is possible only if its delisting was recorded just now; a day is ample for a reading.
_JUST_NOW_DAYS: Final = 1


def stamp(row: Row) -> str | None:
    """Return the row's `last_updated_utc` in sortable form, or None where it has no usable one."""
    try:
        return sortable(row["last_updated_utc"])
    except (KeyError, TypeError, ValueError):
        return None


def require_times(rows: Iterable[Row], market: str) -> None:
    """Refuse rows whose stamps are there and are not times. One may be missing, null or "".

    Raises:
        AirbyteTracedException: such a row, by its ticker (system_error).
    """
    for row in rows:
        for name in ("last_updated_utc", "delisted_utc"):
            value = row.get(name)
            if value is None or value == "":
                continue
            try:
                sortable(value)
            except (TypeError, ValueError):
                raise system_error(
                    f"The row of {row['ticker']} (market {market}) has {name} {str(value)[:60]}, "
                    "expected a time such as 2026-11-20T22:30:00Z. It is not taken as read."
                ) from None


def ended(row: Row) -> str:
    """Return when the listing of a delisted row ended, sortable; its last stamp where unsaid."""
    try:
        return sortable(row["delisted_utc"])
    except (KeyError, TypeError, ValueError):
        return stamp(row) or ""


def newest_of_each(rows: Iterable[Row]) -> Iterator[Row]:
    """Return `rows`, sorted by ticker, with only the newest of those that are one listing.

    Rows that differ only in their stamp are duplicates on the vendor's side. Those that differ in
    more, such as two companies' numbers under one symbol, are named in the log.
    """
    odd: dict[str, set[str]] = {}
    for ticker, same in groupby(rows, key=lambda row: row["ticker"]):
        listings: dict[str, Row] = {}
        for row in same:
            end = "" if row.get("active", True) else ended(row)
            known = listings.get(end)
            if known is not None and (differing := _differing(known, row)):
                odd.setdefault(ticker, set()).update(differing)
            if known is None or (stamp(row) or "") >= (stamp(known) or ""):
                listings[end] = row
        yield from listings.values()
    if odd:
        named = [f"{ticker} ({', '.join(sorted(fields))})" for ticker, fields in odd.items()]
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        LOGGER.warning(
            "tickers: %s%s came in several rows that differ; the newest of each counts, of equally "
            "new ones the last.",
            *("; ".join(named[:_NAMED]), more),
        )


def _differing(one: Row, other: Row) -> set[str]:
    fields = (one.keys() | other.keys()) - {"last_updated_utc"}
    return {field for field in fields if one.get(field) != other.get(field)}


@dataclass(frozen=True)
class Memory:
    """What is remembered of a market's listings from one sync to the next.

    Attributes:
        horizon: boundary of all symbols without one of their own, sortable; "" before the first
            sync.
        dated: boundaries of single symbols.
        listed: symbols whose row in the table is active, as far as known.
    """

    horizon: str = ""
    dated: Mapping[str, str] = field(default_factory=dict)
    listed: frozenset[str] = frozenset()

    def boundary(self, ticker: str) -> str:
        """Return the stamp after which a delisting of `ticker` may be that of an `open` row."""
        return self.dated.get(ticker, self.horizon)


def begun(memory: Memory, newest: str) -> Memory:
    """Return `memory` with a boundary, set at the first sync from the newest known delisting."""
    if memory.horizon:
        return memory
    return replace(memory, horizon=days_before(newest, _UNFINISHED_DAYS))


@dataclass(frozen=True)
class Seen:
    """What this sync has seen before it classifies the delisted rows.

    Attributes:
        active: symbols with an active row.
        whole: whether those are all active rows, and not just the newest.
        since: sortable stamp; rows older than it were emitted before.
        now: the current time, sortable.
    """

    active: frozenset[str]
    whole: bool
    since: str
    now: str

    def just_recorded(self, row: Row) -> bool:
        """Return whether a row is so fresh that it may be younger than the active list's."""
        return changed(row, days_before(self.now, _JUST_NOW_DAYS))


def may_be_open(row: Row, memory: Memory, seen: Seen) -> bool:
    """Return whether a delisted row may be that of the listing that the table has as `open`."""
    ticker = row["ticker"]
    if ended(row) > memory.boundary(ticker):
        return True
    was_active = ticker in memory.listed or (ticker in seen.active and seen.just_recorded(row))
    return was_active and changed(row, seen.since)


def sift(
    rows: Iterable[Row], memory: Memory, seen: Seen, recent: dict[str, dict[str, Row]]
) -> Iterator[tuple[Row, str]]:
    """Return those of `rows` to emit under their own end, and put aside what `may_be_open`.

    Args:
        rows: delisted rows, sorted by ticker; at least all recorded since the first sync.
        memory: what is remembered.
        seen: what this sync has seen.
        recent: takes what is put aside, by symbol and end.
    """
    for row in newest_of_each(rows):
        if may_be_open(row, memory, seen):
            recent.setdefault(row["ticker"], {})[ended(row)] = row
        elif changed(row, seen.since):
            yield row, ended(row)


def active_again(ticker: str, ends: Mapping[str, Row], memory: Memory, seen: Seen) -> bool | None:
    """Return whether a symbol is listed anew; None if only the vendor knows.

    Args:
        ticker: a symbol of `recent`, see `sift`.
        ends: its delisted rows that `may_be_open`, by their end.
        memory: what is remembered.
        seen: what this sync has seen.
    """
    if ticker in seen.active:
        return None if any(map(seen.just_recorded, ends.values())) else True
    if seen.whole or ticker not in memory.listed:
        return False
    # Its active row may be one that has not changed, or be gone.
    return None if any(changed(row, seen.since) for row in ends.values()) else False


def classify(
    recent: Mapping[str, Mapping[str, Row]], listed_anew: frozenset[str], memory: Memory, seen: Seen
) -> tuple[list[tuple[Row, str]], Memory]:
    """Return the rows of `recent` to emit, each with its `listing_end`, and what to remember.

    A symbol's newest listing keeps `open` unless the symbol is listed anew; those before it move to
    their end.

    Args:
        recent: delisted rows that `may_be_open`, by symbol and end.
        listed_anew: those of the symbols that are active again.
        memory: what was remembered before this sync.
        seen: what this sync has seen.
    """
    emitted: list[tuple[Row, str]] = []
    dated = dict(memory.dated)
    for ticker, rows in recent.items():
        ends = sorted(rows.items())
        over = ends if ticker in listed_anew else ends[:-1]
        for end, row in over:
            if end > dated.get(ticker, memory.horizon):
                dated[ticker] = end
            emitted.append((row, end))
        for end, row in ends[len(over) :]:
            if end <= dated.get(ticker, memory.horizon):
                dated[ticker] = days_before(end, 1)
            if changed(row, seen.since):
                emitted.append((row, OPEN))
    listed = seen.active if seen.whole else memory.listed | seen.active
    return emitted, Memory(memory.horizon, dated, listed - (recent.keys() - listed_anew))


def changed(row: Row, since: str) -> bool:
    """Return whether the row was stamped at or after `since`, or cannot tell."""
    stamped = stamp(row)
    return stamped is None or stamped >= since

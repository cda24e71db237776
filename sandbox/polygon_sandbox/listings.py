"""Ticker rows: the register of every listing, active or delisted, and the events that change it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from random import Random
from typing import Any, Literal

from polygon_sandbox.clock import NEW_YORK, UTC
from polygon_sandbox.stamps import format_ns

Row = dict[str, Any]
DelistedStyle = Literal["utc-midnight", "new-york-midnight"]

STOCK_MARKETS = ("stocks", "otc")
IDENTIFIERS = ("cik", "composite_figi", "share_class_figi")


@dataclass(slots=True)
class Listing:
    """One row of the ticker list, and what the row does not say.

    `fields` is the row exactly as the API sends it. The listing trades from `listed_on` up to,
    and not including, `delisted_on`; a duplicate row never trades.
    """

    id: int
    market: str
    fields: Row
    listed_on: date
    delisted_on: date | None = None
    stamp_ns: int | None = None
    duplicate: bool = False

    @property
    def ticker(self) -> str:
        """The symbol, case-sensitive."""
        return str(self.fields["ticker"])

    @property
    def active(self) -> bool:
        """Whether the row appears under active=true."""
        return bool(self.fields["active"])

    def stamp(self, ns: int) -> None:
        """Set `last_updated_utc`, given in nanoseconds since 1970 UTC."""
        self.stamp_ns = ns
        self.fields["last_updated_utc"] = format_ns(ns)

    def as_of(self, day: date, active: bool) -> Row | None:
        """The row under date=`day`, or None where it does not belong to that answer.

        An approximation: names, identifiers and stamps are today's, not those of the day.
        """
        if self.listed_on > day:
            return None
        gone = self.delisted_on is not None and self.delisted_on <= day
        if gone == active:
            return None
        if gone or self.active:
            return self.fields
        row = {**self.fields, "active": True}
        del row["delisted_utc"]
        return row


class Register:
    """All listings. `version` counts changes of any row, `trading_version` of what trades when."""

    def __init__(self, listings: Iterable[Listing], seed: int) -> None:
        self._listings = {listing.id: listing for listing in listings}
        self._seed = seed
        self._last_ns = max((row.stamp_ns or 0 for row in self._listings.values()), default=0)
        self.version = 0
        self.trading_version = 0

    def __iter__(self) -> Iterator[Listing]:
        return iter(self._listings.values())

    def of(self, ticker: str) -> list[Listing]:
        """All rows with that symbol, the trading one first, then the younger ones first."""
        found = [row for row in self._listings.values() if row.ticker == ticker]
        found.sort(key=lambda row: (not row.active, row.duplicate, -row.listed_on.toordinal()))
        return found

    def active(self, ticker: str) -> list[Listing]:
        """Active rows with that symbol, the trading one first; raises KeyError if there is none."""
        found = [row for row in self._listings.values() if row.active and row.ticker == ticker]
        if not found:
            raise KeyError(f"no active row has the ticker {ticker!r}")
        return sorted(found, key=lambda row: (row.duplicate, row.id))

    def latest_delisted(self, ticker: str) -> Listing:
        """The youngest delisted row with that symbol; raises KeyError if there is none."""
        found = [row for row in self._listings.values() if not row.active and row.ticker == ticker]
        if not found:
            raise KeyError(f"no delisted row has the ticker {ticker!r}")
        return max(found, key=lambda row: (row.delisted_on or date.min, row.id))

    def add(self, market: str, fields: Row, listed_on: date, now_ns: int) -> Listing:
        """Enter a new active listing, stamped now."""
        listing = Listing(max(self._listings, default=0) + 1, market, fields, listed_on)
        listing.stamp(self._next_stamp(now_ns))
        self._listings[listing.id] = listing
        self.version += 1
        self.trading_version += 1
        return listing

    def edit(self, listing: Listing, changes: Row, now_ns: int) -> None:
        """Change fields of a row, which gives it a new stamp."""
        listing.fields.update(changes)
        listing.stamp(self._next_stamp(now_ns))
        self.version += 1

    def delist(
        self, listing: Listing, on: date, now_ns: int, keep_identifiers: bool, style: DelistedStyle
    ) -> None:
        """Move a row from active=true to active=false; its new stamp is its last."""
        self.version += 1
        self.trading_version += 1
        if listing.market == "crypto":
            # The vendor keeps no inactive crypto rows since 2025-08: they vanish.
            del self._listings[listing.id]
            return
        listing.delisted_on = on
        listing.fields.update(active=False, delisted_utc=delisted_stamp(on, style))
        if not keep_identifiers:
            for name in IDENTIFIERS:
                listing.fields.pop(name, None)
        listing.stamp(self._next_stamp(now_ns))

    def restamp(self, at_ns: int) -> None:
        """The nightly batch: a new stamp for every active stocks and otc row, in ticker order.

        Observed: the whole active list in one sweep, consecutive tickers about 600 ns apart.
        Rows that never had a stamp stay without one (unverified).
        """
        dice = Random(f"{self._seed}/{at_ns}")
        # Observed starts lie between 2 and 45 seconds after the minute.
        ns = at_ns + dice.randrange(2_000_000_000, 45_000_000_000)
        ns = max(ns, self._last_ns + 1)
        rows = [row for row in self._listings.values() if row.active and row.stamp_ns is not None]
        for row in sorted(rows, key=lambda row: (row.ticker, row.id)):
            if row.market in STOCK_MARKETS:
                row.stamp(ns)
                ns += 600 + dice.getrandbits(4)
        self._last_ns = ns
        self.version += 1

    def _next_stamp(self, now_ns: int) -> int:
        """A stamp just after `now`, later than every earlier one."""
        self._last_ns = max(now_ns, self._last_ns) + 1_234_567
        return self._last_ns


def delisted_stamp(day: date, style: DelistedStyle) -> str:
    """`delisted_utc`: midnight of the day in UTC, or in New York (04:00Z or 05:00Z); both seen."""
    if style == "utc-midnight":
        return f"{day.isoformat()}T00:00:00Z"
    midnight = datetime.combine(day, time(), tzinfo=NEW_YORK).astimezone(UTC)
    return midnight.strftime("%Y-%m-%dT%H:%M:%SZ")

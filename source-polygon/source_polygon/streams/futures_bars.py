"""Kind `futures_bars`: the bars of single futures contracts, which the vendor has elsewhere."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from source_polygon.rows import Row
from source_polygon.stamps import from_milliseconds
from source_polygon.streams.bar_lanes import BarCursor, BarLane
from source_polygon.streams.bars import BarsRetriever, whole_number
from source_polygon.streams.symbols import Refusals

# How the vendor calls the spans here; a day of the calendar is not a bar of futures, a session is.
_UNITS: Final = {"second": "sec", "minute": "min", "day": "session"}

_ALWAYS_THERE: Final = ("open", "high", "low", "close", "session_end_date")

_NS_PER_MS: Final = 1_000_000


@dataclass
class FuturesBarCursor(BarCursor):
    """One lane for each contract and size of bar."""

    def symbols(self) -> Iterable[str]:
        """Return the contracts to read."""
        return dict.fromkeys(self.config["futures_symbols"])

    def market(self, symbol: str) -> str:
        """Return the product of the vendor, which the name of a contract does not tell."""
        return "futures"


@dataclass(kw_only=True)
class FuturesBarsRetriever(BarsRetriever):
    """Reads the bars that start in one window, page by page.

    Attributes:
        page_size: bars a page, the vendor's maximum.
    """

    page_size: int
    refusals: Refusals = field(init=False, default_factory=lambda: Refusals(lambda _: "futures"))

    def address(self, lane: BarLane, start: int, end: int) -> str:
        """Return what to ask for."""
        return f"{self.config['base_url']}/futures/v1/aggs/{quote(lane.symbol, safe='')}"

    def params(self, lane: BarLane, start: int, end: int) -> Mapping[str, Any]:
        """Return the query, with bounds in nanoseconds."""
        span = lane.size.span
        return {
            "resolution": f"{lane.size.count}{_UNITS.get(span, span)}",
            "window_start.gte": start * _NS_PER_MS,
            "window_start.lte": end * _NS_PER_MS,
            "sort": "window_start.asc",
            "limit": self.page_size,
        }

    def start_of(self, bar: Any) -> int:
        """Return the start of a vendor's bar, in milliseconds of the nanoseconds that it has."""
        return whole_number(bar["window_start"]) // _NS_PER_MS

    def record(self, lane: BarLane, bar: Any, start: int) -> Row:
        """Return the vendor's row, with what makes its key."""
        for name in _ALWAYS_THERE:
            bar[name]
        return {
            **bar,
            "ticker": lane.symbol,
            "bar_size": str(lane.size),
            "window_start_utc": from_milliseconds(start),
        }

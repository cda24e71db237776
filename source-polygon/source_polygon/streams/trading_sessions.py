"""Kind `trading_sessions`: the calendar of the New York Stock Exchange, without a request."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar, Final

from airbyte_cdk.sources.types import Record, StreamSlice

from source_polygon.engine.retriever import PolygonRetriever
from source_polygon.rows import Row
from source_polygon.sessions import LAST_YEAR, hours, is_half_day, new_york_today, sessions
from source_polygon.stamps import from_milliseconds

_EXCHANGE: Final = "XNYS"


@dataclass
class TradingSessionsRetriever(PolygonRetriever):
    """Works the sessions out, from the start date to the end of next year."""

    unit: ClassVar[str] = "list"
    one_page: ClassVar[bool] = True

    @property
    def least_requests(self) -> int:
        """None: the calendar is in the package."""
        return 0

    def read_records(
        self, records_schema: Mapping[str, Any], stream_slice: StreamSlice | None = None
    ) -> Iterable[Record]:
        """Return the sessions, oldest first."""
        whole = stream_slice or StreamSlice(partition={}, cursor_slice={})
        yield from self.output(self.name, self.rows(), whole)

    def rows(self) -> Iterator[Sequence[Row]]:
        """Return the sessions, oldest first.

        The exchange announces its holidays two to three years ahead; what it decides later, such as
        a day of mourning, comes with a new version of the calendar.
        """
        first = date.fromisoformat(self.config["start_date"])
        last = date(min(new_york_today().year + 1, LAST_YEAR), 12, 31)
        if self.config.get("end_date"):
            last = min(last, date.fromisoformat(self.config["end_date"]))
        yield [_session(day) for day in sessions("stocks", first, last)]


def _session(day: date) -> Row:
    opens, closes = (from_milliseconds(round(at.timestamp() * 1000)) for at in hours(day))
    return {
        "exchange": _EXCHANGE,
        "date": day.isoformat(),
        "open_utc": opens,
        "close_utc": closes,
        "half_day": is_half_day(day),
    }

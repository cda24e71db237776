"""Where the vendor's files are, which there are, and when one appears.

Keys are `{prefix}/{dataset}/YYYY/MM/YYYY-MM-DD.csv.gz` in the bucket `flatfiles`. A file is there
at about 11:00 New York time of the next day (vendor knowledge base). Stocks, options, indices and
futures have one for each trading day; fx has none on Saturdays (unverified), crypto one a day.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from polygon_sandbox.clock import NEW_YORK, UTC

Dataset = Literal[
    "day_aggs_v1", "minute_aggs_v1", "quotes_v1", "session_aggs_v1", "trades_v1", "values_v1"
]

BUCKET = "flatfiles"
_PUBLISHED = time(11)
_KEY = re.compile(r"(\w+)/(\w+)/(\d{4})/(\d\d)/(\d{4}-\d\d-\d\d)\.csv\.gz")

_BARS: tuple[Dataset, ...] = ("day_aggs_v1", "minute_aggs_v1")
_TICKS: tuple[Dataset, ...] = ("trades_v1", "quotes_v1")
_FUTURES: tuple[Dataset, ...] = ("session_aggs_v1", "minute_aggs_v1", *_TICKS)
DATASETS: dict[str, tuple[Dataset, ...]] = {
    "global_crypto": (*_BARS, "trades_v1"),
    "global_forex": (*_BARS, "quotes_v1"),
    "us_futures_cbot": _FUTURES,
    "us_futures_cme": _FUTURES,
    "us_futures_comex": _FUTURES,
    "us_futures_nymex": _FUTURES,
    "us_indices": (*_BARS, "values_v1"),
    "us_options_opra": (*_BARS, *_TICKS),
    "us_stocks_sip": (*_BARS, *_TICKS),
}
"""The datasets of each prefix. Of crypto there are no quotes, of currencies no trades."""

ENTITLEMENTS = {
    "quotes_v1": "nbbo",
    "trades_v1": "trades",
    # Unverified: what the others carry.
    **dict.fromkeys(("day_aggs_v1", "minute_aggs_v1", "session_aggs_v1"), "aggregates"),
    "values_v1": "values",
}
"""The kind of data that an object of each dataset is marked with (trades and quotes: seen)."""

MARKETS = {
    "global_crypto": "crypto",
    "global_forex": "fx",
    "us_indices": "indices",
    "us_options_opra": "options",
    "us_stocks_sip": "stocks",
    **dict.fromkeys([name for name in DATASETS if "futures" in name], "futures"),
}
"""The market of each prefix, as a plan names it."""


@dataclass(frozen=True, slots=True)
class FilesSize:
    """How much there is in the files of a made-up market that trades day and night.

    `days` are the calendar days before today that have files. `tickers` is how many of a market
    are in them, the first by name; None for all of them. Bars of minutes are those of
    `bar_minutes` from `bars_from` on, in the zone of the file's day (New York; UTC for crypto and
    fx), trades, quotes and values those of `tick_seconds` from `ticks_from` on. REST has the rest
    of the day too, which the vendor's would not.
    """

    days: int = 40
    tickers: int | None = None
    bars_from: time = time(0)
    bar_minutes: int = 24 * 60
    ticks_from: time = time(9, 30)
    tick_seconds: int = 60


@dataclass(frozen=True, slots=True, order=True)
class FlatFile:
    """One object: of which prefix and dataset, and of which day."""

    prefix: str
    dataset: Dataset
    day: date

    @property
    def key(self) -> str:
        """Its name in the bucket."""
        return f"{self.prefix}/{self.dataset}/{self.day:%Y/%m/%Y-%m-%d}.csv.gz"

    @property
    def market(self) -> str:
        """The market, as a plan names it."""
        return MARKETS[self.prefix]

    def instant(self, at: time) -> int:
        """A time of the file's day, in seconds since 1970 UTC."""
        zone = UTC if self.market in ("crypto", "fx") else NEW_YORK
        return int(datetime.combine(self.day, at, tzinfo=zone).timestamp())

    @property
    def appears(self) -> datetime:
        """When it is published, in UTC."""
        following = self.day + timedelta(days=1)
        return datetime.combine(following, _PUBLISHED, tzinfo=NEW_YORK).astimezone(UTC)


def parse_key(key: str) -> FlatFile | None:
    """The file that a key names; None where the vendor has none of that name on any day."""
    found = _KEY.fullmatch(key)
    if not found or found[2] not in DATASETS.get(found[1], ()):
        return None
    try:
        day = date.fromisoformat(found[5])
    except ValueError:
        return None
    file = FlatFile(found[1], found[2], day)  # type: ignore[arg-type]
    return file if file.key == key else None

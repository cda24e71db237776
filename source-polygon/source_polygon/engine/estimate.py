"""What a sync will ask of the vendor, said before it begins, without a request."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from airbyte_cdk.models import ConfiguredAirbyteCatalog, ConfiguredAirbyteStream
from airbyte_cdk.sources.types import StreamSlice

from source_polygon.engine.cursor import LaneCursor
from source_polygon.engine.lanes import UnreadableState
from source_polygon.engine.retriever import PolygonRetriever
from source_polygon.vendor.budget import WINDOW, pace_of

LOGGER = logging.getLogger("airbyte")


@dataclass(frozen=True)
class Estimate:
    """What one stream will ask of the vendor in this sync.

    Attributes:
        stream: its name.
        slices: how many of its `unit` it reads.
        unit: what a slice is called.
        requests: by product, at least.
        exact: whether it takes as many, but for questions that are put again.
    """

    stream: str
    slices: int
    unit: str
    requests: Counter[str]
    exact: bool

    def text(self, config: Mapping[str, Any]) -> str:
        """Return it as a line of the log."""
        of = f"{number(self.slices, self.unit)}, "
        return f"{self.stream}: {of}{cost(self.requests, self.exact, config)}."


def estimate(retriever: PolygonRetriever, cursor: LaneCursor[Any, Any] | None) -> Estimate | None:
    """Return what a stream will ask for; None if its state cannot be read: reading will say so."""
    try:
        with _silence():
            planned: list[tuple[StreamSlice, int]] = (
                list(cursor.planned()) if cursor else [(each, 1) for each in retriever.planned()]
            )
    except UnreadableState:
        return None
    requests = Counter[str]()
    for first, slices in planned if retriever.least_requests else ():
        requests[retriever.product(first)] += slices * retriever.least_requests
    count = sum(slices for _, slices in planned)
    return Estimate(retriever.name, count, retriever.unit, requests, retriever.one_page)


def shortest_first(
    catalog: ConfiguredAirbyteCatalog, estimates: Mapping[str, Estimate]
) -> ConfiguredAirbyteCatalog:
    """Return a catalog with the streams in the order of what they ask for, least first.

    Those of one product are read one after the other: all slices of a stream stand in line before
    the first of the next. A list of one request shall not wait for hours of bars.
    """

    def requests(chosen: ConfiguredAirbyteStream) -> int:
        found = estimates.get(chosen.stream.name)
        return found.requests.total() if found else 0

    return ConfiguredAirbyteCatalog(streams=sorted(catalog.streams, key=requests))


def in_all(estimates: Iterable[Estimate], config: Mapping[str, Any]) -> str:
    """Return the sum of some estimates as a line of the log."""
    requests, exact = Counter[str](), True
    for each in estimates:
        requests += each.requests
        exact = exact and each.exact
    return f"This sync takes {cost(requests, exact, config)}."


def cost(requests: Counter[str], exact: bool, config: Mapping[str, Any]) -> str:
    """Return requests and the time that their budgets give them, such as `12 requests, 2 min`."""
    least = "" if exact or not requests else "at least "
    total = least + number(requests.total(), "request")
    parts = {product: _time(product, count, config) for product, count in requests.items()}
    if len(parts) < 2:
        return ", ".join([total, *parts.values()])
    return f"{total}: " + "; ".join(
        f"{requests[product]:,} for {product}, {time}" for product, time in parts.items()
    )


def number(count: int, unit: str) -> str:
    """Return a count with its unit: `1 request`, `1,200 requests`."""
    return f"{count:,} {unit}" + ("" if count == 1 else "s")


def duration(seconds: float) -> str:
    """Return a duration as a person says it: `less than a minute`, `12 min`, `3 h 5 min`."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    return f"{minutes} min" if minutes <= 120 else f"{minutes // 60} h {minutes % 60} min"


def _time(product: str, count: int, config: Mapping[str, Any]) -> str:
    pace = pace_of(config, product)
    windows = (count - 1) // pace
    return f"{duration(windows * WINDOW.total_seconds())} at {pace:,} a minute"


@contextmanager
def _silence() -> Iterator[None]:
    """Drop what planning has to say: reading will say it again."""
    before, LOGGER.disabled = LOGGER.disabled, True
    try:
        yield
    finally:
        LOGGER.disabled = before

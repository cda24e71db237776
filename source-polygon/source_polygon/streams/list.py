"""Kinds `list`, `bare_list`, `full_list` and `paged_list`: what is read in full at each sync."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, ClassVar

from airbyte_cdk.sources.types import Record, StreamSlice

from source_polygon.engine.retriever import PolygonRetriever
from source_polygon.rows import Row
from source_polygon.vendor.paging import ascending, pages, require_keys


@dataclass(kw_only=True)
class ListRetriever(PolygonRetriever):
    """Reads a list that comes in one piece, and of which the vendor always has rows.

    Attributes:
        primary_key: fields that each row must have.
        bare: whether the vendor sends the list without its usual envelope.
    """

    unit: ClassVar[str] = "list"
    one_page: ClassVar[bool] = True

    primary_key: list[str]
    bare: bool = False

    def read_records(
        self, records_schema: Mapping[str, Any], stream_slice: StreamSlice | None = None
    ) -> Iterable[Record]:
        """Return the rows as the vendor sends them.

        Raises:
            AirbyteTracedException: no usable answer, or a row without its key.
        """
        whole = stream_slice or StreamSlice(partition={}, cursor_slice={})
        yield from self.output(self.name, self.rows(), whole)

    def rows(self) -> Iterator[Sequence[Row]]:
        """Return the rows, a page at a time, as the vendor wrote them."""
        vendor = replace(self.vendor_as_written, bare=self.bare)
        answer = vendor.ask(complaint=f"{self.name} has no rows")
        require_keys(answer.rows, self.primary_key, self.name)
        yield answer.rows


@dataclass(kw_only=True)
class PagedListRetriever(ListRetriever):
    """Reads a list page by page, from the start date on, to the end date if there is one.

    Attributes:
        date_field: the date by which rows are older than the start date; they are also read in its
            order, which does not change while pages are read.
        page_size: rows a page, the vendor's maximum.
    """

    one_page: ClassVar[bool] = False

    date_field: str
    page_size: int

    def rows(self) -> Iterator[Sequence[Row]]:
        """Return the rows, oldest first, a page at a time, as the vendor wrote them."""
        window = {
            f"{self.date_field}.gte": self.config["start_date"],
            "sort": f"{self.date_field}.asc",
        }
        if self.config.get("end_date"):
            window[f"{self.date_field}.lte"] = self.config["end_date"]
        found = pages(
            self.vendor_as_written,
            window,
            key=self.primary_key,
            page_size=self.page_size,
            complaint=f"{self.name} has no rows since {self.config['start_date']}",
        )
        yield from map(itemgetter(0), found)


@dataclass(kw_only=True)
class FullListRetriever(ListRetriever):
    """Reads a list page by page, of which the vendor always has rows.

    Attributes:
        page_size: rows a page, the vendor's maximum.
        sort: the field in whose order they are read, one that does not change while they are; ""
            where the vendor lets nobody choose.
        order: "asc" on the paths where that is a parameter of its own.
    """

    one_page: ClassVar[bool] = False
    page_size: int
    sort: str = ""
    order: str = ""

    def rows(self) -> Iterator[Sequence[Row]]:
        """Return the rows, a page at a time, as the vendor wrote them."""
        found = pages(
            self.vendor_as_written,
            ascending(self.sort, self.order),
            key=self.primary_key,
            page_size=self.page_size,
            complaint=f"{self.name} has no rows",
        )
        yield from map(itemgetter(0), found)

"""What has been read and not yet printed: a bound on it keeps memory flat.

A destination may take records more slowly than the vendor sends them. The CDK's queue has room for
10,000 pages, which is more than any machine has.
"""

from collections.abc import Iterable, Iterator
from threading import Condition
from typing import Final

from airbyte_cdk.sources.types import Record, StreamSlice

from source_polygon.engine.output import Leaving, Page, in_pages, page_in

_MOST_BYTES: Final = 8_000_000


class Backlog:
    """The pages that wait to be printed; those who read wait for it to shrink."""

    def __init__(self, most: int = _MOST_BYTES) -> None:
        """Begin with none, and let no page join that makes them more than `most` bytes."""
        self._most = most
        self._bytes = 0
        self._given_up = False
        self._moved = Condition()

    def in_pages(
        self, stream: str, rows: Iterable[Leaving], stream_slice: StreamSlice
    ) -> Iterator[Record]:
        """Return what `output.in_pages` does, each page once there is room for it."""
        for record in in_pages(stream, rows, stream_slice):
            self._join(len(page_in(record.data).lines))
            yield record

    def printed(self, page: Page) -> None:
        """Take out a page."""
        with self._moved:
            self._bytes -= len(page.lines)
            self._moved.notify_all()

    def give_up(self) -> None:
        """Let nobody wait any longer: nothing will be printed."""
        with self._moved:
            self._given_up = True
            self._moved.notify_all()

    def _join(self, size: int) -> None:
        with self._moved:
            # One that is larger than all there is room for joins when it is alone.
            self._moved.wait_for(
                lambda: self._given_up or not self._bytes or self._bytes + size <= self._most
            )
            self._bytes += size

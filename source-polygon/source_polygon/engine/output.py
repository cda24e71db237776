"""How records leave the connector: one by one through the CDK, or a page at a time.

The CDK takes each record through a queue, three generators and two serializers, which costs more
than all else in a sync. The command prints to a pipe, and to it a page is one write of lines that
are ready: the same messages, in the same order, before the same states.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson
from airbyte_cdk.models import AirbyteMessage
from airbyte_cdk.sources.types import Record, StreamSlice

from source_polygon.rows import Row, without_nulls
from source_polygon.vendor.cut import Cut, tidied
from source_polygon.vendor.lines import Lines, Messages

Leaving: TypeAlias = Row | Sequence[Row]
"""What a retriever hands out: a row, or several."""

Output = Callable[[str, Iterable[Leaving], StreamSlice], Iterable[Record]]

# Large enough that what is done once per page does not count, small enough to keep memory flat.
_PAGE_SIZE: Final = 5_000
_PAGE_BYTES: Final = 1_000_000

# Field under which a page travels as the data of one record. No stream has a field without a name.
_PAGE: Final = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Many RECORD messages of one stream.

    Attributes:
        stream: name of the stream.
        lines: the messages as they are printed, each on its line, the last one too.
        count: how many there are.
    """

    stream: str
    lines: bytes | bytearray
    count: int


def one_by_one(stream: str, rows: Iterable[Leaving], stream_slice: StreamSlice) -> Iterator[Record]:
    """Return a record for each row, for whoever runs the source in his own process."""
    for leaving in rows:
        for row in [leaving] if isinstance(leaving, dict) else leaving:
            yield Record(data=row, stream_name=stream, associated_slice=stream_slice)


def in_pages(stream: str, rows: Iterable[Leaving], stream_slice: StreamSlice) -> Iterator[Record]:
    """Return a record for each page of rows, for the command, which unpacks it with `page_of`.

    A page travels as a record does, since only records are sure to come out of the CDK before the
    state that follows them.
    """
    for lines, count in _printed(stream, rows):
        data = {_PAGE: Page(stream, lines, count)}
        yield Record(data=data, stream_name=stream, associated_slice=stream_slice)


def page_of(message: AirbyteMessage) -> Page | None:
    """Return the page that `message` carries, or None for any other message."""
    if message.record is None:
        return None
    page = message.record.data.get(_PAGE)
    return page if isinstance(page, Page) else None


def page_in(data: Mapping[str, Any]) -> Page:
    """Return the page that is the data of a record made by `in_pages`."""
    page: Page = data[_PAGE]
    return page


def _printed(stream: str, rows: Iterable[Leaving]) -> Iterator[tuple[bytes | bytearray, int]]:
    """Return the lines of `rows` in portions, and how many lines each has."""
    waiting: list[Row] = []
    for leaving in rows:
        if isinstance(leaving, Cut | Lines | Messages):
            if waiting:
                yield _lines(stream, waiting), len(waiting)
                waiting = []
            if isinstance(leaving, Cut):
                yield from _cut_lines(stream, leaving)
            elif leaving:
                yield _text(stream, leaving), len(leaving)
        else:
            waiting += [leaving] if isinstance(leaving, dict) else leaving
        while len(waiting) >= _PAGE_SIZE:
            page, waiting = waiting[:_PAGE_SIZE], waiting[_PAGE_SIZE:]
            yield _lines(stream, page), len(page)
        del leaving  # it may be a large page, which need not stay while the next one comes
    if waiting:
        yield _lines(stream, waiting), len(waiting)


def _text(stream: str, leaving: Lines | Messages) -> bytes | bytearray:
    return leaving.text if isinstance(leaving, Messages) else leaving.printed(*around(stream))


def _cut_lines(stream: str, cut: Cut) -> Iterator[tuple[bytes, int]]:
    before, after = around(stream)
    # Rows may be texts of a whole report.
    size = max(1, min(_PAGE_SIZE, len(cut) * _PAGE_BYTES // cut.size)) if cut else 1
    for start in range(0, len(cut), size):
        rows = cut.rows[start : start + size]
        written = (after + before).join(rows if cut.tidy else map(tidied, rows))
        yield b"".join((before, written, after)), len(rows)


def around(stream: str) -> tuple[bytes, bytes]:
    """Return what comes before the JSON of a row in its message, and after it, its end included."""
    before = b'{"type":"RECORD","record":{"stream":%b,"data":' % orjson.dumps(stream)
    return before, b',"emitted_at":%d}}\n' % (time.time_ns() // 1_000_000)


def _lines(stream: str, rows: list[Row]) -> bytes:
    data = orjson.dumps(rows)
    if b":null" in data:
        rows = [without_nulls(row) for row in rows]
        data = orjson.dumps(rows)
    before, after = around(stream)
    if data.count(b"{") == len(rows):  # no brace in a value: each is where a row begins
        return before + data[1:-1].replace(b",{", after + before + b"{") + after
    return b"".join(before + orjson.dumps(row) + after for row in rows)

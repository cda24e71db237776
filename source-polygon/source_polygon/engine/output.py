"""How records leave the connector: one by one through the CDK, or a page at a time.

The CDK takes each record through a queue, three generators and two serializers, which costs more
than all else in a sync. The command prints to a pipe, and to it a page is one write of lines that
are ready: the same messages, in the same order, before the same states.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

import orjson
from airbyte_cdk.models import AirbyteMessage
from airbyte_cdk.sources.types import Record, StreamSlice

from source_polygon.rows import Row, without_nulls

Output = Callable[[str, Iterable[Row], StreamSlice], Iterable[Record]]

# Large enough that what is done once per page does not count, small enough to keep memory flat.
_PAGE_SIZE: Final = 5_000

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
    lines: bytes
    count: int


def one_by_one(stream: str, rows: Iterable[Row], stream_slice: StreamSlice) -> Iterator[Record]:
    """Return a record for each row, for whoever runs the source in his own process."""
    for row in rows:
        yield Record(data=row, stream_name=stream, associated_slice=stream_slice)


def in_pages(stream: str, rows: Iterable[Row], stream_slice: StreamSlice) -> Iterator[Record]:
    """Return a record for each page of rows, for the command, which unpacks it with `page_of`.

    A page travels as a record does, since only records are sure to come out of the CDK before the
    state that follows them.
    """
    remaining = iter(rows)
    while page := list(islice(remaining, _PAGE_SIZE)):
        data = {_PAGE: Page(stream, _lines(stream, page), len(page))}
        yield Record(data=data, stream_name=stream, associated_slice=stream_slice)


def page_of(message: AirbyteMessage) -> Page | None:
    """Return the page that `message` carries, or None for any other message."""
    if message.record is None:
        return None
    page = message.record.data.get(_PAGE)
    return page if isinstance(page, Page) else None


def _lines(stream: str, rows: list[Row]) -> bytes:
    data = orjson.dumps(rows)
    if b":null" in data:
        rows = [without_nulls(row) for row in rows]
        data = orjson.dumps(rows)
    before = b'{"type":"RECORD","record":{"stream":%b,"data":{' % orjson.dumps(stream)
    after = b'"emitted_at":%d}}\n' % (time.time_ns() // 1_000_000)
    if data.count(b"{") == len(rows):  # no brace in a value: each is where a row begins
        return before + data[2:-1].replace(b"{", after + before) + b"," + after
    return b"".join(before + orjson.dumps(row)[1:] + b"," + after for row in rows)

"""The records of a flat file, row by row: what each value means, and what is wrong with a row.

`by_block` does the same for whole blocks at once, where nothing is out of the ordinary.
"""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal, InvalidOperation
from typing import Final

import orjson

from source_polygon.streams.flat.layout import TICKER, Kind, Layout
from source_polygon.vendor.cut import Cut
from source_polygon.vendor.flat_files import to_second
from source_polygon.vendor.unpacked import BrokenFile

_JSON_NUMBER: Final = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", re.ASCII)
_JSON_INTEGER: Final = re.compile(r"-?(0|[1-9]\d*)", re.ASCII)
_NANOSECONDS: Final = re.compile(r"[1-9]\d{17,18}", re.ASCII)
_MOST_DIGITS: Final = 300


@dataclass(frozen=True)
class Facts:
    """What all records of a file share.

    Attributes:
        asset_class: that of the file.
        day: the day that it is of.
        modified: when the vendor put this version of it there, UTC.
        numbered: whether a record says which row of the file it is.
    """

    asset_class: str
    day: date
    modified: datetime
    numbered: bool

    @property
    def head(self) -> bytes:
        """The beginning of the JSON of each record, up to the symbol."""
        shared = {
            "asset_class": self.asset_class,
            "file_date": self.day.isoformat(),
            "file_modified_utc": to_second(self.modified),
        }
        return orjson.dumps(shared)[:-1] + b',"%b":' % TICKER.encode()


def records(
    block: bytes, layout: Layout, facts: Facts, first: int, wanted: Callable[[str], bool]
) -> Cut:
    """Return the records of a block of whole lines.

    Args:
        block: the lines, without the header.
        layout: their columns.
        facts: see there.
        first: which row of the file the first one is, from 1.
        wanted: whether the rows of a symbol are.

    Raises:
        BrokenFile: a row is not in order; the text names it.
    """
    try:
        text = io.StringIO(block.decode(), newline="")
        found = [
            _record(values, layout, facts, number)
            for number, values in enumerate(csv.reader(text, strict=True), first)
            if _complete(values, layout, number) and wanted(values[layout.ticker])
        ]
    except UnicodeDecodeError:
        raise BrokenFile(f"it is not text, after row {first}") from None
    except csv.Error as error:
        raise BrokenFile(f"its quotes are wrong, after row {first} ({error})") from None
    return Cut.of(found)


def _complete(values: list[str], layout: Layout, number: int) -> bool:
    if len(values) != len(layout.names):
        raise BrokenFile(f"row {number:,} has {len(values)} values for {len(layout.names)} columns")
    return True


def _record(values: list[str], layout: Layout, facts: Facts, number: int) -> bytes:
    parts = [facts.head, _text(values[layout.ticker], number)]
    if facts.numbered:
        parts.append(b',"file_row":%d' % number)
    for position, (name, kind) in enumerate(zip(layout.names, layout.kinds, strict=True)):
        value = values[position]
        if position != layout.ticker and value:
            parts.append(b",%b:" % orjson.dumps(name))
            try:
                parts.append(written(value, kind))
            except ValueError:
                raise BrokenFile(
                    f"row {number:,} has {value[:40]!r} for {name}, which is not {kind.value}"
                ) from None
        if position == layout.time:
            parts.append(b',"%b":"%b"' % (layout.time_utc.encode(), _utc(value, name, number)))
    return b"".join([*parts, b"}"])


def _text(value: str, number: int) -> bytes:
    if not value:
        raise BrokenFile(f"row {number:,} has no {TICKER}")
    return orjson.dumps(value)


def written(value: str, kind: Kind) -> bytes:
    """Return a value as JSON: a number as it is written, unless JSON writes it otherwise.

    Raises:
        ValueError: it is not of that kind.
    """
    if kind is Kind.TEXT:
        return orjson.dumps(value)
    if kind is Kind.LIST:
        return b"[%b]" % b",".join(_integer(each.strip()) for each in value.split(","))
    return _integer(value) if kind is Kind.INTEGER else _decimal(value)


def _integer(value: str) -> bytes:
    number = _number(value)
    if number != number.to_integral_value():
        raise ValueError(value)
    return value.encode() if _JSON_INTEGER.fullmatch(value) else b"%d" % int(number)


def _decimal(value: str) -> bytes:
    number = _number(value)
    as_json = value if _JSON_NUMBER.fullmatch(value) else f"{number:f}"
    return as_json.encode()


def _number(value: str) -> Decimal:
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(value) from None
    # What a double cannot hold would come out of many a reader of JSON as infinite.
    if not number.is_finite() or not value.isascii() or "_" in value or value != value.strip():
        raise ValueError(value)
    if abs(number.adjusted()) > _MOST_DIGITS:
        raise ValueError(value)
    return number


def utc_second(seconds: int) -> str:
    """Return a Unix time in seconds as a UTC time without zone, such as 2026-11-24T14:30:00."""
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%S}"


def _utc(value: str, name: str, number: int) -> bytes:
    if not _NANOSECONDS.fullmatch(value):
        raise BrokenFile(
            f"row {number:,} has {value[:40]!r} for {name}, which is not a time in nanoseconds"
        )
    return f"{utc_second(int(value[:-9]))}.{value[-9:]}Z".encode()

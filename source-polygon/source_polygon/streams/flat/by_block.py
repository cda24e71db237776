"""The records of a flat file, a block of rows at a time: as fast as Python's own C goes.

A block is split into its values once, and joined with what JSON has between them. Each value is
held against its kind, a column at a time: JSON's own numbers, whole ones, texts that need no
escape. What few values have in common (symbols, minutes, conditions) is judged once and kept. A
block of which a value fits no such kind goes to `by_row`, row by row: it knows more forms, and
says what is wrong with a row. Nothing passes unjudged.
"""

import re
from collections.abc import Callable, Iterable
from itertools import compress
from typing import Final

import msgspec
import orjson

from source_polygon.streams.flat import by_row
from source_polygon.streams.flat.by_row import Facts
from source_polygon.streams.flat.kept import Kept
from source_polygon.streams.flat.layout import Kind, Layout
from source_polygon.vendor.lines import Lines

# What stands for a quote and for a comma within quotes while a block is split.
_QUOTE: Final = b"\x02"
_COMMA: Final = b"\x1f"

_DIGITS: Final = b"0123456789,-"
_NUMERALS: Final = _DIGITS + b".eE+"
# Of a number that no double may hold, so many digits, or an exponent of three.
_LONG: Final = b"0" * 100
_LARGE: Final = re.compile(rb"[eE][-+]?\d{3}")
_DIGITS_AS_ZEROS: Final = bytes.maketrans(b"123456789", b"000000000")
_PLAIN: Final = bytes(set(range(0x20, 0x7F)) - set(b'"\\'))


class _Anything(msgspec.Struct):
    """Accepts whatever is JSON without making Python objects of it."""


_JSON: Final = msgspec.json.Decoder(_Anything)


class Unusual(Exception):
    """Not all values of the block are of the forms that are known here."""


class Blocks:
    """Makes the records of one file."""

    def __init__(self, layout: Layout, facts: Facts, wanted: Callable[[str], bool] | None) -> None:
        """Prepare for a file; see `LineWriter`."""
        self._layout, self._facts, self._wanted = layout, facts, wanted
        self._head = facts.head
        self._heads = Kept(self._head_of)
        self._quoted = Kept(_inside)
        self._seconds = Kept(_second)
        self._gappy: set[int] = set()
        self._names = [b",%b:" % orjson.dumps(name) for name in layout.names]
        self._made = {
            position: Kept(self._field(position))
            for position, kind in enumerate(layout.kinds)
            if kind is Kind.LIST or (position == layout.time and not facts.numbered)
        }

    def records(self, block: bytes, first: int) -> Lines:
        """Return the records of a block of whole lines, of which the first is row `first`.

        Raises:
            Unusual: it is for `by_row`, which knows more forms and what is wrong with a row.
        """
        columns = self._columns(block)
        tickers = columns[self._layout.ticker]
        heads = list(map(self._heads.__getitem__, tickers))
        rows: Iterable[int] = range(first, first + len(heads))
        if self._wanted is not None:
            columns = [list(compress(column, heads)) for column in columns]
            rows = list(compress(rows, heads))
            heads = list(filter(None, heads))
        while True:
            try:
                return self._joined(heads, columns, rows)
            except Unusual:
                # Where a value is missing, its field is left out.
                gappy = {n for n, column in enumerate(columns) if b"" in column} - self._gappy
                if not gappy:
                    raise
                self._gappy |= gappy

    def _columns(self, block: bytes) -> list[list[bytes]]:
        """Return the values by column, once every row is known to have one for each."""
        if b'"' in block:
            block = self._unquoted(block)
        count, width = block.count(b"\n"), len(self._layout.names) + 1
        values = block.replace(b"\n", b",\n,").split(b",")
        # Each end of a line is a value of its own, in the place where rows of this width end.
        ends = values[width - 1 :: width]
        if len(values) != count * width + 1 or ends.count(b"\n") != count or values.pop():
            raise Unusual
        return [values[n::width] for n in range(width - 1)]

    def _unquoted(self, block: bytes) -> bytes:
        pieces = block.split(b'"')
        if len(pieces) % 2 == 0 or _QUOTE in block or _COMMA in block:
            raise Unusual
        pieces[1::2] = map(self._quoted.__getitem__, pieces[1::2])
        return b"".join(pieces)

    def _joined(self, heads: list[bytes], columns: list[list[bytes]], rows: Iterable[int]) -> Lines:
        # For each part of a record what it is in all records, or a list of one for each.
        parts: list[bytes | list[bytes]] = [heads]
        layout = self._layout
        if self._facts.numbered:
            parts += [b',"file_row":', [b"%d" % row for row in rows]]
        integers: list[list[bytes]] = []
        decimals: list[list[bytes]] = []
        for position, column in enumerate(columns):
            kind = layout.kinds[position]
            if position == layout.ticker:
                continue
            if position in self._made:
                parts.append(list(map(self._made[position].__getitem__, column)))
                continue
            gappy = position in self._gappy
            there = list(filter(None, column)) if gappy else column
            name = self._names[position]
            if kind is Kind.TEXT:
                _require_plain(there)
                around = [name + b'"', b'"']
            else:
                (integers if kind is Kind.INTEGER else decimals).append(there)
                around = [name]
            before, *after = [_where(column, each) for each in around] if gappy else around
            parts += [before, column, *after]
            if position == layout.time:
                parts += self._times(column)
        _require_numbers(integers, _DIGITS)
        _require_numbers(decimals, _NUMERALS)
        return _zipped(parts, len(heads))

    def _times(self, column: list[bytes]) -> list[bytes | list[bytes]]:
        """Return the parts of the time as text. That there are only digits is found out later."""
        seconds = list(map(self._seconds.__getitem__, [value[:-9] for value in column]))
        field = b',"%b":"' % self._layout.time_utc.encode()
        return [field, seconds, [value[-9:] for value in column], b'Z"']

    def _head_of(self, raw: bytes) -> bytes | None:
        ticker = _plain(raw).decode()
        if not ticker:
            raise Unusual
        if self._wanted is not None and not self._wanted(ticker):
            return None
        return self._head + orjson.dumps(ticker)

    def _field(self, position: int) -> Callable[[bytes], bytes]:
        """Return what makes a whole field of a value, its name and its text as a time included."""
        name, kind = self._names[position], self._layout.kinds[position]
        is_time = position == self._layout.time

        def made(raw: bytes) -> bytes:
            value = _plain(raw).decode()
            try:
                field = name + by_row.written(value, kind) if value else b""
            except ValueError:
                raise Unusual from None
            if not is_time:
                return field
            text = _second(raw[:-9]) + raw[-9:]
            return field + b',"%b":"%bZ"' % (self._layout.time_utc.encode(), text)

        return made


def _where(column: list[bytes], part: bytes) -> list[bytes]:
    """Return a part of a record for each row, where the row has a value at all."""
    return [part if value else b"" for value in column]


def _zipped(parts: list[bytes | list[bytes]], count: int) -> Lines:
    width = len(parts) + 1
    constant = [part if isinstance(part, bytes) else b"" for part in parts]
    row = [*constant, b""] * count
    for place, part in enumerate(parts):
        if isinstance(part, list):
            row[place::width] = part
    return Lines(row, width)


def _inside(quoted: bytes) -> bytes:
    if b"\n" in quoted:
        raise Unusual
    return _QUOTE + quoted.replace(b",", _COMMA) + _QUOTE


def _plain(raw: bytes) -> bytes:
    """Return a value without its quotes, of plain characters."""
    if raw.startswith(_QUOTE):
        raw = raw[1:-1].replace(_COMMA, b",") if raw.endswith(_QUOTE) and len(raw) > 1 else raw
    if raw.translate(None, _PLAIN):
        raise Unusual
    return raw


def _second(raw: bytes) -> bytes:
    """Return the text of a Unix time in seconds, up to the point that nanoseconds follow."""
    if not raw.isdigit() or raw[:1] == b"0" or len(raw) not in (9, 10):
        raise Unusual
    return by_row.utc_second(int(raw)).encode() + b"."


def _require_plain(column: list[bytes]) -> None:
    """Prove that no text is empty and none needs an escape."""
    if b"" in column or b"".join(column).translate(None, _PLAIN):
        raise Unusual


def _require_numbers(columns: list[list[bytes]], characters: bytes) -> None:
    """Prove that all values are JSON's numbers, written in some characters."""
    written = [b",".join(column) for column in columns if column]
    joined = b",".join(written)
    if not written:
        return
    if not joined or joined.translate(None, characters):
        raise Unusual
    exponents = b"e" in joined or b"E" in joined
    if _LONG in joined.translate(_DIGITS_AS_ZEROS) or (exponents and _LARGE.search(joined)):
        raise Unusual  # a double may not hold it
    try:
        _JSON.decode(b'{"":[%b]}' % joined)
    except msgspec.DecodeError:
        raise Unusual from None

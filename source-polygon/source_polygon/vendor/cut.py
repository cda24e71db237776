"""Rows cut out of a body, each exactly as the vendor wrote it.

To turn a page into Python objects and back costs more than all else in a sync, and changes numbers
on the way: 1.10 becomes 1.1. So a body is only looked through, which proves that it is JSON, and
cut where its rows begin and end. Whoever needs a row's values gets it parsed.
"""

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import repeat
from typing import Any, Final, overload
from zlib import crc32

import msgspec
import orjson

from source_polygon.rows import Row

# What a body raises that is not JSON, not UTF-8, or nested deeper than the interpreter goes.
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])
_NULL: Final = msgspec.Raw(b"null")
_NOT_NULL: Final = str | int | float | bool | list | dict

# Brackets within each other, which orjson reads whatever is around them: it goes to 1,024.
_DEEP: Final = 1_000

# By which numbers that no double holds are looked for: so many bytes at once, so many digits.
_PORTION: Final = 250_000
_LONG: Final = 200
_BEFORE_A_NUMBER: Final = (b":", b",", b"[", b" ", b"\t", b"\r", b"\n")
_DIGITS_AS_ZEROS: Final = bytes.maketrans(b"123456789E", b"000000000e")


class Cut(Sequence[Row]):
    """The rows of an answer, or records made of them.

    Two are equal if their texts are.

    Attributes:
        rows: the text of each row.
        size: how many bytes they have.
        tidy: whether each row is on one line and nothing in it is null.
    """

    def __init__(self, text: bytes, body: bytes = b"") -> None:
        """Cut an array, of which only the letters of its strings are taken on trust.

        Args:
            text: the array. Its rows are parts of it, not copies: a page may have 20 MB.
            body: what the array in turn is part of.

        Raises:
            msgspec.DecodeError: `text` is not a JSON array.
            orjson.JSONDecodeError: it has a number past what a double holds, such as 1e999, or is
                nested deeper than orjson goes.
        """
        self.text = text
        self.rows: Sequence[bytes] = _ARRAY.decode(text)
        if _may_be_too_deep(self.rows):
            _parsed(body or text)
        if _may_pass_a_double(text):
            for row in self.rows:
                _parsed(row)
        self.size = memoryview(text).nbytes
        self.tidy = _tidy(body or bytes(text)) or (bool(body) and _tidy(bytes(text)))

    @classmethod
    def of(cls, rows: Sequence[bytes]) -> "Cut":
        """Return what consists of `rows`, each of them tidy."""
        cut = cls.__new__(cls)
        cut.rows, cut.size, cut.tidy = rows, sum(map(len, rows)), True
        return cut

    def marked(self, field: str, value: str | Sequence[str]) -> "Cut":
        """Return the same rows, none of them empty, with a field more in front.

        `value` is that of all, or has one for each.
        """
        values = repeat(value, len(self)) if isinstance(value, str) else value
        name = orjson.dumps(field)
        heads = (b"{%b:%b," % (name, orjson.dumps(each)) for each in values)
        rows = zip(heads, map(bytes, self.rows), strict=True)
        marked = Cut.of([head + row[1:] for head, row in rows])
        marked.tidy = self.tidy
        return marked

    @cached_property
    def text(self) -> bytes:
        """The rows as one array."""
        return b"[%b]" % b",".join(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [_parsed(row) for row in self.rows[index]]
        return _parsed(self.rows[index])

    def __iter__(self) -> Iterator[Row]:
        return iter(_parsed(self.text))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cut) and self.text == other.text

    __hash__ = None  # type: ignore[assignment]

    @property
    def fingerprint(self) -> tuple[int, int]:
        """What tells the rows from others, without keeping them: their size and a checksum."""
        return self.size, crc32(self.text)

    def has(self, key: Collection[str], of: type = object) -> bool:
        """Return whether each row is an object with all fields of `key`, values `of` a type.

        Args:
            key: names of fields.
            of: `str`, or `object` for whatever is not null.
        """
        try:
            _heads(tuple(key), str if of is str else _NOT_NULL).decode(self.text)
        except _UNREADABLE:
            return False
        return True


def cut(content: bytes, *, bare: bool = False) -> tuple[Cut, dict[str, Any]] | None:
    """Return the rows of a body and what came around them.

    Args:
        content: the body.
        bare: whether it is the array of rows itself, rather than an object with `results`.

    Returns:
        None for all that is not plainly so; what is wrong with it is for `answers` to say.
    """
    try:
        if not content.isascii():
            content.decode()  # msgspec does not look at the letters of what it passes over
        if bare:
            return Cut(content), {}
        parts = _OBJECT.decode(content)
        if "results" not in parts:
            return None
        rows = Cut(parts.pop("results"), content)
        return rows, {name: orjson.loads(bytes(value)) for name, value in parts.items()}
    except (*_UNREADABLE, orjson.JSONDecodeError):
        return None


def _tidy(text: bytes) -> bool:
    return not any(odd in text for odd in (b"null", b"\n", b"\r"))


def tidied(row: bytes) -> bytes:
    """Return the text of a row without its fields that are null, on one line.

    Lines end between the parts of a row: in a string that would be an escape.
    """
    text = bytes(row)
    if b"null" in text:
        fields = _OBJECT.decode(text)
        text = msgspec.json.encode({name: each for name, each in fields.items() if each != _NULL})
    return text.translate(None, b"\r\n")


@lru_cache
def _heads(key: tuple[str, ...], kind: Any) -> msgspec.json.Decoder[Any]:
    fields = [(f"field_{number}", kind) for number in range(len(key))]
    names = {f"field_{number}": name for number, name in enumerate(key)}
    head = msgspec.defstruct("Head", fields, rename=names, gc=False)
    return msgspec.json.Decoder(list[head])  # type: ignore[valid-type]


def _parsed(text: bytes | msgspec.Raw) -> Any:
    return orjson.loads(bytes(text))


def _may_be_too_deep(rows: Sequence[bytes]) -> bool:
    """Return whether a row has so many brackets that they may be too many within each other.

    How deep msgspec goes is up to the interpreter: from Python 3.12 on it is deeper than orjson.
    """
    if max(map(len, rows), default=0) < 2 * _DEEP:
        return False
    texts = (bytes(row) for row in rows if len(row) >= 2 * _DEEP)
    return any(text.count(b"[") + text.count(b"{") >= _DEEP for text in texts)


def _may_pass_a_double(text: bytes) -> bool:
    """Return whether something in a JSON text looks like a number of 1e309 or more.

    Such a number has an exponent of three digits, or 209 digits and more before one of two. So may
    have words in a string: rows have to be parsed to tell. In checksums, where it is common, no
    number begins.
    """
    whole = memoryview(text)
    for start in range(0, whole.nbytes, _PORTION):
        portion = bytes(whole[start : start + _PORTION + _LONG])
        digits = portion.translate(_DIGITS_AS_ZEROS, b"+")
        if b"0" * _LONG in digits:
            return True
        at = digits.find(b"0e000")
        while at >= 0:
            before = digits[max(0, at - _LONG) : at].rstrip(b"0.").removesuffix(b"-")
            if before.endswith(_BEFORE_A_NUMBER):
                return True
            at = digits.find(b"0e000", at + 1)
    return False

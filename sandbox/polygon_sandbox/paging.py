"""Sorted lists cut into pages, and the opaque cursors that lead from one page to the next."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

import orjson

from polygon_sandbox.contract import BadRequest, Order
from polygon_sandbox.listings import Row

Paging = Literal["keyset", "offset"]
Undated = Literal["lowest", "first", "last"]
# What a row sorts by: for each column a group (missing value or not) and its value, then its tie.
Key = tuple[tuple[Any, ...], ...]
# The last row that was sent: its key (keyset paging), or how many were sent (offset paging).
Marker = Key | int

_MARKER = "ap"


@dataclass(frozen=True, slots=True)
class Entry:
    """A row and what it sorts by, column for column; None where the row lacks the field.

    `tie` decides between rows of equal values and differs for any two of them.
    """

    values: tuple[Any, ...]
    tie: tuple[Any, ...]
    row: Row


@dataclass(frozen=True, slots=True)
class _Descending:
    """A part of a key that sorts the other way round."""

    value: Any

    def __lt__(self, other: "_Descending") -> bool:
        return bool(other.value < self.value)


class Index:
    """Rows in the order of one query; cutting a page costs a binary search.

    `orders` are the directions of the columns; ties go in that of the first (unverified).
    """

    def __init__(self, entries: Iterable[Entry], orders: Sequence[Order], undated: Undated) -> None:
        self._descends = [order == "desc" for order in (*orders, *orders[:1])] or [False]
        groups = [_missing_group(undated, order) for order in orders]
        keyed = [(self._key(entry, groups), entry.row) for entry in entries]
        keyed.sort(key=lambda pair: self._sortable(pair[0]))
        self._keys = [key for key, _ in keyed]
        self._rows = [row for _, row in keyed]

    def page(self, marker: Marker | None, limit: int, paging: Paging) -> tuple[list[Row], Any]:
        """The rows after the marker, and the marker of the next page or None on the last one."""
        start = self._position(marker)
        stop = min(start + limit, len(self._rows))
        rows = self._rows[start:stop]
        # An exactly full last page has no successor (observed live).
        if stop == len(self._rows) or not rows:
            return rows, None
        return rows, stop if paging == "offset" else self._keys[stop - 1]

    def _key(self, entry: Entry, groups: list[int]) -> Key:
        cells = (
            (group, "") if value is None else (1, value)
            for group, value in zip(groups, entry.values, strict=True)
        )
        return (*cells, entry.tie)

    def _sortable(self, key: Key) -> tuple[Any, ...]:
        parts = zip(key, self._descends, strict=True)
        return tuple(_Descending(part) if descends else part for part, descends in parts)

    def _position(self, marker: Marker | None) -> int:
        """How many rows lie before the page. The marked row itself may have moved or gone."""
        if marker is None or isinstance(marker, int):
            return min(marker or 0, len(self._rows))
        try:
            return bisect_right(self._keys, self._sortable(marker), key=self._sortable)
        except (TypeError, ValueError) as error:
            raise BadRequest("the cursor does not belong to this query") from error


def _missing_group(undated: Undated, order: Order) -> int:
    """0 sorts below and 2 above every present value, before desc turns the list around."""
    if undated == "lowest":
        return 0
    return 2 if (undated == "last") != (order == "desc") else 0


def encode(query: Mapping[str, str], marker: Marker | None) -> str:
    """An opaque cursor: base64 of the query's own parameters and the marker, as the vendor's is."""
    fields = {**query, _MARKER: orjson.dumps(marker).decode()}
    return urlsafe_b64encode(urlencode(sorted(fields.items())).encode()).decode().rstrip("=")


def decode(cursor: str) -> tuple[list[tuple[str, str]], Marker | None]:
    """The parameters and marker inside a cursor; raises BadRequest for anything else."""
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        fields = dict(parse_qsl(text, strict_parsing=True))
        marker = orjson.loads(fields.pop(_MARKER))
    except (binascii.Error, ValueError, KeyError) as error:
        raise BadRequest("Failed to parse the cursor") from error
    if isinstance(marker, list):
        if not all(isinstance(part, list) for part in marker):
            raise BadRequest("Failed to parse the cursor")
        marker = tuple(tuple(part) for part in marker)
    elif marker is not None and not (isinstance(marker, int) and marker >= 0):
        raise BadRequest("Failed to parse the cursor")
    return list(fields.items()), marker

"""Sorted lists cut into pages, and the opaque cursors that lead from one page to the next."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

import orjson

from polygon_sandbox.contract import BadRequest, Order
from polygon_sandbox.listings import Row

Paging = Literal["keyset", "offset"]
Undated = Literal["lowest", "first", "last"]
# Position in the sort: group (missing value or not), value, ticker, row id.
Key = tuple[int, Any, str, int]
# The last row that was sent: its key (keyset paging), or how many were sent (offset paging).
Marker = Key | int

_MARKER = "ap"


@dataclass(frozen=True, slots=True)
class Entry:
    """A row and what it sorts by; `value` is None where the row lacks the field."""

    value: Any
    ticker: str
    id: int
    row: Row


class Index:
    """Rows in the order of one query; cutting a page costs a binary search.

    Ties are broken by ticker and then by row id, both turned around by desc (unverified).
    """

    def __init__(self, entries: Iterable[Entry], order: Order, undated: Undated) -> None:
        self._descends = order == "desc"
        group = self._missing_group(undated)
        keyed = sorted(
            (
                (group, "", entry.ticker, entry.id)
                if entry.value is None
                else (1, entry.value, entry.ticker, entry.id),
                position,
                entry.row,
            )
            for position, entry in enumerate(entries)
        )
        self._keys: list[Key] = [key for key, _, _ in keyed]
        self._rows = [row for _, _, row in keyed]

    def _missing_group(self, undated: Undated) -> int:
        """0 sorts below and 2 above every present value, before desc turns the list around."""
        if undated == "lowest":
            return 0
        return 2 if (undated == "last") != self._descends else 0

    def page(self, marker: Marker | None, limit: int, paging: Paging) -> tuple[list[Row], Any]:
        """The rows after the marker, and the marker of the next page or None on the last one."""
        size = len(self._rows)
        start = self._position(marker)
        stop = min(start + limit, size)
        rows = [self._rows[self._at(n)] for n in range(start, stop)]
        # An exactly full last page has no successor (observed live).
        if stop == size or not rows:
            return rows, None
        return rows, stop if paging == "offset" else self._keys[self._at(stop - 1)]

    def _at(self, position: int) -> int:
        return len(self._rows) - 1 - position if self._descends else position

    def _position(self, marker: Marker | None) -> int:
        """How many rows lie before the page. The marked row itself may have moved or gone."""
        if marker is None or isinstance(marker, int):
            return min(marker or 0, len(self._rows))
        try:
            if self._descends:
                return len(self._rows) - bisect_left(self._keys, marker)
            return bisect_right(self._keys, marker)
        except TypeError as error:
            raise BadRequest("the cursor does not belong to this query") from error


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
        if len(marker) != 4:
            raise BadRequest("Failed to parse the cursor")
        marker = tuple(marker)
    elif marker is not None and not (isinstance(marker, int) and marker >= 0):
        raise BadRequest("Failed to parse the cursor")
    return list(fields.items()), marker

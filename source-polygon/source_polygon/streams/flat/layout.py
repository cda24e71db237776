"""The columns of a flat file: which there are, and of which kind the values of each are."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from source_polygon.vendor.unpacked import BrokenFile

LOGGER = logging.getLogger("airbyte")

TICKER: Final = "ticker"

OURS: Final = ("asset_class", "file_date", "file_modified_utc", "file_row")
"""What a record has besides the columns of its file, and the UTC time of its row."""

# Of the times that a file may have, the first is that of the row.
_TIMES: Final = ("window_start", "sip_timestamp", "participant_timestamp", "timestamp")


class Kind(Enum):
    """What the values of a column are."""

    TEXT = "text"
    INTEGER = "a whole number"
    DECIMAL = "a number"
    LIST = "whole numbers, separated by commas"


@dataclass(frozen=True)
class Layout:
    """The columns of a file.

    Attributes:
        names: what the header calls them, in order.
        kinds: of each.
        ticker: position of the symbol.
        time: position of the time of the row, in nanoseconds since 1970, UTC.
        time_utc: the field that gets the same time as text.
    """

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    ticker: int
    time: int
    time_utc: str

    @staticmethod
    def of(header: bytes, schema: Mapping[str, Any]) -> "Layout":
        """Return the columns that a header names.

        Args:
            header: the first line of the file.
            schema: that of the stream's records. What it does not know comes through as text.

        Raises:
            BrokenFile: it is not the header of such a file.
        """
        try:
            line = header.decode("utf-8-sig").rstrip("\r\n")
        except UnicodeDecodeError:
            raise BrokenFile("its header is not text") from None
        names = tuple(name.strip().strip('"') for name in line.split(","))
        times = [name for name in _TIMES if name in names]
        if TICKER not in names or not times:
            raise BrokenFile(f"its header names no {'time' if TICKER in names else TICKER}")
        if len(set(names)) < len(names) or not all(names):
            raise BrokenFile("its header names a column twice, or not at all")
        known = schema["properties"]
        ours = (*OURS, _utc_of(times[0]))
        if lacking := _required(known, ours).difference(names):
            raise BrokenFile(f"its header names no {min(lacking)}")
        if clash := [name for name in names if name in ours]:
            raise BrokenFile(f"its column {clash[0]} has the name of a field of the connector")
        return Layout(
            names,
            tuple(_kind(known.get(name)) for name in names),
            names.index(TICKER),
            names.index(times[0]),
            _utc_of(times[0]),
        )

    def unknown(self, schema: Mapping[str, Any]) -> list[str]:
        """Return the columns that a schema does not know."""
        return [name for name in self.names if name not in schema["properties"]]


def _kind(schema: Mapping[str, Any] | None) -> Kind:
    types = (schema or {}).get("type", "string")
    if "integer" in types:
        return Kind.INTEGER
    if "number" in types:
        return Kind.DECIMAL
    return Kind.LIST if "array" in types else Kind.TEXT


def _required(known: Mapping[str, Any], ours: Collection[str]) -> set[str]:
    """Return the columns that each file has: those of the schema that cannot be null."""
    return {
        name for name, of in known.items() if "null" not in of.get("type", "") and name not in ours
    }


def _utc_of(time: str) -> str:
    return "window_start_utc" if time == "window_start" else "timestamp_utc"

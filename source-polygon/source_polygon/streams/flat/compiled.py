"""Plain blocks of a flat file to finished messages, by compiled code where there is some.

`_speedups.c` says what is plain. It is compiled when the package is built, if there is a compiler;
`by_block` writes the same bytes without it, at six times the CPU.
"""

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import orjson

from source_polygon.streams.flat.by_row import Facts
from source_polygon.streams.flat.kept import Kept
from source_polygon.streams.flat.layout import Kind, Layout
from source_polygon.vendor.lines import Messages

try:
    from source_polygon.streams.flat import _speedups
except ImportError:  # nobody could compile it
    SPEEDUPS: Any = None
    """The compiled code; None where there is none."""
else:
    SPEEDUPS = _speedups

LOGGER = logging.getLogger("airbyte")

# As _speedups.c has them.
_KINDS: Final = {Kind.TEXT: 0, Kind.INTEGER: 1, Kind.DECIMAL: 2, Kind.LIST: 3}
_TIME: Final = 4

Around = Callable[[], tuple[bytes, bytes]]
"""Returns what comes before the JSON of a record in its message, and after it."""


class PlainBlocks:
    """Writes the messages of one file, of which the symbol is the first column."""

    def __init__(
        self, layout: Layout, facts: Facts, wanted: Callable[[str], bool] | None, around: Around
    ) -> None:
        """Prepare for a file; see `LineWriter`."""
        self._wanted, self._around = wanted, around
        self._numbered = facts.numbered
        self._head = around()[0] + facts.head
        self._heads = Kept(self._head_of)
        self._utc = b',"%b":"' % layout.time_utc.encode()
        self._columns = tuple(
            (_TIME if position == layout.time else _KINDS[kind], b",%b:" % orjson.dumps(name))
            for position, (name, kind) in enumerate(zip(layout.names, layout.kinds, strict=True))
            if position != layout.ticker
        )

    def messages(self, block: bytes, first: int) -> Messages | None:
        """Return what `by_block` would come to for a block; None if it is not plain.

        Args:
            block: whole lines.
            first: which row of the file the first one is, from 1.
        """
        tail = b"}" + self._around()[1]
        first = first if self._numbered else 0
        found = SPEEDUPS.messages(block, self._columns, self._heads, self._utc, tail, first)
        return None if found is None else Messages(*found)

    def _head_of(self, raw: bytes) -> bytes | None:
        ticker = raw.decode()
        if self._wanted is not None and not self._wanted(ticker):
            return None
        return self._head + orjson.dumps(ticker)


def plain_blocks(
    layout: Layout, facts: Facts, wanted: Callable[[str], bool] | None, around: Around
) -> PlainBlocks | None:
    """Return what writes the messages of a file; None where there is nothing compiled for it."""
    if SPEEDUPS is None:
        tell()
        return None
    if layout.ticker != 0 or layout.kinds[layout.time] is not Kind.INTEGER:
        return None
    return PlainBlocks(layout, facts, wanted, around)


@lru_cache
def tell() -> None:
    """Say once that it is not there: nothing is wrong, and it costs."""
    LOGGER.info("Flat files are read without compiled code, which takes three times the CPU.")

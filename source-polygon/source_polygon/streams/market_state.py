"""What the state of `tickers` holds for one market."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zlib import compress, decompress, error

from source_polygon.engine.lanes import UnreadableState
from source_polygon.stamps import sortable
from source_polygon.streams.listings import Memory


@dataclass(frozen=True)
class MarketState:
    """How far both lists of a market are read. Times are sortable stamps, "" where none is known.

    Attributes:
        active: newest stamp among the active rows read so far.
        delisted: newest stamp among the delisted rows read so far.
        recorded_after: delisted rows stamped later than this may be `open`, see `listings`.
        memory: which listings are which.
        undated: number of rows without a stamp, by list ("active", "delisted").
    """

    active: str = ""
    delisted: str = ""
    recorded_after: str = ""
    memory: Memory = field(default_factory=Memory)
    undated: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def load(cls, cursor: Mapping[str, Any], cursor_field: str) -> "MarketState":
        """Return the state that a checkpoint holds.

        Raises:
            UnreadableState: it is not of the form that `dump` writes.
        """
        try:
            active = _stamp(cursor.get(cursor_field))
            # A state written by hand, with the cursor alone, holds for both lists.
            delisted = cursor.get("delisted", {cursor_field: active, "recorded_after": active})
            dated = cursor.get("dated", {}).items()
            return cls(
                active=active,
                delisted=_stamp(delisted.get(cursor_field)),
                recorded_after=_stamp(delisted.get("recorded_after")),
                memory=Memory(
                    horizon=_stamp(cursor.get("horizon", active)),
                    dated={str(ticker): _stamp(end) for ticker, end in dated},
                    listed=_unpack(cursor.get("listed", "")),
                ),
                undated={str(which): int(n) for which, n in cursor.get("undated", {}).items()},
            )
        except (AttributeError, TypeError, ValueError, error) as fault:
            raise UnreadableState(repr(dict(cursor))[:300]) from fault

    def dump(self, cursor_field: str) -> Mapping[str, Any]:
        """Return the checkpoint; the symbols as compressed text, about two bytes each."""
        return {
            cursor_field: self.active,
            "delisted": {cursor_field: self.delisted, "recorded_after": self.recorded_after},
            "horizon": self.memory.horizon,
            "dated": dict(self.memory.dated),
            "listed": _pack(self.memory.listed),
            "undated": dict(self.undated),
        }


def _stamp(value: str | None) -> str:
    return sortable(value) if value else ""


def _pack(tickers: frozenset[str]) -> str:
    return base64.b64encode(compress(" ".join(sorted(tickers)).encode(), 9)).decode()


def _unpack(text: str) -> frozenset[str]:
    if not text:
        return frozenset()
    return frozenset(decompress(base64.b64decode(text, validate=True)).decode().split())

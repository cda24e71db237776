"""The subscription list: a CSV file, checked whole, and what changes between two versions of it.

    market,channel,symbol
    # bars of every stock, each minute
    stocks,AM,*
    stocks,A,BRK.B
    crypto,XA,BTC-USD

Symbols are the vendor's and case-sensitive (`KIMpL` is a preferred share of Kimco).
"""

import csv
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from polygon_streaming.channels import CHANNELS, MARKETS, WILDCARD
from polygon_streaming.errors import ConfigError

HEADER: Final = ["market", "channel", "symbol"]

_SYMBOL: Final = re.compile(r"[^\s,*\"]+|\*")
_SHOWN: Final = 20


class InvalidSubscriptions(ConfigError):
    """The list is refused whole. `problems` has a sentence for each row that is wrong."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        shown = problems[:_SHOWN]
        if len(problems) > _SHOWN:
            shown.append(f"and {len(problems) - _SHOWN} more.")
        super().__init__("The subscription list is refused. " + " ".join(shown))


@dataclass(frozen=True, slots=True, order=True)
class Subscription:
    """One row of the list."""

    market: str
    channel: str
    symbol: str

    @property
    def name(self) -> str:
        """What the server calls it: `A.AAPL`."""
        return f"{self.channel}.{self.symbol}"


def parse(text: str) -> frozenset[Subscription]:
    """Return the subscriptions of a CSV text.

    Raises:
        InvalidSubscriptions: any row is wrong, or there is none.
    """
    # A comment may hold commas and quotes: it is taken out before the text is read as CSV.
    lines = ["" if line.lstrip().startswith("#") else line for line in _lines(text)]
    rows = csv.reader(lines, skipinitialspace=True)
    problems: list[str] = []
    found: set[Subscription] = set()
    header_seen = False
    for row in _rows_of(rows):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if not header_seen:
            header_seen = True
            if cells != HEADER:
                raise InvalidSubscriptions(
                    [
                        f"Row {rows.line_num}: the header is {','.join(cells)!r}. "
                        f"Give {','.join(HEADER)!r}."
                    ]
                )
            continue
        problem = _problem(cells)
        if problem:
            problems.append(f"Row {rows.line_num}: {problem}")
        else:
            found.add(Subscription(*cells))
    if not header_seen:
        problems.append(f"The file is empty. Give the header {','.join(HEADER)!r} and a row.")
    elif not found and not problems:
        problems.append("There is no row below the header. Give at least one, or stop the feed.")
    if problems:
        raise InvalidSubscriptions(problems)
    return frozenset(found)


def is_symbol(text: str) -> bool:
    """Tell whether a text can be a symbol, or the wildcard."""
    return _SYMBOL.fullmatch(text) is not None


def without_covered(subscriptions: Iterable[Subscription]) -> frozenset[Subscription]:
    """Leave out what a wildcard of the same market and channel brings anyway."""
    every = frozenset(subscriptions)
    wild = {(s.market, s.channel) for s in every if s.symbol == WILDCARD}
    return frozenset(s for s in every if s.symbol == WILDCARD or (s.market, s.channel) not in wild)


def shard(subscriptions: Iterable[Subscription], index: int, count: int) -> frozenset[Subscription]:
    """Return the part of the list that feed `index` (from 0) of `count` reads.

    A symbol has the same place in every channel and in every version of the list. A wildcard
    cannot be divided: one feed reads it whole.
    """
    return frozenset(
        s for s in subscriptions if zlib.crc32(_shard_key(s).encode()) % count == index
    )


@dataclass(frozen=True, slots=True)
class Change:
    """What to send to the server to get from one set of subscriptions to another.

    `remove` goes first: whether the server lets `A.*` outlive an unsubscribe from `A.AAPL`, or
    `A.AAPL` one from `A.*`, is not known, and in this order it does not matter.
    """

    remove: list[str]
    add: list[str]


def change(active: Iterable[str], wanted: Iterable[str]) -> Change:
    """Return the change from the `active` names to the `wanted` ones, each sorted."""
    before, after = frozenset(active), frozenset(wanted)
    return Change(remove=sorted(before - after), add=sorted(after - before))


def _rows_of(rows: Any) -> Iterator[list[str]]:
    try:
        yield from rows
    except csv.Error as error:
        raise InvalidSubscriptions([f"Row {rows.line_num}: {error}."]) from None


def _lines(text: str) -> list[str]:
    return text.removeprefix("\ufeff").splitlines()


def _problem(cells: list[str]) -> str | None:
    if len(cells) != len(HEADER):
        return f"{len(cells)} fields where {','.join(HEADER)} are 3."
    market, channel, symbol = cells
    if market not in CHANNELS:
        return f"market {market!r} is unknown. Give one of {', '.join(MARKETS)}."
    if channel not in CHANNELS[market]:
        known = ", ".join(sorted(CHANNELS[market]))
        return f"{market} has no channel {channel!r}. Give one of {known}."
    if not is_symbol(symbol):
        return f"{symbol!r} is not a symbol. Give one without spaces, or * for all of the channel."
    return None


def _shard_key(subscription: Subscription) -> str:
    wild = subscription.symbol == WILDCARD
    return subscription.name if wild else subscription.symbol

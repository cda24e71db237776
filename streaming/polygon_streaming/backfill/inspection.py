"""A file's rows, looked at before they may be seen: are they whole, and of their day?"""

from datetime import date, datetime
from typing import Any, NamedTuple

from polygon_streaming.backfill import days
from polygon_streaming.backfill.kinds import Dataset
from polygon_streaming.backfill.outcomes import Broken

Span = tuple[str, str]
"""The first moment and the first after, UTC, as SQL literals have them."""


class Seen(NamedTuple):
    """What the rows are.

    Attributes:
        rows: how many.
        span: in which all of them lie.
        own: in which those of the day alone lie; futures have some of the evening before.
    """

    rows: int
    span: Span
    own: Span


def inspect_rows(client: Any, dataset: Dataset, day: date, table: str) -> Seen:
    """Return what a file's rows are.

    Args:
        client: of ClickHouse.
        dataset: the file's.
        day: that its name says.
        table: with its rows and no others.

    Raises:
        Broken: there are none, or some that such a file cannot have.
    """
    time, bounds = dataset.kind.time, days.bounds(dataset.market, day)
    own = within(time, *_texts(days.own(dataset.market, day)))
    inside = own if bounds else f"toDate({time}) = '{day}'"
    odd = " OR ".join(f"NOT isFinite({name})" for name in dataset.kind.floats)
    needed = dataset.needed
    there = ", ".join(f"countIf({name} IS NOT NULL)" for name in needed) or "0"
    (row,) = client.query(
        f"SELECT count(), countIf({inside}), countIf(symbol = '' OR NOT isValidUTF8(symbol)), "
        f"countIf({odd}), [{there}], "
        f"{_edges(time, 'true')}, {_edges(time, own)} FROM {table}"
    ).result_rows
    rows, of_the_day, nameless, not_numbers, filled, *edges = row
    if not rows:
        raise Broken("the file has no rows.")
    if nameless:
        raise Broken(
            f"{nameless:,} rows have no ticker, or one that is not text, or the column has "
            "another name."
        )
    if not_numbers:
        raise Broken(f"{not_numbers:,} rows have NaN or an infinite number.")
    if lacking := [name for name, count in zip(needed, filled, strict=False) if not count]:
        raise Broken(f"no row has a {lacking[0]}, or the column has another name.")
    # Sessions of futures begin the evening before, so that of them the most has to do.
    if of_the_day < rows if bounds else 2 * of_the_day < rows:
        raise Broken(
            f"{rows - of_the_day:,} of {rows:,} rows are of another day than the "
            "file's name says. The vendor replaces such files; run again later."
        )
    first, after, own_first, own_after = edges
    if bounds:
        return Seen(rows, _texts(bounds), _texts(bounds))
    return Seen(rows, (first, after), (own_first, own_after))


def _edges(time: str, where: str) -> str:
    """Return the first minute of rows and the first after them, in SQL."""
    return (
        f"toString(toStartOfMinute(minIf({time}, {where}))), "
        f"toString(toStartOfMinute(maxIf({time}, {where})) + INTERVAL 1 MINUTE)"
    )


def within(time: str, first: str, after: str) -> str:
    """Return the condition that a time lies in a span, in SQL."""
    literals = [f"toDateTime64('{edge}', 3, 'UTC')" for edge in (first, after)]
    return f"{time} >= {literals[0]} AND {time} < {literals[1]}"


def _texts(edges: tuple[datetime, datetime]) -> tuple[str, str]:
    return f"{edges[0]:%Y-%m-%d %H:%M:%S}", f"{edges[1]:%Y-%m-%d %H:%M:%S}"

"""The vendor's market-wide lists, made up from the contract: no code for any of them.

A dataset begins some days before the world does and gets new rows every day. Its rows can be
read, entered late, corrected and taken out.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from threading import Lock
from typing import Any

from polygon_sandbox import ticks
from polygon_sandbox.contract import Endpoint, contract, endpoint
from polygon_sandbox.listings import Row
from polygon_sandbox.made_up import RowMaker

# What of a list other data hang on.
_KNOWN = {"/v3/reference/conditions": ticks.CONDITIONS}
CORPORATE_ACTIONS = ("/stocks/v1/splits", "/stocks/v1/dividends")


@dataclass(frozen=True, slots=True)
class DatasetSize:
    """How many days of history a dataset begins with, and how many rows a day has.

    A list of nothing but a date and numbers (treasury yields, say) has one row a day. A list
    without a date has the rows of the history and gets no more. Where a day wants more symbols
    than the world has, they are made up.
    """

    days: int = 20
    rows_a_day: int = 3


@cache
def dataset_paths() -> frozenset[str]:
    """The lists that need no code: paged, not of one symbol, filtered by fields of their rows.

    Splits and dividends would be among them, were they not made from the world's prices.
    """
    return frozenset(path for path, facts in contract().items() if _is_plain(facts))


def _is_plain(facts: Endpoint) -> bool:
    fields = (parameter.field for parameter in facts.parameters.values())
    return (
        facts.shape == "list"
        and facts.paged is not None
        and not facts.deprecated
        and "{" not in facts.path
        and facts.path not in CORPORATE_ACTIONS
        and all(name in facts.row or _is_extreme(facts, name) for name in fields)
    )


def _is_extreme(facts: Endpoint, name: str) -> bool:
    """Whether a condition is on the largest or smallest of an array: max_ticker of `tickers`."""
    return name[:4] in ("max_", "min_") and name[4:] + "s" in facts.row


class Datasets:
    """The datasets of one world, each made when it is first asked for."""

    def __init__(
        self, seed: int, symbols: Sequence[str], size: DatasetSize, today: Callable[[], date]
    ) -> None:
        self._seed = seed
        self._symbols = symbols
        self._size = size
        self._founded_on = today()
        self._today = today
        self._made: dict[str, Dataset] = {}

    def at(self, path: str) -> "Dataset":
        """The dataset at a path; raises KeyError for a path that is not one."""
        if path not in self._made:
            if path not in dataset_paths():
                raise KeyError(f"{path} is not a dataset of the sandbox")
            self._made[path] = Dataset(
                path, self._seed, self._symbols, self._size, self._founded_on, self._today
            )
        return self._made[path]


class Dataset:
    """The rows of one list."""

    def __init__(
        self,
        path: str,
        seed: int,
        symbols: Sequence[str],
        size: DatasetSize,
        founded_on: date,
        today: Callable[[], date],
    ) -> None:
        self._endpoint = endpoint(path)
        self._maker = RowMaker(self._endpoint, seed)
        self._symbols = symbols or ["AAPL"]
        self._rows_a_day = size.rows_a_day if _has_names(self._endpoint, self._maker.day) else 1
        self._today = today
        self._lock = Lock()
        self._rows: list[Row] = []
        self._grown_to = founded_on - timedelta(days=size.days)
        if self._maker.day is None:
            self._rows = self._begun(_KNOWN.get(path, ()), size.days * size.rows_a_day, founded_on)
        self._version = 0

    def _begun(self, known: Sequence[Row], count: int, day: date) -> list[Row]:
        """Return so many rows, the known ones first; none that is made up has the id of one."""
        true = [{**self._made(day, number), **row} for number, row in enumerate(known)]
        taken = {row["id"] for row in known}
        made = (self._made(day, number) for number in itertools.count(len(true)))
        others = (row for row in made if row.get("id") not in taken)
        return [*true, *itertools.islice(others, max(0, count - len(true)))]

    def rows(self) -> list[Row]:
        """All rows, in the order they were entered."""
        rows, _ = self.current()
        return [dict(row) for row in rows]

    def current(self) -> tuple[list[Row], int]:
        """The same without copies, for those who only read, and what version it is."""
        with self._lock:
            if self._maker.day is not None and self._grown_to < self._today():
                self._grow(to=self._today())
            return self._rows, self._version

    def insert(self, **fields: Any) -> Row:
        """Enter a row with these fields, the others made up: a late one, if its day is past."""
        unknown = fields.keys() - self._endpoint.row.keys()
        if unknown:
            raise KeyError(f"{self._endpoint.path} has no field {', '.join(sorted(unknown))}")
        with self._lock:
            number = 1_000_000 + self._version
            row = {**self._maker.row(self._today(), self._symbols[0], number), **fields}
            self._replace([*self._rows, row])
            return dict(row)

    def change(self, where: Mapping[str, Any], **fields: Any) -> int:
        """Correct the rows that have the values of `where`; how many there were."""
        with self._lock:
            hit = [_matches(row, where) for row in self._rows]
            rows = zip(self._rows, hit, strict=True)
            self._replace({**row, **fields} if met else row for row, met in rows)
            return sum(hit)

    def remove(self, where: Mapping[str, Any]) -> int:
        """Take out the rows that have the values of `where`; how many there were."""
        with self._lock:
            before = len(self._rows)
            self._replace(row for row in self._rows if not _matches(row, where))
            return before - len(self._rows)

    def _replace(self, rows: Iterable[Row]) -> None:
        self._rows = list(rows)
        self._version += 1

    def _grow(self, to: date) -> None:
        made = []
        while self._grown_to < to:
            self._grown_to += timedelta(days=1)
            made += [self._made(self._grown_to, number) for number in range(self._rows_a_day)]
        self._replace([*self._rows, *made])

    def _made(self, day: date, number: int) -> Row:
        again, position = divmod(number, len(self._symbols))
        symbol = self._symbols[position]
        return self._maker.row(day, f"{symbol}.{again}" if again else symbol, number)


def _has_names(facts: Endpoint, day: str | None) -> bool:
    others = (field for name, field in facts.row.items() if name != day)
    return any(field.type not in ("number", "integer") for field in others)


def _matches(row: Row, where: Mapping[str, Any]) -> bool:
    return all(row.get(name) == value for name, value in where.items())

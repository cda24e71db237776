"""Rows made up from a contract alone: right types, right choices, and the same for a seed.

Names decide only what a contract does not: that a CIK has ten digits, that a year is one.
"""

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import partial
from random import Random
from typing import Any, NamedTuple

from polygon_sandbox.clock import UTC, to_ns
from polygon_sandbox.contract import Endpoint, Field
from polygon_sandbox.listings import Row
from polygon_sandbox.stamps import format_ns

_WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "Zürich", "O'Hara")
_STAMPS = ("last_updated", "published", "published_utc", "timestamp")
# Fields that say when a row came to the vendor; its other dates are before that.
_CAME_IN = ("last_updated", "filing_date", "processed_date")
_COMPANY = r"(^|_)cik$"
# Optional by the contract; that rows always have them is unverified.
_IDENTIFIERS = r"^(benzinga_id|accession_number|filing_url)$"
# The share of rows that lack a field which is optional.
_MISSING = 0.1
_SECOND_NS = 10**9


class _Case(NamedTuple):
    """One row to be: its dice, its day, the ticker of its company and its number on that day."""

    dice: Random
    day: date
    symbol: str
    number: int


_Make = Callable[[_Case], Any]


class RowMaker:
    """Makes the rows of one list.

    `day` is the field that dates a row: when it came in, what the list is sorted by, or can be
    filtered by. `key` tells the rows of a day apart: a ticker, else a name. Either is None where
    there is no such field.
    """

    def __init__(self, endpoint: Endpoint, seed: int) -> None:
        self._endpoint = endpoint
        self._seed = f"{seed}/{endpoint.path}"
        asked = {parameter.field for parameter in endpoint.parameters.values()}
        first = [column for column, _ in endpoint.paged.default] if endpoint.paged else []
        came_in = [name for name in _CAME_IN if name in asked]
        names = [n for n in dict.fromkeys([*came_in, *first, *sorted(asked)]) if n in endpoint.row]
        self.day = next((name for name in names if self._is_dated(name)), None)
        texts = [name for name in names if name != self.day and self._is_name(name)]
        # Rows about several companies have no key: `tickers` says whose they are.
        named = bool(texts) and "tickers" not in endpoint.row
        self.key = min(texts, key=lambda n: not n.endswith("ticker")) if named else None
        self.by_symbol = self.key is not None and self.key.endswith("ticker")
        # Some lists send null for a missing value, the others leave it out (spec's examples).
        self._nulls = any("null" in field.shown for field in endpoint.row.values())
        kept = {self.day, self.key, *asked}
        self._fields = [
            (
                name,
                field.required or name in kept or bool(re.search(_IDENTIFIERS, name)),
                self._maker_of(name, field),
            )
            for name, field in endpoint.row.items()
        ]

    def row(self, day: date, symbol: str, number: int) -> Row:
        """Row `number` of a day; `symbol` is the ticker in every field that names one."""
        dice = Random(f"{self._seed}/{day}/{number}")
        case = _Case(dice, day, symbol, number)
        made: Row = {}
        for name, kept, make in self._fields:
            if kept or dice.random() >= _MISSING:
                made[name] = make(case)
            elif self._nulls:
                made[name] = None
        return made

    def _choices(self, name: str) -> tuple[Any, ...]:
        parameter = self._endpoint.parameters.get(name)
        field = self._endpoint.row.get(name)
        return (field.choices if field else ()) or (parameter.choices if parameter else ())

    def _is_dated(self, name: str) -> bool:
        parameter, field = self._endpoint.parameters.get(name), self._endpoint.row[name]
        stated = field.format in ("date", "date-time") or field.text == "date"
        asked = parameter is not None and parameter.kind in ("date", "instant")
        return stated or asked or _is_stamp(name, field)

    def _is_name(self, name: str) -> bool:
        text = self._endpoint.row[name].type == "string" and not self._is_dated(name)
        return text and not self._choices(name) and not re.search(_COMPANY, name)

    def _maker_of(self, name: str, field: Field) -> _Make:
        if name == self.key:
            return (
                (lambda case: case.symbol)
                if self.by_symbol
                else (lambda case: f"{name}-{case.number}")
            )
        return self._maker(name, field)

    def _maker(self, name: str, field: Field) -> _Make:
        """Of the field's type, or of the type that the vendor's own example has."""
        shown = [kind for kind in field.shown if kind != "null"]
        kind = shown[0] if shown else field.type
        choices = field.choices or self._choices(name)
        if choices:
            return lambda case: case.dice.choice(choices)
        if field.fields is not None:
            parts = {inner: self._maker(inner, part) for inner, part in field.fields.items()}
            return lambda case: {inner: make(case) for inner, make in parts.items()}
        if kind == "array":
            item = self._maker(name.removesuffix("s"), field.items or Field("string"))
            return lambda case: [item(case) for _ in range(case.dice.randint(1, 3))]
        dated = name in self._endpoint.row and self._is_dated(name)
        if dated or field.format == "date" or field.text == "date":
            apart = 0 if name == self.day else 60
            return partial(_dated, apart, kind if dated else "date", _is_stamp(name, field))
        return _plain(name, field, kind)


def _is_stamp(name: str, field: Field) -> bool:
    plain = field.type == "string" and not field.format
    return field.format == "date-time" or (plain and name in _STAMPS)


def _dated(apart: int, kind: str, stamp: bool, case: _Case) -> Any:
    """The day of the row or one before it, as text, in nanoseconds, or as a stamp of whole
    seconds, as in the vendor's examples."""
    day = case.day - timedelta(days=case.dice.randint(0, apart)) if apart else case.day
    if kind != "integer" and not stamp:
        return day.isoformat()
    midnight = to_ns(datetime.combine(day, time(), tzinfo=UTC))
    return format_ns(midnight + case.dice.randrange(86_400) * _SECOND_NS) if stamp else midnight


def _plain(name: str, field: Field, kind: str) -> _Make:
    if kind == "object":
        return lambda case: {case.dice.choice(_WORDS[:7]): round(case.dice.uniform(0, 1), 4)}
    if kind == "boolean":
        return lambda case: case.dice.random() < 0.5
    if kind in ("integer", "number") and name == "fiscal_year":
        return lambda case: case.day.year
    if kind in ("integer", "number") and name == "fiscal_quarter":
        return lambda case: (case.day.month + 2) // 3
    if kind == "integer":
        return lambda case: case.number if name == "id" else case.dice.randrange(1_000_000)
    if kind == "number":
        decimals = 2 if field.format == "float" else 4
        return lambda case: round(case.dice.uniform(-5, 1000), decimals)
    if field.type in ("number", "integer"):
        return lambda case: f"{case.dice.randrange(1, 10)}.0"
    known = (make for pattern, make in _TEXTS if re.search(pattern, name))
    return next(known, _words)


def _words(case: _Case) -> str:
    return " ".join(case.dice.choices(_WORDS, k=case.dice.randint(1, 3)))


def _digits(count: int, case: _Case) -> str:
    return f"{case.dice.randrange(10**count):0{count}d}"


def _hex(count: int, case: _Case) -> str:
    return f"{case.dice.getrandbits(4 * count):0{count}x}"


_TEXTS: tuple[tuple[str, _Make], ...] = (
    (r"(^|_)ticker$", lambda case: case.symbol),
    # The same for all rows of a company.
    (_COMPANY, lambda case: _digits(10, case._replace(dice=Random(case.symbol)))),
    (r"^accession_number$", partial(_digits, 18)),
    (r"(^|_)id$", partial(_hex, 24)),
    (r"^product_code$", partial(_hex, 3)),
    (r"^(isin|cusip|sedol|us_code)$|figi", partial(_hex, 12)),
    (r"(^|_)url$", lambda case: f"https://example.com/{case.symbol}/{_hex(8, case)}"),
    (r"currency", lambda _: "USD"),
    (r"^time$", lambda case: f"{case.dice.randrange(24):02d}:{case.dice.randrange(60):02d}:00"),
)

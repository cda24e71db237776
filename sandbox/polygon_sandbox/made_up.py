"""Rows made up from a contract alone: right types, right choices, and the same for a seed.

Names decide only what a contract does not: that a CIK has ten digits, that a year is one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any

from polygon_sandbox.clock import UTC, to_ns
from polygon_sandbox.contract import Endpoint, Field
from polygon_sandbox.listings import Row
from polygon_sandbox.stamps import format_ns

_COMPANY = r"(^|_)cik$"
_WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "Zürich", "O'Hara")
# Optional fields that a row lacks.
_MISSING = 0.1


@dataclass(frozen=True, slots=True)
class Scheme:
    """What tells the rows of a dataset apart: a field for the day, one for the symbol or name."""

    day: str | None
    key: str | None

    @property
    def by_symbol(self) -> bool:
        """Whether the key is a ticker; else it is a name of the dataset's own."""
        return self.key is not None and self.key.endswith("ticker")


def scheme_of(endpoint: Endpoint) -> Scheme:
    """The day is what the list is sorted by, or what it can be filtered by; the key likewise."""
    asked = [p for p in endpoint.parameters.values() if p.field in endpoint.row]
    first = [column for column, _ in endpoint.paged.default] if endpoint.paged else []
    names = [*first, *(parameter.field for parameter in asked)]
    days = [name for name in names if name in endpoint.row and _is_dated(endpoint, name)]
    texts = [n for n in names if n in endpoint.row and n not in days and _is_key(endpoint, n)]
    texts.sort(key=lambda name: not name.endswith("ticker"))
    # Rows about several companies have no key: `tickers` says whose they are.
    named = bool(texts) and "tickers" not in endpoint.row
    return Scheme(days[0] if days else None, texts[0] if named else None)


def row(endpoint: Endpoint, seed: str, day: date, symbol: str, number: int) -> Row:
    """Row `number` of a day; `symbol` is the ticker of every field that names one."""
    scheme = scheme_of(endpoint)
    key = symbol if scheme.by_symbol else f"{scheme.key}-{number}"
    dice = Random(f"{seed}/{endpoint.path}/{day}/{number}")
    maker = _Maker(dice, endpoint, day, symbol, number)
    kept = {scheme.day, scheme.key, *(p.field for p in endpoint.parameters.values())}
    # Some lists send null for a value that is missing, the others leave it out (spec's examples).
    nulls = any("null" in field.shown for field in endpoint.row.values())
    made: Row = {}
    for name, field in endpoint.row.items():
        if field.required or name in kept or maker.dice.random() >= _MISSING:
            made[name] = key if name == scheme.key else maker.value(name, field)
        elif nulls:
            made[name] = None
    return made


def _is_dated(endpoint: Endpoint, name: str) -> bool:
    parameter = endpoint.parameters.get(name)
    field = endpoint.row[name]
    named = field.format in ("date", "date-time") or field.text == "date" or _is_stamp(name, field)
    return named or (parameter is not None and parameter.kind in ("date", "instant"))


def _is_key(endpoint: Endpoint, name: str) -> bool:
    parameter, field = endpoint.parameters.get(name), endpoint.row[name]
    chosen = field.choices or (parameter.choices if parameter else ())
    return field.type == "string" and not chosen and not re.search(_COMPANY, name)


def _is_stamp(name: str, field: Field) -> bool:
    stamps = ("last_updated", "published", "published_utc")
    plain = field.type == "string" and not field.format
    return field.format == "date-time" or (plain and name in stamps)


class _Maker:
    """Values of one row."""

    def __init__(
        self, dice: Random, endpoint: Endpoint, day: date, symbol: str, number: int
    ) -> None:
        self.dice = dice
        self._number_of_row = number
        self._endpoint = endpoint
        self._day = day
        self._symbol = symbol
        self._scheme = scheme_of(endpoint)

    def value(self, name: str, field: Field) -> Any:
        """A value of the field's type, or of the type that the vendor's own example has."""
        shown = [kind for kind in field.shown if kind != "null"]
        kind = shown[0] if shown else field.type
        parameter = self._endpoint.parameters.get(name)
        choices = field.choices or (parameter.choices if parameter else ())
        if choices:
            return self.dice.choice(choices)
        if field.fields is not None:
            return {inner: self.value(inner, part) for inner, part in field.fields.items()}
        if kind == "array":
            item = field.items or Field("string")
            singular = name.removesuffix("s")
            return [self.value(singular, item) for _ in range(self.dice.randint(1, 3))]
        return self._plain(name, field, kind)

    def _plain(self, name: str, field: Field, kind: str) -> Any:
        if kind == "object":
            return {self.dice.choice(_WORDS[:7]): self._number(4)}
        if kind == "boolean":
            return self.dice.random() < 0.5
        day = self._day_of(name)
        if name in self._endpoint.row and _is_dated(self._endpoint, name):
            midnight = datetime.combine(day, time(), tzinfo=UTC)
            if kind == "integer":
                return to_ns(midnight)
            instant = to_ns(midnight) + self.dice.randrange(86_400 * 10**9)
            return format_ns(instant) if _is_stamp(name, field) else day.isoformat()
        if field.format == "date" or field.text == "date":
            return day.isoformat()
        if kind in ("integer", "number") and name.startswith("fiscal_"):
            return day.year if name == "fiscal_year" else (day.month + 2) // 3
        if kind == "integer":
            return self._number_of_row if name == "id" else self.dice.randrange(1_000_000)
        if kind == "number":
            return self._number(4 if field.format != "float" else 2)
        return self._number_as_text() if field.type in ("number", "integer") else self._text(name)

    def _day_of(self, name: str) -> date:
        """Other dates of a row lie before its own."""
        apart = 0 if name == self._scheme.day else self.dice.randint(-60, 0)
        return self._day + timedelta(days=apart)

    def _number(self, decimals: int) -> float:
        return round(self.dice.uniform(-5, 1000), decimals)

    def _number_as_text(self) -> str:
        return f"{self.dice.randrange(1, 10)}.0"

    def _text(self, name: str) -> str:
        for pattern, make in _TEXTS:
            if re.search(pattern, name):
                return make(self.dice, self._symbol)
        return " ".join(self.dice.choice(_WORDS) for _ in range(self.dice.randint(1, 3)))


def _digits(count: int) -> Callable[[Random, str], str]:
    return lambda dice, _: "".join(dice.choice("0123456789") for _ in range(count))


def _hex(count: int) -> Callable[[Random, str], str]:
    return lambda dice, _: f"{dice.getrandbits(4 * count):0{count}x}"


def _url(dice: Random, symbol: str) -> str:
    return f"https://example.com/{symbol}/{dice.getrandbits(32):08x}"


_TEXTS: tuple[tuple[str, Callable[[Random, str], str]], ...] = (
    (r"(^|_)ticker$", lambda _, symbol: symbol),
    (_COMPANY, lambda _, symbol: _digits(10)(Random(symbol), symbol)),
    (r"^accession_number$", _digits(18)),
    (r"(^|_)id$", _hex(24)),
    (r"^(isin|cusip|sedol|us_code)$|figi", _hex(12)),
    (r"(^|_)url$", _url),
    (r"currency", lambda _, __: "USD"),
    (r"^time$", lambda dice, _: f"{dice.randrange(24):02d}:{dice.randrange(60):02d}:00"),
)

"""Requests held against the contract: what they ask for, and what counts as a bad request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from polygon_sandbox.contract.facts import Columns, Endpoint, Order, Paged, Parameter
from polygon_sandbox.stamps import parse_ns

KEY_PARAMETER = "apiKey"
_FLAGS = {"true": True, "false": False}
_PAGING = ("sort", "order", "limit", "cursor")
_LISTS = ("any_of", "all_of")


class BadRequest(Exception):
    """A request that the API answers with 400; the text goes into the body's `error`."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on one field of a row, met by an array if one of its elements meets it.

    `operator` is eq or a suffix of the contract; `value` is a tuple for any_of and all_of. `unit`
    is set where the value is an instant, in nanoseconds since 1970 UTC: that of a row is then
    counted in so many nanoseconds.
    """

    name: str
    operator: str
    value: Any
    unit: int = 0

    def accepts(self, row: Mapping[str, Any]) -> bool:
        """Whether the row has the field and its value satisfies the condition."""
        found = _of_row(row, self.name)
        if found is None:
            return False
        if not isinstance(found, (list, dict)):
            return self._accepts(found)
        if self.operator == "all_of":
            return set(self.value) <= set(found)
        return any(self._accepts(value) for value in found)

    def _accepts(self, value: Any) -> bool:
        if self.unit:
            value = _nanoseconds(value, self.unit)
        elif isinstance(self.value, (int, float)) and isinstance(value, str):
            value = float(value)  # a few numbers come as text, see `shown` in the contract
        if self.operator == "eq":
            return bool(value == self.value)
        if self.operator in _LISTS:
            return value in self.value
        if self.operator == "search":
            return str(self.value).lower() in str(value).lower()
        if self.operator == "gt":
            return bool(value > self.value)
        if self.operator == "gte":
            return bool(value >= self.value)
        if self.operator == "lt":
            return bool(value < self.value)
        return bool(value <= self.value)


def _of_row(row: Mapping[str, Any], name: str) -> Any:
    """A field, or the largest or smallest of an array: max_ticker is that of `tickers`."""
    if name in row or name[:4] not in ("max_", "min_"):
        return row.get(name)
    values = row.get(name[4:] + "s")
    return (max if name[:4] == "max_" else min)(values) if values else None


def _nanoseconds(value: str | int, unit: int) -> int:
    """An instant since 1970 UTC; a date is its first."""
    if isinstance(value, int):
        return value * unit
    return parse_ns(value if "T" in value else f"{value}T00:00:00Z")


@dataclass(frozen=True, slots=True)
class Query:
    """A valid request: conditions, order and page size, plus the text it was made from."""

    filters: tuple[Filter, ...]
    order_by: Columns
    limit: int
    text: Mapping[str, str]

    @property
    def sort(self) -> str:
        """The first column of the order, "" if there is none."""
        return self.order_by[0][0] if self.order_by else ""

    @property
    def order(self) -> Order:
        """The direction of the first column."""
        return self.order_by[0][1] if self.order_by else "asc"

    def value(self, name: str, default: Any) -> Any:
        """What a parameter was set to, for those that are not conditions on a field."""
        found = [f.value for f in self.filters if f.name == name and f.operator == "eq"]
        return found[0] if found else default

    def conditions(self, *but: str) -> tuple[Filter, ...]:
        """The conditions on fields, without the named parameters."""
        return tuple(f for f in self.filters if f.name not in but)


def parse(endpoint: Endpoint, pairs: Sequence[tuple[str, str]], strict: bool = True) -> Query:
    """Check a query string against the contract.

    Strict mode refuses unknown and repeated parameters, so that a typo is noticed. What the
    vendor does with them is unverified, and so is the wording of every refusal here.
    """
    text = {name: value for name, value in pairs if name != KEY_PARAMETER}
    if strict and len(text) != len([name for name, _ in pairs if name != KEY_PARAMETER]):
        raise BadRequest("a query parameter is given twice")
    filters = []
    for name, value in text.items():
        condition = _condition(endpoint, name, value)
        if condition:
            filters.append(condition)
        elif strict and not (endpoint.paged and name in _PAGING):
            raise BadRequest(f"unknown query parameter {name!r} for {endpoint.path}")
    paged = endpoint.paged or Paged("fixed", (), (), 1, 1)
    limit = _limit(text.get("limit", ""), paged)
    return Query(tuple(filters), _order(text, paged), limit, text)


def parse_day(text: str) -> date:
    """A date written YYYY-MM-DD and nothing else."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    # Python 3.11 also reads 20261120 and 2026-W47-5.
    if day is None or day.isoformat() != text:
        raise BadRequest("Could not parse the time parameter: 'date'. Use YYYY-MM-DD")
    return day


def _condition(endpoint: Endpoint, name: str, value: str) -> Filter | None:
    base, _, suffix = name.partition(".")
    parameter = endpoint.parameters.get(base)
    if parameter is None or (suffix and suffix not in parameter.operators) or name == base + ".":
        return None
    unit = parameter.unit if parameter.kind == "instant" else 0
    if suffix in _LISTS:
        values = tuple(_value(name, parameter, part) for part in value.split(","))
        return Filter(parameter.field, suffix, values, unit)
    return Filter(parameter.field, suffix or "eq", _value(name, parameter, value), unit)


def _value(name: str, parameter: Parameter, value: str) -> Any:
    if not value or (parameter.choices and value not in parameter.choices):
        allowed = f"; use one of {', '.join(parameter.choices)}" if parameter.choices else ""
        raise BadRequest(f"{value!r} is not a valid {name}{allowed}")
    if parameter.kind == "date":
        return parse_day(value).isoformat()
    if parameter.kind == "flag":
        if value not in _FLAGS:
            raise BadRequest(f"{value!r} is not a valid {name}; use true or false")
        return _FLAGS[value]
    if parameter.kind == "text":
        return value
    try:
        if parameter.kind == "instant":
            return _nanoseconds(int(value) if value.isdecimal() else value, parameter.unit)
        return int(value) if parameter.kind == "integer" else float(value)
    except ValueError as error:
        wanted = "an instant" if parameter.kind == "instant" else "a number"
        raise BadRequest(f"{value!r} is not a valid {name}; use {wanted}") from error


def _order(text: Mapping[str, str], paged: Paged) -> Columns:
    sort, order = text.get("sort", ""), text.get("order", "")
    if paged.sorted_by == "columns":
        columns = [_column(part) for part in sort.split(",")] if sort else list(paged.default)
        names = [name for name, _ in columns]
        known = not order and len(set(names)) == len(names)
        known = known and set(names) <= {*paged.columns, *(name for name, _ in paged.default)}
    elif paged.sorted_by == "fixed":
        columns, known = [], not sort and not order
    elif paged.sorted_by == "order":
        columns = [("", "desc" if (sort or paged.default[0][1]) == "desc" else "asc")]
        known = sort in ("", "asc", "desc") and not order
    else:
        column, direction = paged.default[0]
        columns = [(sort or column, "desc" if (order or direction) == "desc" else "asc")]
        known = columns[0][0] in paged.columns and order in ("", "asc", "desc")
    if not known:
        raise BadRequest(f"cannot sort by {sort!r} in the order {order!r}")
    return tuple(columns)


def _column(part: str) -> tuple[str, Order]:
    name, _, direction = part.rpartition(".")
    if direction not in ("asc", "desc"):
        raise BadRequest(f"cannot sort by {part!r}: end it with .asc or .desc")
    return name, "desc" if direction == "desc" else "asc"


def _limit(text: str, paged: Paged) -> int:
    if not text:
        return paged.default_limit
    if not text.isdecimal() or not 1 <= int(text) <= paged.max_limit:
        raise BadRequest(f"limit must be between 1 and {paged.max_limit}, not {text!r}")
    return int(text)

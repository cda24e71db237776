"""The contract as values: every path of the vendor with its parameters, paging and rows.

What the data files hold and what their words mean is said in `extract`; `observed` says where the
sandbox knows better than the vendor's file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson

from polygon_sandbox.contract.observed import OBSERVED

Kind = Literal["text", "date", "instant", "flag", "integer", "number"]
Order = Literal["asc", "desc"]
Columns = tuple[tuple[str, Order], ...]

_DATA = Path(__file__).parent / "data"
_NUMBERS: dict[str, Kind] = {"boolean": "flag", "integer": "integer", "number": "number"}
# Nanoseconds in the unit that an instant is counted in.
_UNITS = {"ns": 1, "ms": 1_000_000, "s": 1_000_000_000}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One query parameter: its type, its allowed values, the suffixes it has beside equality.

    `field` is the field of a row it is a condition on. `unit` is that of an instant given as a
    whole number, in nanoseconds.
    """

    kind: Kind
    field: str
    choices: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    unit: int = 1


@dataclass(frozen=True, slots=True)
class Paged:
    """Sorting and page size of a list endpoint.

    `sorted_by` says how a request writes its order: "sort=column&order=asc" (column), "sort=asc"
    (order alone), "sort=column.asc,other.desc" (columns), or not at all (fixed).
    """

    sorted_by: Literal["column", "order", "columns", "fixed"]
    columns: tuple[str, ...]
    default: Columns
    default_limit: int
    max_limit: int


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a row. `shown` are JSON types that it may have as well: those of the vendor's
    own example, null where the file allows it."""

    type: str
    format: str = ""
    text: str = ""
    choices: tuple[Any, ...] = ()
    required: bool = False
    shown: tuple[str, ...] = ()
    items: "Field | None" = None
    fields: "Mapping[str, Field] | None" = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path of the vendor. `rows_at` names the key of the rows, "" for an answer of rows alone;
    `shape` is list, object (one row under that key) or document (the answer is the row);
    `envelope` names the fields around the rows."""

    path: str
    parameters: Mapping[str, Parameter]
    paged: Paged | None
    shape: str
    rows_at: str
    envelope: frozenset[str]
    row: Mapping[str, Field]
    deprecated: bool


class Expected(NamedTuple):
    """What a field of an answer may be: JSON types (null where the vendor's example has one), the
    format or "", and whether each row must have it."""

    types: frozenset[str]
    format: str
    required: bool


def endpoint(path: str) -> Endpoint:
    """The contract of a path as the vendor writes it, such as /v3/reference/tickers."""
    return contract()[path]


def fields(path: str) -> dict[str, Expected]:
    """The fields of a path's rows: what the schema of a stream is held against."""
    return {
        name: Expected(frozenset((field.type, *field.shown)), field.format, field.required)
        for name, field in endpoint(path).row.items()
    }


@cache
def contract() -> Mapping[str, Endpoint]:
    """Every path of the vendor's file, with what was observed since."""
    stated: dict[str, Any] = {}
    for file in sorted(_DATA.glob("*.json")):
        stated |= orjson.loads(file.read_bytes())
    for path, observed in OBSERVED.items():
        if path not in stated:
            raise KeyError(f"observed.py speaks of {path}, which the vendor's file does not have")
        _amend(stated[path], observed)
    return {path: _endpoint(path, facts) for path, facts in stated.items()}


def _amend(facts: dict[str, Any], observed: Mapping[str, Any]) -> None:
    for name, value in observed.items():
        if isinstance(value, Mapping):
            _amend(facts.setdefault(name, {}), value)
        else:
            facts[name] = value


def _endpoint(path: str, facts: Mapping[str, Any]) -> Endpoint:
    row = {name: _field(field) for name, field in facts["row"].items()}
    asked = {n: p for n, p in facts["parameters"].items() if p.get("in") != "path"}
    paged = _paged(asked, row)
    if paged:
        asked = {n: p for n, p in asked.items() if n not in ("limit", "sort", "order")}
    return Endpoint(
        path=path,
        parameters={name: _parameter(name, parameter) for name, parameter in asked.items()},
        paged=paged,
        shape=facts["shape"],
        rows_at=facts.get("rows_at", ""),
        envelope=frozenset(facts.get("envelope", ())),
        row=row,
        deprecated=facts.get("deprecated", False),
    )


def _field(facts: Mapping[str, Any]) -> Field:
    nulls = ("null",) if facts.get("nullable") else ()
    return Field(
        type=facts["type"],
        format=facts.get("format", ""),
        text=facts.get("text", ""),
        choices=tuple(facts.get("enum", ())),
        required=facts.get("required", False),
        shown=tuple(dict.fromkeys((*facts.get("shown", ()), *nulls))),
        items=_field(facts["items"]) if "items" in facts else None,
        fields={n: _field(f) for n, f in facts["fields"].items()} if "fields" in facts else None,
    )


def _parameter(name: str, facts: Mapping[str, Any]) -> Parameter:
    text = facts.get("text", facts.get("format", ""))
    kind: Kind = _NUMBERS.get(facts["type"], "text")
    if kind == "text" and text == "date":
        kind = "date"
    elif kind == "text" and text in _UNITS:
        kind = "instant"
    return Parameter(
        kind=kind,
        field=facts.get("field", name),
        choices=tuple(map(str, facts.get("enum", ()))),
        operators=tuple(facts.get("operators", ())),
        unit=_UNITS.get(text, 1),
    )


def _paged(asked: Mapping[str, Any], row: Mapping[str, Field]) -> Paged | None:
    """Three generations of lists: see `Paged.sorted_by`."""
    limit, sort, order = asked.get("limit"), asked.get("sort"), asked.get("order", {})
    if limit is None:
        return None
    # The newer lists count the maximum in: 5001 in the file means 5,000, as its prose says.
    limits = limit.get("default", 10), limit.get("stated_max", limit.get("max", 50_000))
    if sort is None:
        return Paged("fixed", (), (), *limits)
    choices = tuple(sort.get("enum", ()))
    if choices == ("asc", "desc"):
        return Paged("order", (), (("", sort.get("default", "asc")),), *limits)
    if "order" in asked:
        default = ((sort["default"], order.get("default", "asc")),)
        return Paged("column", choices, default, *limits)
    column, _, direction = sort["default"].rpartition(".")
    # Unverified: any plain field can be sorted by; the file names only the default.
    plain = tuple(name for name, field in row.items() if field.type not in ("array", "object"))
    return Paged("columns", plain, ((column, "desc" if direction == "desc" else "asc"),), *limits)

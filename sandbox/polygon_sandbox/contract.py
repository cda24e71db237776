"""The endpoints, their parameters and limits (vendor spec), and what counts as a bad request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

Kind = Literal["text", "date", "flag", "integer", "number"]
Operator = Literal["eq", "gt", "gte", "lt", "lte"]
Order = Literal["asc", "desc"]

KEY_PARAMETER = "apiKey"
_RANGE: tuple[Operator, ...] = ("gt", "gte", "lt", "lte")
_FLAGS = {"true": True, "false": False}


class BadRequest(Exception):
    """A request that the API answers with 400; the text goes into the body's `error`."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One query parameter: its type, its allowed values, and whether .gt .gte .lt .lte exist."""

    kind: Kind = "text"
    choices: tuple[str, ...] = ()
    ranged: bool = False


@dataclass(frozen=True, slots=True)
class Paged:
    """Sorting and page size of a list endpoint."""

    sorts: tuple[str, ...]
    default_limit: int
    default_order: Order
    max_limit: int = 1000


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route: its path pattern and the parameters it knows."""

    name: str
    path: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    paged: Paged | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on one field of a row."""

    name: str
    operator: Operator
    value: Any

    def accepts(self, row: Mapping[str, Any]) -> bool:
        """Whether the row has the field and its value satisfies the condition."""
        value = row.get(self.name)
        if value is None:
            return False
        if self.operator == "eq":
            return bool(value == self.value)
        if self.operator == "gt":
            return bool(value > self.value)
        if self.operator == "gte":
            return bool(value >= self.value)
        if self.operator == "lt":
            return bool(value < self.value)
        return bool(value <= self.value)


@dataclass(frozen=True, slots=True)
class Query:
    """A valid request: conditions, order and page size, plus the text it was made from."""

    filters: tuple[Filter, ...]
    sort: str
    order: Order
    limit: int
    text: Mapping[str, str]

    def value(self, name: str, default: Any) -> Any:
        """What a parameter was set to, for those that are not conditions on a field."""
        found = [f.value for f in self.filters if f.name == name and f.operator == "eq"]
        return found[0] if found else default

    def conditions(self, *but: str) -> tuple[Filter, ...]:
        """The conditions on fields, without the named parameters."""
        return tuple(f for f in self.filters if f.name not in but)


_TEXT = Parameter()
_DAY = Parameter("date")
_FLAG = Parameter("flag")
_RANGED_TEXT = Parameter(ranged=True)
_RANGED_DAY = Parameter("date", ranged=True)
_LOCALE = Parameter(choices=("us", "global"))
_ASSET_CLASSES = ("stocks", "options", "crypto", "fx")
_GROUPED = "/v2/aggs/grouped/locale/{locale}/market/{market}/{{date}}"
# fmt: off
TICKER_TYPES = (
    "CS", "ADRC", "ADRP", "ADRR", "UNIT", "RIGHT", "PFD", "FUND", "SP", "WARRANT", "INDEX", "ETF",
    "ETN", "OS", "GDR", "OTHER", "NYRS", "AGEN", "EQLK", "BOND", "ADRW", "BASKET", "LT",
)
TICKER_SORTS = (
    "ticker", "name", "market", "locale", "primary_exchange", "type", "currency_symbol",
    "currency_name", "base_currency_symbol", "base_currency_name", "cik", "composite_figi",
    "share_class_figi", "last_updated_utc", "delisted_utc",
)
# fmt: on

TICKERS = Endpoint(
    "tickers",
    "/v3/reference/tickers",
    {
        "ticker": _RANGED_TEXT,
        "type": Parameter(choices=TICKER_TYPES),
        "market": Parameter(choices=("stocks", "crypto", "fx", "otc", "indices")),
        "exchange": _TEXT,
        "cusip": _TEXT,
        "cik": _TEXT,
        "date": _DAY,
        "search": _TEXT,
        "active": _FLAG,
    },
    Paged(TICKER_SORTS, default_limit=100, default_order="asc"),
)
RANGE = Endpoint(
    "range",
    "/v2/aggs/ticker/{ticker}/range/{multiplier}/{timespan}/{from}/{to}",
    {"adjusted": _FLAG},
    Paged(("asc", "desc"), default_limit=5000, default_order="asc", max_limit=50_000),
)
# Unverified: newest first by default; the spec's example of splits descends.
SPLITS = Endpoint(
    "splits",
    "/v3/reference/splits",
    {"ticker": _RANGED_TEXT, "execution_date": _RANGED_DAY, "reverse_split": _FLAG},
    Paged(("execution_date", "ticker"), default_limit=10, default_order="desc"),
)
DIVIDENDS = Endpoint(
    "dividends",
    "/v3/reference/dividends",
    {
        "ticker": _RANGED_TEXT,
        "ex_dividend_date": _RANGED_DAY,
        "record_date": _RANGED_DAY,
        "declaration_date": _RANGED_DAY,
        "pay_date": _RANGED_DAY,
        "frequency": Parameter("integer", choices=("0", "1", "2", "4", "12")),
        "cash_amount": Parameter("number", ranged=True),
        "dividend_type": Parameter(choices=("CD", "SC", "LT", "ST")),
    },
    Paged(
        (
            "ex_dividend_date",
            "pay_date",
            "declaration_date",
            "record_date",
            "cash_amount",
            "ticker",
        ),
        default_limit=10,
        default_order="desc",
    ),
)
ENDPOINTS = (
    Endpoint(
        "grouped/stocks",
        _GROUPED.format(locale="us", market="stocks"),
        {"adjusted": _FLAG, "include_otc": _FLAG},
    ),
    Endpoint(
        "grouped/crypto", _GROUPED.format(locale="global", market="crypto"), {"adjusted": _FLAG}
    ),
    Endpoint("grouped/fx", _GROUPED.format(locale="global", market="fx"), {"adjusted": _FLAG}),
    RANGE,
    TICKERS,
    Endpoint(
        "types",
        "/v3/reference/tickers/types",
        {"asset_class": Parameter(choices=(*_ASSET_CLASSES, "indices")), "locale": _LOCALE},
    ),
    Endpoint(
        "exchanges",
        "/v3/reference/exchanges",
        {"asset_class": Parameter(choices=_ASSET_CLASSES), "locale": _LOCALE},
    ),
    SPLITS,
    DIVIDENDS,
    Endpoint("upcoming", "/v1/marketstatus/upcoming"),
    Endpoint("now", "/v1/marketstatus/now"),
)


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
        elif strict and not (endpoint.paged and name in ("sort", "order", "limit", "cursor")):
            raise BadRequest(f"unknown query parameter {name!r} for {endpoint.path}")
    paged = endpoint.paged or Paged(("",), 1, "asc")
    sort = text.get("sort", "") or paged.sorts[0]
    order = text.get("order", paged.default_order)
    if sort not in paged.sorts or order not in ("asc", "desc"):
        raise BadRequest(f"cannot sort by {sort!r} in the order {order!r}")
    limit = _limit(text.get("limit", ""), paged)
    return Query(tuple(filters), sort, "asc" if order == "asc" else "desc", limit, text)


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
    if parameter is None:
        return None
    if not suffix and name == base:
        return Filter(base, "eq", _value(name, parameter, value))
    for operator in _RANGE:
        if parameter.ranged and suffix == operator:
            return Filter(base, operator, _value(name, parameter, value))
    return None


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
        return int(value) if parameter.kind == "integer" else float(value)
    except ValueError as error:
        raise BadRequest(f"{value!r} is not a valid {name}; use a number") from error


def _limit(text: str, paged: Paged) -> int:
    if not text:
        return paged.default_limit
    if not text.isdecimal() or not 1 <= int(text) <= paged.max_limit:
        raise BadRequest(f"limit must be between 1 and {paged.max_limit}, not {text!r}")
    return int(text)

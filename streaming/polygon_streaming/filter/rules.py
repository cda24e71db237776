"""The rules of the filter: which bars pass, and which of their fields; which trades and quotes.

# rules.yaml; every rule may be left out
markets: [stocks]            # default: all
channels: [A, AM]            # default: all aggregates
include: ["*"]               # symbols or patterns with * and ?, case-sensitive
exclude: ["ZVZZT", "*.WS"]   # wins over include
drop_otc: true               # bars marked otc
regular_hours_only: true     # stocks: bars that start in the exchange's session
min_price: 1.0               # closing price
max_price: 100000
min_volume: 100
min_notional: 10000          # volume x vwap (or close)
sample: 1.0                  # share of the symbols that pass, always the same ones
fields: [open, close]        # besides event_type, market, symbol and window_start; default: all
trades: {}                   # rules of their own, see `tick_rules`; default: all trades
quotes: {}                   # likewise

The rules outside the two sections are about bars alone.
"""

import time
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import structlog
from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from polygon_streaming.channels import AGGREGATE_SECONDS, MARKETS
from polygon_streaming.errors import ConfigError, did_you_mean
from polygon_streaming.filter.records import KEY_FIELDS, Record
from polygon_streaming.filter.symbols import Symbols
from polygon_streaming.filter.tick_rules import (
    Limit,
    Share,
    TickJudge,
    TickRules,
    in_session_at,
    known,
    require_order,
)
from polygon_streaming.process import metrics
from polygon_streaming.settings import strict_yaml

log = structlog.get_logger()

_OPTIONAL_FIELDS = tuple(name for name in Record.__struct_fields__ if name not in KEY_FIELDS)

_KNOWN: Final = {
    "markets": MARKETS,
    "channels": tuple(AGGREGATE_SECONDS),
    "fields": _OPTIONAL_FIELDS,
}

_READ_AS: Final[dict[type, str]] = {
    bool: "true or false",
    type(None): "nothing",
    int: "a number",
    float: "a number",
    date: "a date",
    datetime: "a time",
}


class Rules(BaseModel):
    """What the file says; the module's docstring explains each rule."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    markets: frozenset[str] | None = None
    channels: frozenset[str] | None = None
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    drop_otc: bool = False
    regular_hours_only: bool = False
    min_price: Limit = None
    max_price: Limit = None
    min_volume: Limit = None
    min_notional: Limit = None
    sample: Share = 1.0
    fields: tuple[str, ...] | None = None
    trades: TickRules = TickRules()
    quotes: TickRules = TickRules()

    @field_validator("markets", "channels", "fields")
    @classmethod
    def _known(cls, names: Any, field: ValidationInfo) -> Any:
        return known(names, _KNOWN[str(field.field_name)])

    @model_validator(mode="after")
    def _orderly(self) -> "Rules":
        require_order(self.min_price, self.max_price)
        return self


def parse(text: str) -> Rules:
    """Return the rules in a YAML text.

    Raises:
        ConfigError: it is not a YAML mapping, or is empty, or a rule is unknown or wrong.
    """
    try:
        content = strict_yaml.read(text)
    except strict_yaml.NotAMapping as error:
        raise ConfigError(f"The rules are not YAML of rules: {error}.") from None
    if content is None:
        # A file that is being written, or was cut, is empty too: it must not open the filter.
        raise ConfigError("The rules are empty. To let every bar pass write {}, or name no file.")
    try:
        return Rules.model_validate(content)
    except ValidationError as error:
        sentences = " ".join(_sentence(problem, text) for problem in error.errors())
        raise ConfigError(f"The rules are refused. {sentences}") from None


class Judge:
    """Applies one version of the rules: to bars itself, to the others by `trades` and `quotes`."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._symbols = Symbols(rules.include, rules.exclude, rules.sample)
        self.trades = TickJudge(rules.trades)
        self.quotes = TickJudge(rules.quotes)
        self.fields = None if rules.fields is None else (*KEY_FIELDS, *rules.fields)
        # Most files name few rules: only those are asked for each bar.
        self._tests = [test for needed, test in self._possible() if needed]

    def passes(self, record: Record) -> bool:
        """Tell whether a bar passes all rules."""
        if not self._symbols[record.symbol]:
            return False
        for test in self._tests:  # noqa: SIM110 - `all` would make a generator for each
            if not test(record):
                return False
        return True

    def _possible(self) -> list[tuple[bool, Any]]:
        rules = self._rules
        low = rules.min_price if rules.min_price is not None else float("-inf")
        high = rules.max_price if rules.max_price is not None else float("inf")
        volume, notional = rules.min_volume or 0.0, rules.min_notional or 0.0
        markets, channels = rules.markets or frozenset(), rules.channels or frozenset()
        priced = rules.min_price is not None or rules.max_price is not None
        return [
            (rules.markets is not None, lambda bar: bar.market in markets),
            (rules.channels is not None, lambda bar: bar.event_type in channels),
            (rules.drop_otc, lambda bar: not bar.otc),
            (priced, lambda bar: low <= bar.close <= high),
            (volume > 0, lambda bar: bar.volume >= volume),
            (notional > 0, lambda bar: bar.volume * (bar.vwap or bar.close) >= notional),
            (
                rules.regular_hours_only,
                lambda bar: bar.market != "stocks" or in_session_at(bar.window_start),
            ),
        ]


class RulesFile:
    """The live rules: the last good version of a file, looked at every so often."""

    def __init__(self, path: Path | None, interval_seconds: float) -> None:
        """Read the rules; without a path every bar passes.

        Raises:
            ConfigError: the file cannot be read or is refused.
        """
        self._path = path
        self._interval = interval_seconds
        self._due = time.monotonic() + interval_seconds
        self._text = self._read()
        self.judge = Judge(parse(self._text) if path else Rules())
        metrics.rules_successful.set(1)

    def refresh(self) -> None:
        """Take over a changed file if it is good; keep the last good rules otherwise."""
        if self._path is None or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + self._interval
        try:
            text = self._read()
            if text != self._text:
                self.judge = Judge(parse(text))
                self._text = text
                log.info("rules changed", path=str(self._path))
            metrics.rules_successful.set(1)
        except ConfigError as error:
            metrics.rules_successful.set(0)
            log.error("rules kept", reason=str(error))

    def _read(self) -> str:
        if self._path is None:
            return ""
        try:
            return self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"rules: {self._path} cannot be read: {error}.") from None


def _sentence(problem: Any, text: str) -> str:
    place = problem["loc"]
    name = ".".join(str(part) for part in place) or "rules"
    if problem["type"] == "extra_forbidden":
        fields = Rules.model_fields if len(place) == 1 else TickRules.model_fields
        return f"{name} is not a rule.{did_you_mean(str(place[-1]), fields)}"
    word = strict_yaml.written(text, place)
    if problem["type"] == "model_type":
        return f"{name}: give rules of its own, or {{}} to let all pass."
    if problem["type"] in ("tuple_type", "frozen_set_type"):
        return f"{name}: give a list, such as [{word or 'AAPL'}]."
    if problem["type"] == "string_type":
        if word is not None:
            read_as = _READ_AS.get(type(problem["input"]), "another kind of value")
            return f"{name}: YAML reads {word} as {read_as}. Write it in quotes: '{word}'."
        return f"{name}: give a text."
    return f"{name}: {problem['msg'].removeprefix('Value error, ')}."

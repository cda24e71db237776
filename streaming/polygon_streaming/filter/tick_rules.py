"""The rules for trades and for quotes: sections of the rules file.

trades:                      # every rule may be left out
  markets: [stocks]
  include: ["*"]             # symbols or patterns, as for bars; [] lets no trade pass
  exclude: ["ZVZZT"]
  conditions: [0, 14, 41]    # only trades with one of these conditions
  exclude_conditions: [15, 16]
  regular_hours_only: true   # stocks: trades within the exchange's session
  min_price: 1.0
  max_price: 100000
  min_size: 1
  min_notional: 1000         # price x size
  sample: 1.0                # share of the symbols that pass, the same ones as of bars
quotes: {}                   # the same rules; limits hold for each side that has a price or size
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from polygon_streaming.channels import MARKETS
from polygon_streaming.filter.quotes import QuoteRecord
from polygon_streaming.filter.symbols import Symbols
from polygon_streaming.filter.trades import TradeRecord
from polygon_streaming.stamps import from_text
from polygon_streaming.trading import in_session

Tick = TradeRecord | QuoteRecord
# Price and size of a trade, or of a side of a quote; None is not known.
_Side = tuple[float | None, str | None]


def _number(value: Any) -> Any:
    """Refuse `yes`, which would pass for 1."""
    if isinstance(value, bool):
        raise ValueError("it is not a number")
    return value


Limit = Annotated[float | None, BeforeValidator(_number), Field(ge=0)]
Share = Annotated[float, BeforeValidator(_number), Field(gt=0, le=1)]
Conditions = frozenset[Annotated[int, BeforeValidator(_number), Field(ge=0)]] | None


def known(names: Any, all_names: tuple[str, ...]) -> Any:
    """Return the names of a rule.

    Raises:
        ValueError: one of them is unknown.
    """
    unknown = sorted(set(names or ()) - set(all_names))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is unknown; give some of {', '.join(all_names)}")
    return names


def in_session_at(stamp: str) -> bool:
    """Tell whether the stock exchange is in its regular session at a record's instant, as text."""
    return _in_session(stamp[:19])


# Those of a second ask but once.
@lru_cache(maxsize=4096)
def _in_session(second: str) -> bool:
    return in_session(from_text(f"{second}.000"))


def require_order(low: float | None, high: float | None) -> None:
    """Refuse limits of the price between which nothing lies; None stands for no limit.

    Raises:
        ValueError: the lower one is above the other.
    """
    if low is not None and high is not None and low > high:
        raise ValueError("min_price is above max_price, so nothing would pass")


class TickRules(BaseModel):
    """What a section says; the module's docstring explains each rule."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    markets: frozenset[str] | None = None
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    conditions: Conditions = None
    exclude_conditions: Conditions = None
    regular_hours_only: bool = False
    min_price: Limit = None
    max_price: Limit = None
    min_size: Limit = None
    min_notional: Limit = None
    sample: Share = 1.0

    @field_validator("markets")
    @classmethod
    def _known(cls, names: Any) -> Any:
        return known(names, MARKETS)

    @model_validator(mode="after")
    def _orderly(self) -> "TickRules":
        require_order(self.min_price, self.max_price)
        return self


class TickJudge:
    """Applies one version of the rules of trades, or of quotes."""

    def __init__(self, rules: TickRules) -> None:
        self._rules = rules
        self._symbols = Symbols(rules.include, rules.exclude, rules.sample)
        # Most files name few rules: only those are asked for each event.
        self._tests = [test for needed, test in self._possible() if needed]

    def passes(self, record: Tick) -> bool:
        """Tell whether an event passes all rules."""
        if not self._symbols[record.symbol]:
            return False
        for test in self._tests:  # noqa: SIM110 - `all` would make a generator for each
            if not test(record):
                return False
        return True

    def _possible(self) -> list[tuple[bool, Callable[[Tick], bool]]]:
        rules = self._rules
        markets = rules.markets or frozenset()
        wanted, unwanted = rules.conditions, rules.exclude_conditions or frozenset()
        limits = (rules.min_price, rules.max_price, rules.min_size, rules.min_notional)
        return [
            (rules.markets is not None, lambda tick: tick.market in markets),
            (
                wanted is not None,
                lambda tick: not (wanted or frozenset()).isdisjoint(tick.conditions),
            ),
            (bool(unwanted), lambda tick: unwanted.isdisjoint(tick.conditions)),
            (limits != _NO_LIMITS, lambda tick: all(map(self._within, _sides(tick)))),
            (
                rules.regular_hours_only,
                lambda tick: tick.market != "stocks" or in_session_at(tick.timestamp),
            ),
        ]

    def _within(self, side: _Side) -> bool:
        rules = self._rules
        price, size = side[0], None if side[1] is None else float(side[1])
        if price is not None:
            if rules.min_price is not None and price < rules.min_price:
                return False
            if rules.max_price is not None and price > rules.max_price:
                return False
        if size is not None and rules.min_size is not None and size < rules.min_size:
            return False
        if price is None or size is None or rules.min_notional is None:
            return True
        return price * size >= rules.min_notional


_NO_LIMITS: Final = (None, None, None, None)


def _sides(tick: Tick) -> list[_Side]:
    if isinstance(tick, TradeRecord):
        return [(tick.price, tick.size)]
    return [(tick.bid_price, tick.bid_size), (tick.ask_price, tick.ask_size)]

"""What the demo's filter is told, and every bar, trade and quote judged by it once more.

Each is read twice, from the raw topic as an event and from the market as it was made, into the same
form, so that the two can be compared.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from polygon_sandbox import ticks
from polygon_sandbox.intraday import Intraday

CHANNELS = {"bars": "A", "trades": "T", "quotes": "Q"}
"""The vendor's channel of each kind."""
RULES = """\
exclude: ['*A', '*B', '*C', '*D', '*E'] # a symbol in five ends so
min_price: 10
trades: {exclude_conditions: [37]} # odd lots
quotes: {min_price: 50}
"""
RULES_OF = {
    "bars": ("exclude", "min_price"),
    "trades": ("exclude_conditions",),
    "quotes": ("min_price",),
}
"""The rules that each kind has."""
_ENDINGS = tuple("ABCDE")
_LOWEST = {"bars": 10.0, "quotes": 50.0}
_ODD_LOT = 37

# Symbol, and start in milliseconds since 1970 or the number among those of the symbol's day.
Key = tuple[str, int]
Values = tuple[Any, ...]


class Item(NamedTuple):
    """A bar, a trade or a quote.

    Attributes:
        key: what makes it the same as another.
        values: prices and sizes.
        second: since 1970, in which it was over, and so sent.
        rule: that drops it; empty if it passes.
    """

    key: Key
    values: Values
    second: int
    rule: str


def item(kind: str, event: Any) -> Item:
    """Return what is in an event of the raw topic."""
    if kind == "bars":
        values: Values = tuple(float(event[name]) for name in "ohlcv")
        rule = _rule_of_bar(event["sym"], event["c"])
        return Item((event["sym"], event["s"]), values, event["e"] // 1000, rule)
    # Of healed ones it is in nanoseconds.
    second = int(str(event["t"])[:10]) + 1
    if kind == "trades":
        values = float(event["p"]), Decimal(event["ds"])
        rule = _rule_of_trade(event.get("c", ()))
    else:
        values = tuple(float(event[name]) for name in ("bp", "bs", "ap", "as"))
        rule = _rule_of_quote(event["bp"], event["ap"])
    return Item((event["sym"], event["q"]), values, second, rule)


def made(kind: str, seed: int, symbols: Iterable[str], seconds: Iterable[int]) -> Iterator[Item]:
    """Yield what the market has made.

    Args:
        kind: `bars`, `trades` or `quotes`.
        seed: of the market.
        symbols: what it has of the kind.
        seconds: when it was over, since 1970.
    """
    market, ends = Intraday(seed), list(seconds)
    for symbol in symbols:
        for second in ends:
            bar = market.bar(symbol, second - 1, 1)
            if kind == "bars":
                values: Values = (bar.open, bar.high, bar.low, bar.close, float(bar.volume))
                rule = _rule_of_bar(symbol, bar.close)
                yield Item((symbol, bar.start * 1000), values, second, rule)
            elif kind == "trades":
                for t in ticks.trades(bar, symbol, "stocks"):
                    values = t.price, Decimal(t.size) / 100
                    yield Item((symbol, t.sequence), values, second, _rule_of_trade(t.conditions))
            else:
                for q in ticks.quotes(bar, symbol, "stocks"):
                    values = q.bid, float(q.bid_size), q.ask, float(q.ask_size)
                    yield Item((symbol, q.sequence), values, second, _rule_of_quote(q.bid, q.ask))


def _rule_of_bar(symbol: str, close: float) -> str:
    if symbol.endswith(_ENDINGS):
        return "exclude"
    return "min_price" if close < _LOWEST["bars"] else ""


def _rule_of_trade(conditions: Iterable[int]) -> str:
    return "exclude_conditions" if _ODD_LOT in conditions else ""


def _rule_of_quote(bid: float, ask: float) -> str:
    return "min_price" if min(bid, ask) < _LOWEST["quotes"] else ""

"""The series of bars, trades and quotes that a gap cut, and how stream and REST write the same
symbol and bar."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Final, Protocol

import structlog

from polygon_streaming.channels import AGGREGATE_SECONDS, CHANNELS, WILDCARD
from polygon_streaming.gaps import ticks
from polygon_streaming.gaps.gap import Gap
from polygon_streaming.gaps.rest import Rest
from polygon_streaming.settings import HealSettings
from polygon_streaming.subscriptions.live import SubscriptionList
from polygon_streaming.subscriptions.parse import is_symbol
from polygon_streaming.subscriptions.sources import open_source

log = structlog.get_logger()

# What an undelivered record was taken for that does not say its type.
_SECOND_BARS: Final = {"crypto": "XAS", "forex": "CAS"}
_DAYS_BACK: Final = 5


@dataclass(frozen=True, slots=True)
class Series:
    """The bars, trades or quotes of one symbol on one channel."""

    market: str
    channel: str
    symbol: str

    @property
    def name(self) -> str:
        """What the server calls it: `A.AAPL`."""
        return f"{self.channel}.{self.symbol}"


class LeftOut(Protocol):
    """Counts the subscriptions that cannot be healed."""

    left_out: int


class Targets:
    """Finds what there is to heal in a gap."""

    def __init__(self, settings: HealSettings, rest: Rest) -> None:
        self._settings = settings
        self._rest = rest

    def of(self, gap: Gap, count: LeftOut) -> list[Series]:
        """Return the series that a gap cut, each once; `count` hears of what cannot be healed.

        Raises:
            ConfigError: the gap does not say what is missing, and the list cannot be read.
            StreamError: what traded cannot be asked for.
        """
        found: dict[Series, None] = {}
        for market, name in self._names(gap):
            channel, _, symbol = name.partition(".")
            if channel == "?":
                channel = _SECOND_BARS.get(market, "A")
            problem = _problem(market, channel, symbol)
            if problem:
                log.warning("not healed", subscription=name, reason=problem)
                count.left_out += 1
                continue
            symbols = self._every(gap, market) if symbol == WILDCARD else [symbol]
            if not symbols:
                log.warning("not healed", subscription=name, reason="no list of what traded")
                count.left_out += 1
            beyond = len(symbols) - self._settings.max_symbols
            if beyond > 0:
                log.warning("not healed", subscription=name, symbols=beyond, fix="--max-symbols")
                count.left_out += beyond
            for each in symbols[: self._settings.max_symbols]:
                found[Series(market, channel, each)] = None
        return list(found)

    def _names(self, gap: Gap) -> list[tuple[str, str]]:
        """Return market and subscription of what is missing: everything listed if it is unknown.

        Raises:
            ConfigError: the list is needed, and cannot be read.
        """
        if gap.subscriptions:
            return [(gap.market, name) for name in gap.subscriptions]
        settings = self._settings
        listed = SubscriptionList(open_source(settings.subscriptions, settings.s3_endpoint_url))
        listed.load()
        markets = [m for m in listed.markets() if gap.market in ("", m)]
        return [(market, name) for market in markets for name in sorted(listed.names(market))]

    def _every(self, gap: Gap, market: str) -> list[str]:
        """Return the symbols that a wildcard stood for: what traded on the last day with bars."""
        moment = datetime.fromtimestamp(gap.start_ms / 1000, timezone.utc)
        for days_before in range(1, _DAYS_BACK + 1):
            day = (moment - timedelta(days=days_before)).date().isoformat()
            tickers = self._rest.traded(market, day)
            if tickers:
                return [stream_symbol(market, ticker) for ticker in tickers]
        return []


def event(channel: str, symbol: str, bar: dict[str, Any]) -> dict[str, Any]:
    """Return a streamed event for a bar of the REST API."""
    name = "sym" if channel in ("A", "AM") else "pair"
    moved = {"v": "v", "vw": "vw", "o": "o", "c": "c", "h": "h", "l": "l", "otc": "otc"}
    fields = {new: bar[old] for old, new in moved.items() if old in bar}
    end = bar["t"] + 1000 * AGGREGATE_SECONDS[channel]
    return {"ev": channel, name: symbol, **fields, "s": bar["t"], "e": end}


def rest_ticker(market: str, symbol: str) -> str:
    """Return how the REST API calls a symbol of the stream: `X:BTCUSD` for `BTC-USD`."""
    prefix = {"crypto": "X:", "forex": "C:"}.get(market)
    if prefix is None:
        return symbol
    return prefix + symbol.removeprefix(prefix).replace("-", "").replace("/", "")


def stream_symbol(market: str, ticker: str) -> str:
    """Return how the stream calls a ticker of the REST API: `BTC-USD` for `X:BTCUSD`.

    The quote currency is taken to have three letters, as USD, EUR and all currencies have.
    """
    bare = ticker[2:]
    if market == "crypto" and ticker.startswith("X:"):
        return f"{bare[:-3]}-{bare[-3:]}"
    if market == "forex" and ticker.startswith("C:"):
        return f"{bare[:-3]}/{bare[-3:]}"
    return ticker


def _problem(market: str, channel: str, symbol: str) -> str:
    """Return why a subscription cannot be healed; empty if it can."""
    bars = channel in AGGREGATE_SECONDS and channel in CHANNELS[market]
    if not bars and ticks.source(market, channel) is None:
        return "REST has no history of it"
    return "" if is_symbol(symbol) else "not a symbol"

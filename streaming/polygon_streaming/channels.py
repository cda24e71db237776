"""What the vendor streams: markets, channels, hosts, and which field of an event is its symbol.

Source: the vendor's WebSocket specification of 2026 and probes of its hosts (September 2026).
"""

from datetime import timedelta
from types import MappingProxyType
from typing import Final

WILDCARD: Final = "*"
"""The symbol that stands for all of a channel. `A.*` says nothing about the channel `AM`."""

_EQUITY: Final = frozenset({"A", "AM", "T", "Q", "FMV", "LV"})
_FUTURES: Final = frozenset({"A", "AM", "T", "Q"})

CHANNELS: Final = MappingProxyType(
    {
        "stocks": _EQUITY | {"LULD", "NOI"},
        "options": _EQUITY,
        "forex": frozenset({"C", "CA", "CAS", "AM", "FMV", "LV"}),
        "crypto": frozenset({"XT", "XQ", "XL2", "XA", "XAS", "AM", "FMV", "LV"}),
        "indices": frozenset({"A", "AM", "V"}),
        "futures": _FUTURES,
        "futures/cme": _FUTURES,
        "futures/cbot": _FUTURES,
        "futures/nymex": _FUTURES,
        "futures/comex": _FUTURES,
    }
)
"""The channels of each market. Events carry the channel's name in `ev`."""

MARKETS: Final = tuple(CHANNELS)

FEEDS: Final = (
    "socket",
    "delayed",
    "business",
    "delayed-business",
    "polyfeed",
    "polyfeedplus",
    "nasdaqfeed",
    "starterfeed",
)
"""The vendor's feeds that have a host; `socket` is real-time. The client library lists more, which
resolve by wildcard DNS and then fail TLS."""

BRANDS: Final = ("massive.com", "polygon.io")
"""Both names lead to the same service with the same key."""


def host(feed: str, brand: str) -> str:
    """Return the WebSocket host of a feed, such as `delayed.massive.com`.

    Anything that is not the name of a feed is taken for a host (and port) itself: a proxy, a
    regional endpoint, a look-alike in tests.
    """
    return f"{feed}.{brand}" if feed in FEEDS else feed


def delay(feed: str) -> timedelta:
    """Return how long after trading the events of a feed come."""
    return timedelta(minutes=15 if feed.startswith("delayed") else 0)


AGGREGATE_SECONDS: Final = MappingProxyType(
    {"A": 1, "AM": 60, "XAS": 1, "XA": 60, "CAS": 1, "CA": 60}
)
"""Length in seconds of the bars of each aggregate channel."""

TRADES: Final = ("T", "XT")
"""The channels of trades."""

QUOTES: Final = ("Q", "XQ", "C")
"""The channels of quotes."""

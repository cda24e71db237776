"""Polygon.io (Massive.com) WebSocket to Kafka, an exactly-once filter, and ClickHouse.

What other programs use of the package they import from here. Nothing is loaded before it is asked
for: a program that only wants ClickHouse has no use for Kafka.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from polygon_streaming.backfill.clients import connect as connect_tables
    from polygon_streaming.backfill.clients import open_source as open_files
    from polygon_streaming.backfill.outcomes import Outcome
    from polygon_streaming.backfill.run import Backfill
    from polygon_streaming.backfill.verdict import Verdict
    from polygon_streaming.backfill.verify import Verify
    from polygon_streaming.channels import FEEDS
    from polygon_streaming.errors import ConfigError, StreamError
    from polygon_streaming.feed.clients import connect as connect_feed
    from polygon_streaming.feed.publisher import Publisher
    from polygon_streaming.feed.supervisor import Feed
    from polygon_streaming.filter.clients import connect as connect_filter
    from polygon_streaming.filter.loop import Filter
    from polygon_streaming.filter.rules import parse as parse_rules
    from polygon_streaming.gaps.gap import decode as decode_gap
    from polygon_streaming.gaps.rest import Rest
    from polygon_streaming.process import garbage, logs, metrics, reasons
    from polygon_streaming.settings import (
        BackfillSettings,
        FeedSettings,
        FilterSettings,
        HealSettings,
        SinkSettings,
        VerifySettings,
    )
    from polygon_streaming.settings import load as load_settings
    from polygon_streaming.sink import clickhouse
    from polygon_streaming.stamps import from_text
    from polygon_streaming.subscriptions.live import SubscriptionList
    from polygon_streaming.subscriptions.parse import parse as parse_subscriptions
    from polygon_streaming.subscriptions.sources import FileSource, open_source

__all__ = [
    "FEEDS",
    "Backfill",
    "BackfillSettings",
    "ConfigError",
    "Feed",
    "FeedSettings",
    "FileSource",
    "Filter",
    "FilterSettings",
    "HealSettings",
    "Outcome",
    "Publisher",
    "Rest",
    "SinkSettings",
    "StreamError",
    "SubscriptionList",
    "Verdict",
    "Verify",
    "VerifySettings",
    "clickhouse",
    "connect_feed",
    "connect_filter",
    "connect_tables",
    "decode_gap",
    "from_text",
    "garbage",
    "load_settings",
    "logs",
    "metrics",
    "open_files",
    "open_source",
    "parse_rules",
    "parse_subscriptions",
    "reasons",
]

_PLACES: Final = {
    "Backfill": ("backfill.run", "Backfill"),
    "BackfillSettings": ("settings", "BackfillSettings"),
    "ConfigError": ("errors", "ConfigError"),
    "FEEDS": ("channels", "FEEDS"),
    "Feed": ("feed.supervisor", "Feed"),
    "FeedSettings": ("settings", "FeedSettings"),
    "FileSource": ("subscriptions.sources", "FileSource"),
    "Filter": ("filter.loop", "Filter"),
    "FilterSettings": ("settings", "FilterSettings"),
    "HealSettings": ("settings", "HealSettings"),
    "Outcome": ("backfill.outcomes", "Outcome"),
    "Publisher": ("feed.publisher", "Publisher"),
    "Rest": ("gaps.rest", "Rest"),
    "SinkSettings": ("settings", "SinkSettings"),
    "StreamError": ("errors", "StreamError"),
    "SubscriptionList": ("subscriptions.live", "SubscriptionList"),
    "Verdict": ("backfill.verdict", "Verdict"),
    "Verify": ("backfill.verify", "Verify"),
    "VerifySettings": ("settings", "VerifySettings"),
    "clickhouse": ("sink", "clickhouse"),
    "connect_feed": ("feed.clients", "connect"),
    "connect_filter": ("filter.clients", "connect"),
    "connect_tables": ("backfill.clients", "connect"),
    "decode_gap": ("gaps.gap", "decode"),
    "from_text": ("stamps", "from_text"),
    "garbage": ("process", "garbage"),
    "load_settings": ("settings", "load"),
    "logs": ("process", "logs"),
    "metrics": ("process", "metrics"),
    "open_files": ("backfill.clients", "open_source"),
    "open_source": ("subscriptions.sources", "open_source"),
    "parse_rules": ("filter.rules", "parse"),
    "parse_subscriptions": ("subscriptions.parse", "parse"),
    "reasons": ("process", "reasons"),
}


def __dir__() -> list[str]:
    return sorted(_PLACES)


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PLACES[name]
    place = import_module(f"{__name__}.{module}")
    # A module that its room has not loaded yet is not an attribute of it.
    return getattr(place, attribute, None) or import_module(f"{place.__name__}.{attribute}")

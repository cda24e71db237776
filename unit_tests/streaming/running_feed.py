"""A feed on the test's event loop."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from polygon_sandbox import StreamSandbox
from polygon_streaming.feed.clients import connect
from polygon_streaming.feed.supervisor import Feed
from polygon_streaming.settings import FeedSettings
from polygon_streaming.subscriptions.live import SubscriptionList
from polygon_streaming.subscriptions.sources import FileSource

from unit_tests.streaming.topics import values_of

SECONDS = 20


class Running:
    """A feed under way, and what it needs to be looked at."""

    def __init__(self, kafka: str, server: StreamSandbox, path: Path, **changes: Any) -> None:
        run = path.parent.name
        self.path = path
        values: dict[str, Any] = {
            "bootstrap_servers": kafka,
            "api_key": server.key,
            "feed": server.host,
            "tls": False,
            "raw_topic": f"raw-{run}",
            "gaps_topic": f"gaps-{run}",
            "dead_letter_topic": f"dead-{run}",
            "subscriptions": str(path),
            "retry_seconds": 0.05,
            "retry_max_seconds": 0.2,
            "ack_seconds": 0.5,
            "reload_seconds": 0.1,
            "silence_seconds": 0,
            "cool_down_seconds": 1.0,
        }
        self.settings = FeedSettings.model_validate({**values, **changes})
        creator = Producer({"bootstrap.servers": kafka, "log_level": 0})
        for kind in ("raw_topic", "gaps_topic", "dead_letter_topic"):
            creator.list_topics(getattr(self.settings, kind), timeout=10)
        listed = SubscriptionList(FileSource(path), *self.settings.shard_of)
        listed.load()
        self.feed = Feed(self.settings, listed, connect(self.settings))
        self._task: asyncio.Task[None] | None = None

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition; fail if it, or the feed, comes to nothing."""
        for _ in range(SECONDS * 50):
            if condition():
                return
            if self._task is not None and self._task.done():
                await self._task
            await asyncio.sleep(0.02)
        pytest.fail(f"not within {SECONDS} s: {what}")

    def events(self) -> int:
        return sum(market.publisher.produced for market in self.feed.markets.open.values())

    def records(self, topic: str) -> list[Any]:
        """Return the JSON values of a topic so far."""
        return values_of(self.settings.bootstrap_servers, topic)

    async def start(self) -> None:
        self._task = asyncio.create_task(self.feed.run_async())

    async def finish(self) -> None:
        self.feed.stop()
        if self._task is not None:
            await asyncio.wait_for(self._task, SECONDS)

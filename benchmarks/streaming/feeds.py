"""The contenders on the way in: WebSocket to Kafka.

    python feeds.py CONTENDER PORT BROKERS TOPIC EVENTS

Prints what `Meter` reports, from the first event to the last acknowledgement.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Producer
from meter import Meter  # type: ignore[import-not-found] # beside this script
from polygon.websocket import WebSocketClient

KEY = "benchmark"
IDEMPOTENT = {
    "enable.idempotence": True,
    "compression.type": "lz4",
    "linger.ms": 5,
    "queue.buffering.max.messages": 1_000_000,
}


def client_loop(raw: bool, port: str, brokers: str, topic: str, events: int) -> None:
    """Run the official client and produce what it gives, in the shortest way."""
    producer = Producer({"bootstrap.servers": brokers, **IDEMPOTENT})
    producer.list_topics(topic, timeout=30)
    client = WebSocketClient(
        KEY, feed=f"127.0.0.1:{port}", secure=False, raw=raw, subscriptions=["A.*"]
    )
    meter = Meter()
    count = 0

    async def parsed(models: list[Any]) -> None:
        nonlocal count
        meter.start()
        for model in models:
            producer.produce(topic, json.dumps(model.__dict__), model.symbol)
        await done(len(models))

    async def unparsed(frame: Any) -> None:
        nonlocal count
        bars = orjson.loads(frame)
        if bars[0]["ev"] == "status":
            return
        meter.start()
        for bar in bars:
            producer.produce(topic, orjson.dumps(bar), bar["sym"])
        await done(len(bars))

    async def done(number: int) -> None:
        nonlocal count
        count += number
        producer.poll(0)
        if count >= events:
            await client.close()

    asyncio.run(client.connect(unparsed if raw else parsed))
    producer.flush(60)
    meter.report(count)


def our_feed(port: str, brokers: str, topic: str, events: int) -> None:
    """Run the feed with all its duties."""
    from polygon_streaming import (
        Feed,
        FeedSettings,
        FileSource,
        Publisher,
        SubscriptionList,
        connect_feed,
        garbage,
        logs,
    )

    logs.set_up("json", "error")
    path = Path(tempfile.mkdtemp()) / "subscriptions.csv"
    path.write_text("market,channel,symbol\nstocks,A,*\n")
    settings = FeedSettings.model_validate(
        {"api_key": KEY, "feed": f"127.0.0.1:{port}", "tls": False, "bootstrap_servers": brokers,
         "raw_topic": topic, "gaps_topic": f"{topic}-gaps", "subscriptions": str(path)}
    )  # fmt: skip
    listed = SubscriptionList(FileSource(path))
    listed.load()
    garbage.collect_seldom()
    meter = Meter()
    publish = Publisher.publish

    def publish_first(*given: Any) -> None:
        meter.start()
        Publisher.publish = publish  # type: ignore[method-assign]
        publish(*given)

    Publisher.publish = publish_first  # type: ignore[assignment, method-assign]

    async def run() -> int:
        feed = Feed(settings, listed, connect_feed(settings))
        running = asyncio.create_task(feed.run_async())
        while True:
            await asyncio.sleep(0.05)
            produced = sum(market.publisher.produced for market in feed.markets.open.values())
            if produced >= events or running.done():
                break
        feed.stop()
        await running
        return produced

    meter.report(asyncio.run(run()))


if __name__ == "__main__":
    contender, port, brokers, topic, number = sys.argv[1:]
    if contender == "feed":
        our_feed(port, brokers, topic, int(number))
    else:
        client_loop(contender == "raw", port, brokers, topic, int(number))

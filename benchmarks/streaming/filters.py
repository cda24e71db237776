"""The contenders in the middle: Kafka to Kafka, the same filtering and the same record.

    python filters.py CONTENDER BROKERS SOURCE TARGET EVENTS

One symbol in ten is left out; of the others a clean record goes out. Prints as `feeds.py` does,
from the first record read to the last one committed.
"""

import json
import sys
import time
from datetime import datetime, timezone
from typing import Any

from meter import Meter  # type: ignore[import-not-found] # beside this script

CONSUMER = {"enable.auto.commit": False, "auto.offset.reset": "earliest"}


def wanted(bar: dict[str, Any]) -> bool:
    """Tell whether a bar passes."""
    return not bar["sym"].endswith("9")


def record(bar: dict[str, Any]) -> dict[str, Any]:
    """Return the clean record as a plain loop would build it."""
    return {
        "event_type": bar["ev"], "market": "stocks", "symbol": bar["sym"],
        "window_start": _stamp(bar["s"]), "window_end": _stamp(bar["e"]), "open": bar["o"],
        "high": bar["h"], "low": bar["l"], "close": bar["c"], "vwap": bar["vw"],
        "volume": float(bar["dv"]), "accumulated_volume": float(bar["dav"]),
        "official_open": bar["op"], "day_vwap": bar["a"], "average_trade_size": bar["z"],
        "otc": bar.get("otc", False),
    }  # fmt: skip


def plain_loop(brokers: str, source: str, target: str, events: int) -> None:
    """Consume, filter and produce message by message, without transactions."""
    from confluent_kafka import Consumer, Producer

    producer = Producer(
        {
            "bootstrap.servers": brokers,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": target, **CONSUMER})
    consumer.subscribe([source])
    meter, count = Meter(), 0
    while count < events:
        message = consumer.poll(1.0)
        if message is None or message.error():
            continue
        meter.start()
        count += 1
        bar = json.loads(message.value() or b"")
        if wanted(bar):
            producer.produce(target, json.dumps(record(bar)), message.key())
        if count % 1000 == 0:
            producer.poll(0)
    producer.flush(60)
    consumer.commit(asynchronous=False)
    meter.report(count)
    consumer.close()


def quix(brokers: str, source: str, target: str, events: int) -> None:
    """Run QuixStreams with its exactly-once guarantee."""
    from quixstreams import Application

    app = Application(
        broker_address=brokers, consumer_group=target, auto_offset_reset="earliest",
        processing_guarantee="exactly-once", commit_interval=1.0, loglevel="ERROR",
        producer_extra_config={"compression.type": "lz4"},
    )  # fmt: skip
    meter = Meter()

    def begin(bar: dict[str, Any]) -> None:
        meter.start()

    frame = app.dataframe(app.topic(source, value_deserializer="json"))
    frame = frame.update(begin).filter(wanted).apply(record)
    frame = frame.to_topic(app.topic(target, value_serializer="json"))
    # It counts what comes out, and one in ten does not.
    app.run(count=events * 9 // 10)
    meter.report(events)


def our_filter(brokers: str, source: str, target: str, events: int) -> None:
    """Run the filter as it is, with its guarantees, headers and metrics."""
    import tempfile
    from pathlib import Path
    from threading import Event, Thread

    from polygon_streaming import (
        Filter,
        FilterSettings,
        connect_filter,
        garbage,
        logs,
        metrics,
    )

    logs.set_up("json", "error")
    rules = Path(tempfile.mkdtemp()) / "rules.yaml"
    rules.write_text("exclude: ['*9']\n")
    settings = FilterSettings.model_validate(
        {
            "bootstrap_servers": brokers,
            "raw_topic": source,
            "filtered_topic": target,
            "dead_letter_topic": f"{target}-dead",
            "gaps_topic": f"{target}-gaps",
            "group": target,
            "transactional_id": target,
            "rules": rules,
        }
    )
    garbage.collect_seldom()
    clients, meter, stop = connect_filter(settings), Meter(), Event()

    class Metered:
        """The filter's consumer, which starts the meter with what it reads first."""

        def __getattr__(self, name: str) -> Any:
            return getattr(clients.consumer, name)

        def consume(self, *given: Any) -> Any:
            messages = clients.consumer.consume(*given)
            if messages:
                meter.start()
            return messages

    stage = Filter(settings, clients._replace(consumer=Metered()))  # type: ignore[arg-type]

    def watch() -> None:
        counted = metrics.filtered.labels("kept"), metrics.filtered.labels("dropped")
        seen = 0
        while seen < events:
            time.sleep(0.005)
            seen = int(sum(counter._value.get() for counter in counted))
        meter.report(seen)
        stop.set()

    watching = Thread(target=watch)
    watching.start()
    stage.run(stop)
    watching.join()


def _stamp(ms: int) -> str:
    moment = datetime.fromtimestamp(ms / 1000, timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


if __name__ == "__main__":
    contenders = {"plain": plain_loop, "quix": quix, "filter": our_filter}
    contender, brokers, source, target, number = sys.argv[1:]
    contenders[contender](brokers, source, target, int(number))

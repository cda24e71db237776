"""When records can be read from a topic, as a reader that waits for them sees it."""

import time
from collections import defaultdict
from threading import Event, Thread
from types import TracebackType
from typing import NamedTuple

from confluent_kafka import Consumer, Message, TopicPartition

_HEALED = b'"healed":true'
# Longer, and the wait for more would be counted as age.
_WAIT_SECONDS = 0.005


class Quantiles(NamedTuple):
    """Half, and 99 in a hundred, are no older; in seconds."""

    p50: float
    p99: float


class Arrivals:
    """Reads a topic for as long as the `with` block lasts and notes how old each record is then.

    A record's timestamp is when the feed had it from the socket. Healed records are left out: they
    did not come from there.
    """

    def __init__(self, address: str, topic: str, begin: bytes = b"") -> None:
        """Read a topic; of records that begin otherwise no note is taken."""
        self._begin = begin
        self._consumer = Consumer(
            {"bootstrap.servers": address, "group.id": f"watch-{topic}", "fetch.wait.max.ms": 20}
        )
        partitions = self._consumer.list_topics(topic, timeout=10).topics[topic].partitions
        self._consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        self._ages: defaultdict[int, list[float]] = defaultdict(list)
        self._ends = Event()
        self._thread = Thread(target=self._read, daemon=True)

    def __enter__(self) -> "Arrivals":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ends.set()
        self._thread.join()
        self._consumer.close()

    def all(self) -> Quantiles:
        """Return how old records were, in seconds."""
        return quantiles([age for ages in self._ages.values() for age in ages])

    def by_second(self) -> dict[int, Quantiles]:
        """Return the same by the second since 1970 in which they were received."""
        return {second: quantiles(ages) for second, ages in sorted(self._ages.items())}

    def _read(self) -> None:
        while not self._ends.is_set():
            messages = self._consumer.consume(1_000, _WAIT_SECONDS)
            now = time.time() * 1000
            for message in messages:
                if message.error() is None and self._counts(message):
                    received = message.timestamp()[1]
                    self._ages[received // 1000].append((now - received) / 1000)

    def _counts(self, message: Message) -> bool:
        value = message.value() or b""
        return value.startswith(self._begin) and not _is_healed(message)


def _is_healed(message: Message) -> bool:
    return _HEALED in (message.value() or b"") or "healed" in dict(message.headers() or [])


def quantiles(ages: list[float]) -> Quantiles:
    """Return the quantiles of one age or more."""
    ages = sorted(ages)
    last = len(ages) - 1
    return Quantiles(ages[last // 2], ages[last * 99 // 100])

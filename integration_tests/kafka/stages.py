"""The commands as processes of their own, numbered events for them, and what came out."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from polygon_streaming.raw import headers

COMMAND = Path(sys.executable).with_name("polygon-stream")
KEY = "sandbox-key-0123456789"
# Long ago, so that no bar is ahead of the day on which the tests run.
FIRST_MS = 1_600_000_000_000
KINDS = ("bars", "trades", "quotes")


class Stage:
    """One running `polygon-stream` command.

    Attributes:
        started: all that were started, so that what a failed test leaves behind can be ended.
    """

    started: ClassVar[list["Stage"]] = []

    def __init__(self, log: Path, name: str, **flags: object) -> None:
        arguments = [_argument(flag.replace("_", "-"), value) for flag, value in flags.items()]
        self._log = log
        self.started.append(self)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [COMMAND, name, *arguments],
                stdout=output,
                stderr=output,
                env={**os.environ, "POLYGON_API_KEY": KEY},
            )

    def kill(self) -> None:
        """End it with kill -9."""
        self.signal(signal.SIGKILL)
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def stop(self) -> int:
        """End it with SIGTERM and return its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self, seconds: float = 30) -> int:
        """Return its exit status once it has ended."""
        return self._process.wait(seconds)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def log(self) -> str:
        """Return what it has printed."""
        return self._log.read_text()


def _argument(flag: str, value: object) -> str:
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag}={value}"


def number_event(number: int) -> bytes:
    """Return a second bar that carries a running number as its volume and its place in time."""
    start = FIRST_MS + number
    return (
        f'{{"ev":"A","sym":"S{number % 97}","v":{number},"o":10,"h":11,"l":9,"c":10.5,'
        f'"s":{start},"e":{start + 1000}}}'
    ).encode()


def mixed_event(number: int) -> bytes:
    """Return a bar, a trade or a quote, by turns, that carries a running number."""
    symbol, instant = f"S{number % 97}", FIRST_MS + number
    match KINDS[number % 3]:
        case "trades":
            return (
                f'{{"ev":"T","sym":"{symbol}","i":"{number}","x":4,"p":10.5,"s":100,"ds":"100.5",'
                f'"c":[14,41],"t":{instant},"q":{number},"z":3}}'
            ).encode()
        case "quotes":
            return (
                f'{{"ev":"Q","sym":"{symbol}","bx":4,"bp":10.4,"bs":100,"ax":7,"ap":10.6,"as":200,'
                f'"c":1,"i":[604],"t":{instant},"q":{number},"z":3}}'
            ).encode()
        case _:
            return number_event(number)


def produce_numbers(
    address: str,
    topic: str,
    numbers: Iterable[int],
    per_second: int,
    event: Callable[[int], bytes] = number_event,
) -> None:
    """Produce numbered events at a pace."""
    producer = Producer(
        {
            "bootstrap.servers": address,
            "enable.idempotence": True,
            "linger.ms": 5,
            "log_level": 0,
        }
    )
    sent = headers("stocks", "c0ffee")
    started = time.monotonic()
    for count, number in enumerate(numbers, start=1):
        value = event(number)
        while True:
            try:
                producer.produce(topic, value, f"S{number % 97}", headers=sent)
                break
            except BufferError:
                producer.poll(0.1)
        if count % 500 == 0:
            producer.poll(0)
            time.sleep(max(0.0, started + count / per_second - time.monotonic()))
    assert producer.flush(60) == 0


def read_topic(address: str, topic: str, isolation: str = "read_committed") -> Iterator[Message]:
    """Return all records of a topic up to its end, as seen under an isolation level."""
    consumer = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": f"count-{uuid.uuid4()}",
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    at_end: set[int] = set()
    while len(at_end) < len(partitions):
        for message in consumer.consume(10_000, 1.0):
            if message.error() is not None:
                at_end.add(message.partition() or 0)
            else:
                yield message
    consumer.close()


def read_values(address: str, topic: str, isolation: str = "read_committed") -> list[Any]:
    """Return the JSON values of a topic."""
    return [
        msgspec.json.decode(m.value() or b"null") for m in read_topic(address, topic, isolation)
    ]


def volumes(address: str, topic: str, isolation: str = "read_committed") -> Counter[int]:
    """Return how often each running number stands in the filtered topic."""
    return Counter(int(record["volume"]) for record in read_values(address, topic, isolation))


def mixed_numbers(address: str, topics: dict[str, str]) -> dict[str, Counter[int]]:
    """Return how often each running number of `mixed_event` stands in the topic of each kind."""
    found = {"bars": volumes(address, topics["filtered_topic"])}
    for kind in ("trades", "quotes"):
        values = read_values(address, topics[f"{kind}_topic"])
        found[kind] = Counter(record["sequence_number"] for record in values)
    return found


def each_once(total: int) -> dict[str, Counter[int]]:
    """Return what `mixed_numbers` shall be of the numbers from 1 on: each in one topic, once."""
    return {
        kind: Counter(number for number in range(1, total + 1) if KINDS[number % 3] == kind)
        for kind in KINDS
    }


def end_of(address: str, topic: str) -> int:
    """Return how many offsets a topic has, over all partitions, markers included."""

    def ask(consumer: Consumer) -> int:
        partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
        places = [TopicPartition(topic, number) for number in partitions]
        return sum(consumer.get_watermark_offsets(place, timeout=30)[1] for place in places)

    return _asked(address, "ends", ask)


def lag(address: str, topic: str, group: str) -> int:
    """Return how many records of a topic a group has not committed yet."""

    def ask(consumer: Consumer) -> int:
        partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
        places = [TopicPartition(topic, number) for number in partitions]
        return sum(
            consumer.get_watermark_offsets(place, timeout=30)[1] - max(place.offset, 0)
            for place in consumer.committed(places, timeout=30)
        )

    return _asked(address, group, ask)


def _asked(address: str, group: str, question: Callable[[Consumer], int]) -> int:
    """Return the brokers' answer, once those that are there have agreed on who leads what."""
    until = time.monotonic() + 60
    while True:
        consumer = Consumer({"bootstrap.servers": address, "group.id": group, "log_level": 0})
        try:
            return question(consumer)
        except KafkaException:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        finally:
            consumer.close()


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for a condition, and fail with its name if it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)

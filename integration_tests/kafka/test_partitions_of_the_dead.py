"""A filter that dies in mid-transaction and does not come back: what becomes of its partitions."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
import urllib3

from integration_tests.kafka.stages import (
    Stage,
    end_of,
    lag,
    produce_numbers,
    read_topic,
    volumes,
    wait_until,
)
from integration_tests.servers import free_ports

pytestmark = pytest.mark.kafka_tests

# Another member of the filter's group, up to the moment between offsets and commit. Its session
# ends long before its transaction, which is the worst case.
_HALF_A_FILTER = """
import sys, time
from confluent_kafka import Consumer, Producer
servers, raw, filtered, group = sys.argv[1:]
producer = Producer({"bootstrap.servers": servers, "transactional.id": group + "-dead",
                     "transaction.timeout.ms": 20000})
producer.init_transactions(30)
consumer = Consumer({"bootstrap.servers": servers, "group.id": group, "session.timeout.ms": 6000,
                     "group.instance.id": group + "-dead", "enable.auto.commit": False,
                     "auto.offset.reset": "earliest", "isolation.level": "read_committed",
                     "partition.assignment.strategy": "cooperative-sticky"})
consumer.subscribe([raw])
read = set()
while not read or read != {place.partition for place in consumer.assignment()}:
    messages = consumer.consume(100, 1.0)
    if messages and not read:
        producer.begin_transaction()
    for message in messages:
        read.add(message.partition())
        producer.produce(filtered, message.value())
producer.send_offsets_to_transaction(
    consumer.position(consumer.assignment()), consumer.consumer_group_metadata(), 30)
print(*sorted(read), flush=True)
time.sleep(600)
"""


@pytest.fixture
def dead(topics: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A member that hangs before its commit, to be killed."""
    names = [topics["bootstrap_servers"], topics["raw_topic"], topics["filtered_topic"]]
    script = [sys.executable, "-c", _HALF_A_FILTER, *names, f"filter-{topics['raw_topic']}"]
    process = subprocess.Popen(script, stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.wait()


def test_the_survivor_goes_on_and_says_what_waits(
    topics: dict[str, str], log: Path, request: pytest.FixtureRequest
) -> None:
    total, rate = 50_000, 1_500
    address, raw = topics["bootstrap_servers"], topics["raw_topic"]
    group = f"filter-{raw}"
    (port,) = free_ports(1)
    flags = {"group": group, "transactional_id": f"{group}-1", "http_port": port, **topics}
    survivor = Stage(log, "filter", **flags)
    numbers = range(1, total + 1)
    feeding = Thread(target=produce_numbers, args=(address, raw, numbers, rate), daemon=True)
    feeding.start()
    wait_until(lambda: end_of(address, topics["filtered_topic"]) > 0, 30, "the filter works")

    dead: subprocess.Popen[str] = request.getfixturevalue("dead")
    assert dead.stdout is not None
    partitions = [int(number) for number in dead.stdout.readline().split()]
    assert len(partitions) == 2
    dead.kill()
    killed = time.monotonic()
    names = ", ".join(str(number) for number in partitions)
    waiting = f"kafka: partitions {names} wait for their committed offsets"
    wait_until(lambda: waiting in _ready(port)[1], 20, "the survivor has the dead one's partitions")
    assert _ready(port)[0] == 503

    # What it had before must not stand still for as long as the others wait.
    begun = changed = time.monotonic()
    pauses, last = [], _kept(port)
    while "wait for their committed offsets" in _ready(port)[1]:  # not all may wait equally long
        now, kept = time.monotonic(), _kept(port)
        if kept > last:
            pauses.append(now - changed)
            changed, last = now, kept
        time.sleep(0.05)
    taken_over = time.monotonic()
    assert taken_over - begun > 5, "there was nothing to wait for"
    assert max(*pauses, taken_over - changed) < max(3, (taken_over - begun) / 3)
    # The transaction's 20 s, and 10 s after which brokers look for such.
    assert taken_over - killed < 40
    assert _ready(port) == (200, "ok\n")

    feeding.join()
    wait_until(lambda: lag(address, raw, group) == 0, 60, "the survivor has read everything")
    assert survivor.stop() == 0
    assert volumes(address, topics["filtered_topic"]) == Counter(range(1, total + 1))
    assert list(read_topic(address, topics["gaps_topic"])) == []


def _ready(port: int) -> tuple[int, str]:
    answer = urllib3.request("GET", f"http://127.0.0.1:{port}/readyz", retries=False, timeout=5)
    return answer.status, answer.data.decode()


def _kept(port: int) -> float:
    answer = urllib3.request("GET", f"http://127.0.0.1:{port}/metrics", retries=False, timeout=5)
    name = 'polygon_filter_records_total{outcome="kept"} '
    (line,) = [line for line in answer.data.decode().splitlines() if line.startswith(name)]
    return float(line.removeprefix(name))

"""The feed on a real broker: what the socket delivered is there, or a gap says that it is not."""

import itertools
import time
from pathlib import Path

import msgspec
import pytest
from polygon_sandbox import StreamSandbox

from integration_tests.kafka.kafka_broker import Broker
from integration_tests.kafka.stages import Stage, end_of, read_topic, read_values, wait_until

pytestmark = pytest.mark.kafka_tests


def _flags(topics: dict[str, str], server: StreamSandbox, tmp_path: Path) -> dict[str, object]:
    subscriptions = tmp_path / "subscriptions.csv"
    subscriptions.write_text("market,channel,symbol\nstocks,A,*\n")
    return {
        **topics,
        "feed": server.host,
        "tls": False,
        "subscriptions": subscriptions,
        "retry_seconds": 0.2,
    }


def _numbers(topics: dict[str, str]) -> list[int]:
    values = read_values(topics["bootstrap_servers"], topics["raw_topic"])
    return sorted(value["n"] for value in values)


def test_a_restart_of_the_broker_loses_nothing(
    broker: Broker, topics: dict[str, str], tmp_path: Path, log: Path
) -> None:
    total = 60_000
    with StreamSandbox(rate=10_000, limit=total) as server:
        feed = Stage(log, "feed", **_flags(topics, server, tmp_path))
        wait_until(lambda: server.sent > 5_000, 30, "events flow")
        broker.kill()
        time.sleep(3)
        broker.start()
        wait_until(lambda: server.sent >= total, 60, "everything is sent")
        assert feed.stop() == 0

    assert _numbers(topics) == list(range(1, total + 1))
    assert read_values(topics["bootstrap_servers"], topics["gaps_topic"]) == []


def test_after_kill_9_the_next_feed_records_what_is_missing(
    topics: dict[str, str], tmp_path: Path, log: Path
) -> None:
    address = topics["bootstrap_servers"]
    with StreamSandbox(rate=2_000, live=True) as server:
        flags = _flags(topics, server, tmp_path)
        first = Stage(log, "feed", **flags)
        wait_until(lambda: end_of(address, topics["raw_topic"]) > 20_000, 60, "ten seconds flow")
        first.kill()
        killed_at = end_of(address, topics["raw_topic"])
        time.sleep(2)
        second = Stage(log, "feed", **flags)
        wait_until(
            lambda: end_of(address, topics["raw_topic"]) > killed_at + 5_000, 30, "it flows again"
        )
        assert second.stop() == 0

    numbers = _numbers(topics)
    holes = [(a, b) for a, b in itertools.pairwise(numbers) if b > a + 1]
    assert len(holes) == 1, "the kill is the one thing that loses events here"
    times = {
        msgspec.json.decode(m.value() or b"")["n"]: m.timestamp()[1]
        for m in read_topic(address, topics["raw_topic"])
    }
    (gap,) = read_values(address, topics["gaps_topic"])
    assert gap["reason"] == "restart"
    assert gap["subscriptions"] == ["A.*"]
    before, after = holes[0]
    assert _ms(gap["from"]) <= times[before]
    assert _ms(gap["to"]) >= times[after] - 1_000
    # Progress is stored every five seconds, and the margin is one minute.
    assert times[before] - _ms(gap["from"]) < 70_000


def _ms(text: str) -> int:
    from polygon_streaming import from_text

    return from_text(text)

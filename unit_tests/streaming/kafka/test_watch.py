"""What a stage says of its brokers: librdkafka's mock, and answers as Kafka was seen to give."""

import logging
import math
import time
from collections.abc import Callable
from typing import Any, cast

import pytest
import structlog
from confluent_kafka import Consumer, KafkaError, Producer
from polygon_streaming.kafka.clients import asker
from polygon_streaming.kafka.watch import BrokerWatch, Waits
from polygon_streaming.settings import FilterSettings
from structlog.testing import capture_logs

from unit_tests.streaming.fake_consumer import FakeAsker

SOON = Waits(answer=0.5, pause=0.02, retry=0.02)


def _asker(brokers: str) -> Consumer:
    return asker(FilterSettings.model_validate({"bootstrap_servers": brokers}))


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_topic_that_is_missing_is_named_and_not_created(mock_kafka: str) -> None:
    missing = ["kafka: the topic nowhere-1 is missing. Create it"]
    with BrokerWatch(_asker(mock_kafka), ["nowhere-1"], waits=SOON) as watch:
        assert watch.problems() == [
            "kafka: the brokers have not answered yet: they have not been asked yet"
        ]
        _until(lambda: watch.problems() == missing)
        time.sleep(0.2)
        assert watch.problems() == missing
        Producer({"bootstrap.servers": mock_kafka}).list_topics("nowhere-1", timeout=5)
        _until(lambda: watch.problems() == [])


def test_brokers_that_create_topics_on_first_use_are_made_to(mock_kafka: str) -> None:
    producer = Producer({"bootstrap.servers": mock_kafka})
    with BrokerWatch(_asker(mock_kafka), ["nowhere-2"], creator=producer, waits=SOON) as watch:
        _until(lambda: watch.problems() == [])


def test_brokers_that_went_away_are_said_to_and_the_stage_hears_of_it() -> None:
    owner = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0})
    (node,) = owner.list_topics("raw", timeout=10).brokers.values()
    calls: list[int] = []
    client = _asker(f"{node.host}:{node.port}")
    with BrokerWatch(client, ["raw"], lambda: calls.append(1), waits=SOON) as watch:
        _until(lambda: watch.problems() == [])
        assert (watch.silent_seconds(), watch.outages, calls) == (0.0, 0, [])
        assert watch.since_outage() == math.inf
        del owner
        _until(lambda: watch.problems() != [])
        (problem,) = watch.problems()
        assert problem.startswith("kafka: the brokers have not answered for ")
        assert watch.silent_seconds() >= 1.0  # two questions, each of half a second
        assert watch.outages == 1
        assert watch.since_outage() < 10
        assert len(calls) >= 2


def test_what_is_wrong_is_a_state_in_the_log_and_its_end_an_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    client = FakeAsker()
    watch = BrokerWatch(cast("Any", client), ["raw"])
    now = 1000.0
    monkeypatch.setattr("polygon_streaming.kafka.watch.time.monotonic", lambda: now)
    away = KafkaError(KafkaError._TRANSPORT)
    denied = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    well = (None, [1, 2, 3])
    said: list[tuple[str, str | None]] = []
    leaderless = (None, [1, -1, -1])
    # A question without an answer between two that have one is not an outage, and nothing is said.
    for answer in [well, away, well, away, away, away, leaderless, away, (denied, []), well, well]:
        client.answer = answer
        now += 3
        with capture_logs() as lines:
            watch.ask()
        said += [(line["problem"], line.get("state")) for line in lines]
    away_for = "kafka: the brokers have not answered for {} s: " + away.str()
    silent = "kafka: the brokers have not answered"
    assert watch.outages == 1
    assert watch.since_outage() == 5 * 3, "the third silence in a row; one alone later is none"
    assert said == [
        (away_for.format(6), silent),
        (away_for.format(9), silent),
        *[(text, text) for text in [
            "kafka: 2 of 3 partitions of raw have no leader",
            f"kafka: raw: {denied.str()}",
        ]],
        ("none: they answer and have the topics", None),
    ]  # fmt: skip


def test_metadata_are_no_proof_that_the_leaders_of_partitions_answer() -> None:
    # So it is with two nodes of three gone: the last one repeats what was true before.
    client = FakeAsker()
    client.answer = (None, [1, 2, 3])
    watch = BrokerWatch(cast("Any", client), ["raw", "gaps"])
    watch.ask()
    assert watch.problems() == []
    client.silent = KafkaError(KafkaError._TIMED_OUT)
    watch.ask()
    assert watch.problems() == []
    watch.ask()
    (problem,) = watch.problems()
    assert problem.startswith("kafka: the brokers have not answered for 0 s: ")
    assert problem.endswith(client.silent.str())
    assert watch.outages == 0, "one that answers is left"
    client.silent = None
    election = KafkaError(KafkaError.LEADER_NOT_AVAILABLE)
    client.refused = {1: election, 2: election}
    watch.ask()
    assert watch.problems() == [], "it may be over in a moment"
    watch.ask()
    assert watch.problems() == [
        f"kafka: {topic}: 2 of 3 partitions: {election.str()}" for topic in ("raw", "gaps")
    ]
    client.refused = {}
    watch.ask()
    assert watch.problems() == []


def test_a_leader_with_too_few_copies_is_not_silent() -> None:
    client = FakeAsker()
    client.answer = (None, [1, 1, 1])
    client.silent = KafkaError(KafkaError.OFFSET_NOT_AVAILABLE)  # as it was seen to answer for all
    watch = BrokerWatch(cast("Any", client), ["raw"])
    watch.ask()
    watch.ask()
    assert watch.problems() == [f"kafka: raw: {client.silent.str()}"]
    assert watch.silent_seconds() == 0.0

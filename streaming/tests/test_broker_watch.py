"""What a stage says of its brokers: librdkafka's mock, and answers as Kafka was seen to give."""

import logging
import time
from collections.abc import Callable
from typing import Any, cast

import pytest
import structlog
from confluent_kafka import KafkaError, KafkaException, Producer
from structlog.testing import capture_logs

from polygon_streaming import broker_watch
from polygon_streaming.broker_watch import BrokerWatch
from polygon_streaming.settings import FilterSettings, Settings


def _settings(brokers: str) -> Settings:
    return FilterSettings.model_validate({"bootstrap_servers": brokers})


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_watch, "_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(broker_watch, "_ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(broker_watch, "_SILENT_SECONDS", 0.1)


def test_a_topic_that_is_missing_is_named_and_not_created(mock_kafka: str) -> None:
    missing = ["kafka: the topic nowhere-1 is missing. Create it"]
    with BrokerWatch(_settings(mock_kafka), ["nowhere-1"]) as watch:
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
    with BrokerWatch(_settings(mock_kafka), ["nowhere-2"], creator=producer) as watch:
        _until(lambda: watch.problems() == [])


def test_brokers_that_went_away_are_said_to_and_the_stage_hears_of_it() -> None:
    owner = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0})
    (node,) = owner.list_topics("raw", timeout=10).brokers.values()
    calls: list[int] = []
    watching = BrokerWatch(_settings(f"{node.host}:{node.port}"), ["raw"], lambda: calls.append(1))
    with watching as watch:
        _until(lambda: watch.problems() == [])
        assert (watch.silent_seconds(), calls) == (0.0, [])
        del owner
        _until(lambda: watch.problems() != [])
        (problem,) = watch.problems()
        assert problem.startswith("kafka: the brokers have not answered for ")
        assert watch.silent_seconds() >= 0.1
        assert calls


class FakeClient:
    """Answers as a consumer was seen to against Apache Kafka."""

    def __init__(self) -> None:
        self.answer: Any = None

    def poll(self, _: float) -> None:
        """Serve no callbacks."""

    def list_topics(self, topic: str, timeout: float) -> Any:
        del timeout
        if isinstance(self.answer, KafkaError):
            raise KafkaException(self.answer)
        error, leaders = self.answer
        partitions = {n: _Of(leader=leader) for n, leader in enumerate(leaders)}
        return _Of(topics={topic: _Of(error=error, partitions=partitions)})


class _Of:
    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


def test_each_state_is_logged_once_and_then_each_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_watch, "_SILENT_SECONDS", 5.0)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    watch = BrokerWatch(_settings("127.0.0.1:1"), ["raw"])
    watch._client.close()
    client = FakeClient()
    watch._client = cast("Any", client)
    now = 1000.0
    monkeypatch.setattr("polygon_streaming.broker_watch.time.monotonic", lambda: now)
    said: list[tuple[float, str]] = []
    away = KafkaError(KafkaError._TRANSPORT)
    denied = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    for seconds, answer in [
        (150, (None, [1, 2, 3])), (150, away), (60, (None, [1, -1, -1])), (10, (denied, [])),
        (10, (None, [1, 2, 3])),
    ]:  # fmt: skip
        client.answer = answer
        for _ in range(seconds // 2):
            now += 2
            with capture_logs() as logs:
                watch._ask()
                watch._say()
            said += [(now - 1000, line["problem"]) for line in logs]
    away_for = "kafka: the brokers have not answered for {} s: " + away.str()
    assert said == [
        (156, away_for.format(6)),
        (216, away_for.format(66)),
        (276, away_for.format(126)),
        (302, "kafka: 2 of 3 partitions of raw have no leader"),
        (362, f"kafka: raw: {denied.str()}"),
        (372, "none: they answer and have the topics"),
    ]

"""Gaps that the brokers do not have yet."""

import json
from datetime import timedelta
from typing import Any, cast

from confluent_kafka import KafkaError
from polygon_streaming.gaps.gap import Gap
from polygon_streaming.gaps.ledger import Ledger
from polygon_streaming.gaps.topic import GapsTopic

from unit_tests.streaming.fake_producer import RecordingProducer, kafka_error

NOW = 1795444200123


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Case:
    """The ledger of a market in which one event was lost, or some, which is a gap now."""

    def __init__(
        self, producer: Any = None, names: tuple[str, ...] = ("A.AAPL",), late: int = 0
    ) -> None:
        self.producer = RecordingProducer() if producer is None else producer
        self.clock = Clock()
        topic = GapsTopic(cast("Any", self.producer), "gaps", timedelta(minutes=late))
        self.ledger = Ledger("stocks", "stocks 1/1", topic, self.clock)
        for name in names:
            self.ledger.lost(name, NOW, NOW, "buffer_full")
        self.ledger.finish(NOW + 1)
        self.gap = Gap("stocks", NOW, NOW + 1, "buffer_full", list(names), "stocks 1/1")

    def produced(self) -> list[Any]:
        return [json.loads(record.value) for record in self.producer.of("gaps")]


def test_a_gap_waits_for_room_and_is_not_dropped() -> None:
    case = Case(RecordingProducer(room=0))
    assert case.ledger.unrecorded == [case.gap]
    assert case.ledger.refusal
    case.producer.room = 1
    case.clock.seconds += 5
    case.ledger.retry()
    assert len(case.produced()) == 1
    assert case.ledger.unrecorded == [case.gap], "it counts as recorded once the brokers say so"
    case.producer.acknowledge(case.producer.records[0])
    assert case.ledger.unrecorded == []
    assert case.ledger.gaps_recorded == 1


def test_a_gap_of_very_many_symbols_fits_into_records() -> None:
    names = tuple(f"A.O:SPY{n:018d}" for n in range(50_000))
    case = Case(names=names)
    assert max(len(record.value) for record in case.producer.of("gaps")) < 1_000_000
    assert sorted(name for gap in case.produced() for name in gap["subscriptions"]) == list(names)
    assert {(gap["from"], gap["to"]) for gap in case.produced()} == {
        ("2026-11-23 14:30:00.123", "2026-11-23 14:30:00.124")
    }


def test_a_gap_that_the_broker_refuses_waits_and_is_tried_again() -> None:
    case = Case()
    assert case.ledger.since == NOW, "on its way is not there"
    case.producer.refuse(case.producer.records[0], KafkaError.UNKNOWN_TOPIC_OR_PART)
    case.ledger.retry()
    assert len(case.produced()) == 1, "not at once: the broker would be asked without a pause"
    assert case.ledger.since == NOW
    assert "Unknown topic" in case.ledger.refusal
    case.clock.seconds += 5
    case.ledger.retry()
    case.producer.acknowledge(case.producer.records[1])
    assert [gap["from"] for gap in case.produced()] == ["2026-11-23 14:30:00.123"] * 2
    assert case.ledger.since is None
    assert case.ledger.refusal == ""


def test_the_end_does_not_wait_for_the_pause_after_a_refusal() -> None:
    case = Case()
    case.producer.refuse(case.producer.records[0], KafkaError.NOT_ENOUGH_REPLICAS)
    case.ledger.finish(NOW + 2)
    assert len(case.produced()) == 2


def test_what_is_missing_begins_with_the_oldest_gap_that_is_not_recorded() -> None:
    case = Case()
    case.ledger.disconnected(NOW + 500, NOW + 600, "disconnected: silent")
    assert case.ledger.since == NOW
    case.producer.acknowledge(case.producer.records[0])
    assert case.ledger.since == NOW + 500


def test_a_fatal_producer_leaves_the_gap_unrecorded() -> None:
    class Fatal(RecordingProducer):
        def produce(self, *_: Any, **__: Any) -> None:
            raise kafka_error(KafkaError._FATAL, fatal=True)

    case = Case(Fatal())
    assert case.ledger.unrecorded == [case.gap]


def test_a_delayed_feed_records_the_time_of_the_bars_that_are_missing() -> None:
    case = Case(late=15)
    case.producer.refuse(case.producer.records[0], KafkaError.NOT_ENOUGH_REPLICAS)
    assert case.ledger.since == NOW
    case.clock.seconds += 5
    case.ledger.retry()
    assert [(gap["from"], gap["to"]) for gap in case.produced()] == 2 * [
        ("2026-11-23 14:15:00.123", "2026-11-23 14:15:00.124")
    ]

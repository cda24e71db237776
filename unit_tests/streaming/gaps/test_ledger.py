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
    """Seconds that pass when the test says so, from the first of them on."""

    def __init__(self) -> None:
        self.seconds = 0.0

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


class Lossy:
    """A ledger in which one event was lost, at NOW; its losses go on."""

    def __init__(self) -> None:
        self.producer = RecordingProducer()
        self.clock = Clock()
        topic = GapsTopic(cast("Any", self.producer), "gaps")
        self.ledger = Ledger("stocks", "stocks 1/1", topic, self.clock)
        self.ledger.lost("A.AAPL", NOW, NOW, "buffer_full")

    def produced(self) -> list[Any]:
        return [json.loads(record.value) for record in self.producer.of("gaps")]


def test_a_new_ledger_misses_nothing() -> None:
    ledger = Ledger("stocks", "stocks 1/1", GapsTopic(cast("Any", RecordingProducer()), "gaps"))
    assert (ledger.events_lost, ledger.gaps_recorded, ledger.unrecorded) == (0, 0, [])
    assert (ledger.since, ledger.losing, ledger.refusal) == (None, "", "")
    assert (ledger.has_outage, ledger.outage_noted_ms()) == (False, None)
    ledger.settle(NOW, 0, 0)
    ledger.restored(NOW, ["A.AAPL"])
    ledger.record_part(NOW, ["A.AAPL"])
    ledger.finish(NOW)
    assert (ledger.unrecorded, ledger.has_outage) == ([], False)


def test_losses_end_after_a_second_without_one_once_a_record_gets_through() -> None:
    case = Lossy()
    assert case.ledger.losing == "buffer_full"
    case.ledger.settle(NOW + 1, 5, 3)
    case.ledger.settle(NOW + 5_000, 5, 3)
    assert case.ledger.losing == "buffer_full", "nothing has got through"
    case.ledger.settle(NOW + 999, 6, 3)
    assert case.ledger.losing == "buffer_full", "there was a loss within the second"
    case.ledger.settle(NOW + 1_000, 6, 3)
    assert case.ledger.losing == ""
    assert [gap["to"] for gap in case.produced()] == ["2026-11-23 14:30:01.123"]


def test_losses_end_where_no_record_waits() -> None:
    case = Lossy()
    case.ledger.settle(NOW + 1_000, 5, 1)
    assert case.produced() == []
    case.ledger.settle(NOW + 1_000, 5, 0)
    assert len(case.produced()) == 1


def test_a_new_loss_begins_the_wait_anew_and_an_older_one_the_gap_earlier() -> None:
    case = Lossy()
    case.ledger.settle(NOW + 1, 5, 3)
    case.ledger.lost("A.MSFT", NOW - 1, NOW + 900, "not_delivered")
    case.ledger.lost("A.AAPL", NOW + 800, NOW + 900, "buffer_full")
    assert (case.ledger.events_lost, case.ledger.since) == (3, NOW - 1)
    case.ledger.settle(NOW + 1_899, 6, 3)
    case.ledger.settle(NOW + 1_900, 6, 3)
    assert case.produced() == [], "what got through did so before the last loss"
    case.ledger.settle(NOW + 1_900, 7, 3)
    (gap,) = case.produced()
    assert gap["from"] == "2026-11-23 14:30:00.122"
    assert (gap["reason"], gap["subscriptions"]) == ("buffer_full", ["A.AAPL", "A.MSFT"])


def test_a_refused_gap_waits_five_seconds() -> None:
    case = Case()
    case.producer.refuse(case.producer.records[0], KafkaError.NOT_ENOUGH_REPLICAS)
    case.clock.seconds += 4.9
    case.ledger.retry()
    assert len(case.produced()) == 1
    case.clock.seconds += 0.1
    case.ledger.retry()
    assert len(case.produced()) == 2


def test_each_gap_that_the_brokers_have_counts() -> None:
    case = Case()
    case.ledger.lost("A.AAPL", NOW + 10, NOW + 10, "buffer_full")
    case.ledger.finish(NOW + 11)
    for record in list(case.producer.records):
        case.producer.acknowledge(record)
    assert case.ledger.gaps_recorded == 2


def test_an_outage_begins_once_and_goes_on_after_a_part_of_it() -> None:
    case = Case()
    case.producer.acknowledge(case.producer.records[0])
    case.ledger.disconnected(NOW + 500, NOW + 600, "disconnected: silent")
    case.ledger.disconnected(NOW + 700, NOW + 800, "disconnected: closed")
    assert (case.ledger.since, case.ledger.outage_noted_ms()) == (NOW + 500, NOW + 600)
    case.ledger.record_part(NOW + 900, ["AM.AAPL", "A.AAPL"])
    assert case.ledger.has_outage
    assert case.ledger.outage_noted_ms() == NOW + 900
    case.ledger.restored(NOW + 950, ["A.AAPL"])
    assert not case.ledger.has_outage
    first, second = case.produced()[1:]
    assert (first["from"][-6:], first["to"][-6:]) == ("00.623", "01.023")
    assert (second["from"][-6:], second["to"][-6:]) == ("01.023", "01.073")
    assert first["subscriptions"] == ["A.AAPL", "AM.AAPL"]
    assert {gap["reason"] for gap in (first, second)} == {"disconnected: silent"}


def test_a_clock_that_was_set_back_leaves_a_gap_of_a_millisecond() -> None:
    case = Case()
    case.ledger.disconnected(NOW + 500, NOW + 500, "disconnected: silent")
    case.ledger.restored(NOW + 400, ["A.AAPL"])
    assert case.produced()[-1]["from"][-6:] == "00.623"
    assert case.produced()[-1]["to"][-6:] == "00.624"

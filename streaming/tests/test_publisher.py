import json
from datetime import timedelta
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError
from recording import RecordingProducer, kafka_error

from polygon_streaming.frames import Head
from polygon_streaming.gaps import Gap, GapLog
from polygon_streaming.publisher import Publisher

NOW = 1795444200123
EVENTS = ['{"ev":"A","sym":"AAPL","dv":"1.50"}', '{"ev":"LULD","T":"BRK.B"}', '{"ev":"Z"}']


def _publisher(producer: RecordingProducer) -> Publisher:
    gaps = GapLog(cast("Any", producer), "gaps")
    return Publisher("stocks", "stocks 1/1", cast("Any", producer), "raw", "dead", gaps)


def _publish(publisher: Publisher, events: list[str], at: int = NOW) -> list[Head]:
    statuses: list[Head] = []
    publisher.publish(f"[{','.join(events)}]", "c0ffee", at, statuses.append)
    return statuses


def test_each_event_is_a_record_with_key_headers_and_its_own_bytes() -> None:
    producer = RecordingProducer()
    _publish(_publisher(producer), EVENTS)
    assert [record.value for record in producer.of("raw")] == EVENTS
    assert [record.key for record in producer.of("raw")] == ["AAPL", "BRK.B", None]
    assert {record.timestamp for record in producer.of("raw")} == {NOW}
    assert producer.records[1].headers == {
        "market": "stocks",
        "received_at": "2026-11-23 14:30:00.123",
        "connection": "c0ffee",
        "event_type": "LULD",
    }


def test_status_messages_among_events_are_handed_on() -> None:
    producer = RecordingProducer()
    status = '{"ev":"status","status":"success","message":"subscribed to: A.AAPL"}'
    statuses = _publish(_publisher(producer), [EVENTS[0], status])
    assert [(head.status, head.message) for head in statuses] == [
        ("success", "subscribed to: A.AAPL")
    ]
    assert [record.value for record in producer.records] == EVENTS[:1]


def test_what_is_no_event_is_dead_lettered_with_the_reason() -> None:
    producer = RecordingProducer()
    publisher = _publisher(producer)
    _publish(publisher, [EVENTS[0], "7"])
    publisher.publish("<html>", "c0ffee", NOW, lambda _: None)
    assert [record.value for record in producer.of("raw")] == EVENTS[:1]
    dead = producer.of("dead")
    assert [record.value for record in dead] == ["7", "<html>"]
    assert "not an event" in dead[0].headers["__connect.errors.exception.message"]
    assert "not a JSON array" in dead[1].headers["__connect.errors.exception.message"]


def test_what_finds_no_room_is_one_gap_that_names_the_symbols() -> None:
    producer = RecordingProducer(room=1)
    publisher = _publisher(producer)
    _publish(publisher, EVENTS[:2], NOW)
    _publish(publisher, ['{"ev":"A","sym":"MSFT"}'], NOW + 500)
    assert producer.of("gaps") == []
    producer.room = 100
    _publish(publisher, EVENTS[:1], NOW + 1_500)
    (record,) = producer.of("gaps")
    assert json.loads(record.value) == {
        "market": "stocks",
        "from": "2026-11-23 14:30:00.123",
        "to": "2026-11-23 14:30:01.623",
        "reason": "buffer_full",
        "certain": True,
        "subscriptions": ["A.MSFT", "LULD.BRK.B"],
        "feed": "stocks 1/1",
    }
    assert len(producer.of("raw")) == 2


def test_a_queue_at_its_limit_is_one_gap_and_not_one_for_each_record() -> None:
    producer = RecordingProducer(room=0)
    publisher = _publisher(producer)
    for number in range(1_000):
        producer.room += number % 10 == 0
        _publish(publisher, EVENTS[:1], NOW + number)
    assert publisher.produced == 100
    assert publisher.missing_since == NOW + 1
    producer.room = float("inf")
    _publish(publisher, EVENTS[:1], NOW + 1_998)
    assert producer.of("gaps") == []
    _publish(publisher, EVENTS[:1], NOW + 1_999)
    assert len(producer.of("gaps")) == 1
    assert publisher.missing_since is None


def test_a_gap_waits_for_room_and_is_not_dropped() -> None:
    producer = RecordingProducer(room=0)
    gaps = GapLog(cast("Any", producer), "gaps")
    publisher = Publisher("stocks", "stocks 1/1", cast("Any", producer), "raw", "dead", gaps)
    _publish(publisher, EVENTS[:1])
    publisher.finish(NOW + 10)
    assert len(gaps.waiting) == 1
    producer.room = 1
    gaps.retry()
    assert gaps.waiting == []
    assert len(producer.of("gaps")) == 1


def test_a_gap_of_very_many_symbols_fits_into_records() -> None:
    producer = RecordingProducer()
    gaps = GapLog(cast("Any", producer), "gaps")
    names = [f"A.O:SPY{n:018d}" for n in range(50_000)]
    gaps.record(Gap("options", NOW, NOW + 1, "buffer_full", names, "options 1/1"))
    records = producer.of("gaps")
    assert max(len(record.value) for record in records) < 1_000_000
    found = [json.loads(record.value) for record in records]
    assert sorted(name for gap in found for name in gap["subscriptions"]) == names
    assert {(gap["from"], gap["to"]) for gap in found} == {
        ("2026-11-23 14:30:00.123", "2026-11-23 14:30:00.124")
    }


def test_a_gap_that_the_broker_refuses_waits_and_is_tried_again() -> None:
    producer = RecordingProducer()
    clock = [100.0]
    gaps = GapLog(cast("Any", producer), "gaps", clock=lambda: clock[0])
    gap = Gap("stocks", NOW, NOW + 1, "buffer_full", ["A.AAPL"], "stocks 1/1")
    gaps.record(gap)
    gaps.not_delivered(producer.of("gaps")[0].value)
    gaps.retry()
    assert len(producer.of("gaps")) == 1, "not at once: the broker would be asked without a pause"
    assert gaps.since("stocks") == NOW
    assert gaps.since("crypto") is None
    clock[0] += 5
    gaps.retry()
    assert [json.loads(record.value)["from"] for record in producer.of("gaps")] == [
        "2026-11-23 14:30:00.123"
    ] * 2
    assert gaps.since("stocks") is None


def test_a_fatal_producer_leaves_the_gap_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = RecordingProducer()

    def refuse(*_: Any, **__: Any) -> None:
        raise kafka_error(KafkaError._FATAL, fatal=True)

    monkeypatch.setattr(producer, "produce", refuse)
    gaps = GapLog(cast("Any", producer), "gaps")
    gaps.record(Gap("stocks", NOW, NOW + 1, "not_delivered", ["A.AAPL"], "stocks 1/1"))
    assert len(gaps.waiting) == 1


def test_undelivered_records_become_a_gap() -> None:
    producer = RecordingProducer()
    publisher = _publisher(producer)
    refused = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    publisher.not_delivered(refused, "AM", b"AAPL", NOW)
    publisher.finish(NOW + 1)
    gap = json.loads(producer.of("gaps")[0].value)
    assert gap["reason"] == "not_delivered: TOPIC_AUTHORIZATION_FAILED"
    assert gap["subscriptions"] == ["AM.AAPL"]


def test_a_fatal_producer_ends_the_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = RecordingProducer()

    def refuse(*_: Any, **__: Any) -> None:
        raise kafka_error(KafkaError._FENCED, fatal=True)

    monkeypatch.setattr(producer, "produce", refuse)
    with pytest.raises(Exception, match="_FENCED"):
        _publish(_publisher(producer), EVENTS)


def test_a_delayed_feed_records_the_time_of_the_bars_that_are_missing() -> None:
    producer = RecordingProducer()
    gaps = GapLog(cast("Any", producer), "gaps", timedelta(minutes=15))
    gaps.record(Gap("stocks", NOW, NOW + 1_000, "buffer_full", ["A.AAPL"], "stocks 1/1"))
    gap = json.loads(producer.of("gaps")[0].value)
    assert (gap["from"], gap["to"]) == ("2026-11-23 14:15:00.123", "2026-11-23 14:15:01.123")
    gaps.not_delivered(producer.of("gaps")[0].value)
    assert gaps.since("stocks") == NOW

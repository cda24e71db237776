import json
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polygon_streaming.feed.frames import Splitter
from polygon_streaming.feed.publisher import Publisher
from polygon_streaming.gaps.ledger import Ledger
from polygon_streaming.gaps.topic import GapsTopic

from unit_tests.streaming.fake_producer import RecordingProducer, kafka_error

NOW = 1795444200123
EVENTS = ['{"ev":"A","sym":"AAPL","dv":"1.50"}', '{"ev":"LULD","T":"BRK.B"}', '{"ev":"Z"}']


class Market:
    """A publisher with its ledger; gaps go to a producer of their own, as in the feed."""

    def __init__(self, room: float = float("inf")) -> None:
        self.producer = RecordingProducer(room)
        self.gaps_producer = RecordingProducer()
        topic = GapsTopic(cast("Any", self.gaps_producer), "gaps")
        self.ledger = Ledger("stocks", "stocks 1/1", topic)
        self.publisher = Publisher("stocks", cast("Any", self.producer), "raw", "dead", self.ledger)

    def recorded(self) -> list[Any]:
        """Return the gaps produced so far."""
        return [json.loads(record.value) for record in self.gaps_producer.of("gaps")]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    now = [NOW]
    monkeypatch.setattr("polygon_streaming.feed.publisher.now_ms", lambda: now[0])
    return now


def _publish(publisher: Publisher, events: list[str], at: int = NOW) -> None:
    _publish_frame(publisher, f"[{','.join(events)}]", at)


def _publish_frame(publisher: Publisher, frame: str, at: int = NOW, market: str = "stocks") -> None:
    publisher.publish(Splitter(market).split(frame), "c0ffee", at)


def test_each_event_is_a_record_with_key_headers_and_its_own_bytes() -> None:
    market = Market()
    _publish(market.publisher, EVENTS)
    assert [record.value for record in market.producer.of("raw")] == EVENTS
    assert [record.key for record in market.producer.of("raw")] == ["AAPL", "BRK.B", None]
    assert {record.timestamp for record in market.producer.of("raw")} == {NOW}
    assert market.producer.records[1].headers == {"origin": "stocks/c0ffee"}


def test_what_is_no_event_is_dead_lettered_with_the_reason() -> None:
    market = Market()
    _publish(market.publisher, [EVENTS[0], "7"])
    _publish_frame(market.publisher, "<html>")
    assert [record.value for record in market.producer.of("raw")] == EVENTS[:1]
    dead = market.producer.of("dead")
    assert [record.value for record in dead] == ["7", "<html>"]
    assert "not an event" in dead[0].headers["__connect.errors.exception.message"]
    assert "not a JSON array" in dead[1].headers["__connect.errors.exception.message"]


def test_what_finds_no_room_is_one_gap_that_names_the_symbols(clock: list[int]) -> None:
    market = Market(room=1)
    _publish(market.publisher, EVENTS[:2], NOW)
    clock[0] = NOW + 500
    _publish(market.publisher, ['{"ev":"A","sym":"MSFT"}'], NOW + 500)
    market.ledger.settle(NOW + 600, 0, 1)
    assert market.ledger.losing == "buffer_full"
    market.producer.room = 100
    _publish(market.publisher, EVENTS[:1], NOW + 1_000)
    market.ledger.settle(NOW + 1_499, 1, 1)
    assert market.recorded() == []
    market.ledger.settle(NOW + 1_500, 1, 1)
    assert market.recorded() == [
        {
            "market": "stocks",
            "from": "2026-11-23 14:30:00.123",
            "to": "2026-11-23 14:30:01.623",
            "reason": "buffer_full",
            "certain": True,
            "subscriptions": ["A.MSFT", "LULD.BRK.B"],
            "feed": "stocks 1/1",
        }
    ]
    assert market.ledger.losing == ""
    assert market.ledger.events_lost == 2
    # Records between which something was lost can be told by their headers.
    assert [r.headers.get("lost") for r in market.producer.of("raw")] == [None, "2"]
    assert len(market.producer.of("raw")) == 2


def test_a_queue_at_its_limit_is_one_gap_and_not_one_for_each_record(clock: list[int]) -> None:
    market = Market(room=0)
    for number in range(1_000):
        clock[0] = NOW + number
        market.producer.room += number % 10 == 0
        _publish(market.publisher, EVENTS[:1], NOW + number)
        market.ledger.settle(clock[0], number // 10, 50)
    assert market.publisher.produced == 100
    assert market.ledger.events_lost == 900
    assert market.ledger.since == NOW + 1
    market.ledger.settle(NOW + 1_998, 101, 0)
    assert market.recorded() == []
    market.ledger.settle(NOW + 1_999, 101, 0)
    assert len(market.recorded()) == 1


def test_what_the_brokers_refuse_later_is_a_gap_from_when_it_came_in(clock: list[int]) -> None:
    market = Market()
    _publish(market.publisher, EVENTS[:2], NOW)
    _publish(market.publisher, ['{"ev":"T","sym":"X","p":1}'], NOW + 200)
    first, second, third = market.producer.of("raw")
    clock[0] = NOW + 30_000
    for record in (third, first):
        market.producer.refuse(record, KafkaError.UNKNOWN_TOPIC_OR_PART)
    assert market.ledger.since == NOW
    assert (market.publisher.produced, market.publisher.failed) == (3, 2)
    market.ledger.finish(NOW + 30_001)
    (gap,) = market.recorded()
    assert gap["reason"] == "not_delivered: UNKNOWN_TOPIC_OR_PART"
    assert gap["subscriptions"] == ["A.AAPL", "T.X"]
    assert gap["from"] == "2026-11-23 14:30:00.123"
    assert gap["to"] == "2026-11-23 14:30:30.124"
    assert second.key == "BRK.B"


def test_a_topic_that_refuses_now_and_then_is_one_loss_until_something_gets_through(
    clock: list[int],
) -> None:
    """As a missing topic does: what waits for it is refused half a minute later, all at once."""
    market = Market()
    _publish(market.publisher, EVENTS[:1])
    market.producer.refuse(market.producer.records[0], KafkaError.UNKNOWN_TOPIC_OR_PART)
    market.ledger.settle(NOW + 100, 500, 20)
    market.ledger.settle(NOW + 25_000, 500, 700)
    assert market.ledger.losing == "not_delivered: UNKNOWN_TOPIC_OR_PART"
    market.ledger.settle(NOW + 25_100, 501, 700)
    assert market.ledger.losing == ""
    assert len(market.recorded()) == 1


def test_a_dead_letter_that_is_refused_is_a_gap_of_anything() -> None:
    market = Market()
    _publish_frame(market.publisher, "<html>")
    market.producer.refuse(market.producer.of("dead")[0], KafkaError.TOPIC_AUTHORIZATION_FAILED)
    market.ledger.finish(NOW + 1)
    (gap,) = market.recorded()
    assert gap["subscriptions"] == ["?.*"]
    assert market.publisher.failed == 0, "it was no event handed to the producer"


def test_a_producer_that_reports_a_fatal_error_is_of_no_further_use() -> None:
    market = Market()
    _publish(market.publisher, EVENTS[:1])
    market.producer.refuse(market.producer.records[0], KafkaError._FATAL, fatal=True)
    assert market.publisher.failure is not None
    assert market.publisher.failure.code() == KafkaError._FATAL


def test_a_fatal_producer_ends_the_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    market = Market()

    def refuse(*_: Any, **__: Any) -> None:
        raise kafka_error(KafkaError._FENCED, fatal=True)

    monkeypatch.setattr(market.producer, "produce", refuse)
    with pytest.raises(Exception, match="_FENCED"):
        _publish(market.publisher, EVENTS)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
HEADS = st.fixed_dictionaries(
    {}, optional={name: ANY_JSON | st.just("A") for name in ("ev", "sym", "pair", "T", "p")}
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # a clock that stands
@given(st.lists(HEADS | ANY_JSON, max_size=6), st.sampled_from(["stocks", "forex"]), st.booleans())
def test_any_array_ends_as_records_and_dead_letters(
    elements: list[Any], market: str, escaped: bool
) -> None:
    case = Market()
    publisher = Publisher(market, cast("Any", case.producer), "raw", "dead", case.ledger)
    frame = json.dumps(elements, ensure_ascii=escaped)
    _publish_frame(publisher, frame, market=market)
    produced = len(case.producer.of("raw"))
    dead = len(case.producer.of("dead"))
    assert publisher.produced == produced
    assert produced + dead == len(elements) or (dead == 1 and not produced)
    for record in case.producer.records:
        case.producer.refuse(record, KafkaError.MSG_SIZE_TOO_LARGE)
    assert case.ledger.events_lost == produced + dead
    case.ledger.finish(NOW + 1)
    assert len(case.recorded()) == bool(case.ledger.events_lost)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text())
def test_any_text_ends_as_records_or_dead_letters(frame: str) -> None:
    case = Market()
    _publish_frame(case.publisher, frame)
    assert case.producer.records or frame.strip() == "[]"

"""What becomes of a batch: clean records, dead letters, gaps that their volumes tell."""

import logging
from typing import Any

import msgspec
import pytest
import structlog
from confluent_kafka import (
    KafkaError,
    KafkaException,
)
from polygon_streaming.filter.output import Output
from polygon_streaming.gaps.gap import Gap
from polygon_streaming.process import metrics
from polygon_streaming.settings import FilterSettings
from structlog.testing import capture_logs

from unit_tests.streaming.fake_consumer import START, sent
from unit_tests.streaming.fake_producer import FakeProducer
from unit_tests.streaming.filter_stage import bar, gaps_of, messages_of, stage_of


def test_a_short_record_after_a_long_one_has_nothing_of_it() -> None:
    long = bar(1).replace(b'"AAPL"', b'"%s"' % (b"A" * 100))
    stage, producer, _, stop = stage_of([messages_of(long, bar(2), long)])
    stage.run(stop)
    records = producer.of("custom_filtered_stock_data_topic")
    assert [msgspec.json.decode(r.value)["symbol"] for r in records] == [
        "A" * 100,
        "AAPL",
        "A" * 100,
    ]
    assert [r.value[-1:] for r in records] == [b"}"] * 3


def test_a_header_that_is_no_text_stops_nothing() -> None:
    (message,) = messages_of(bar(1))
    message.sent = [("origin", b"\xff/c0ffee")]
    stage, producer, _, stop = stage_of([[message]])
    stage.run(stop)
    (record,) = producer.of("custom_filtered_stock_data_topic")
    assert msgspec.json.decode(record.value)["market"] == "\ufffd"


def test_a_gap_is_counted_and_logged() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    name, labels = "polygon_filter_gaps_total", {"reason": "retention", "market": ""}
    before = metrics.FILTER.get_sample_value(name, labels) or 0
    producer: Any = FakeProducer()
    producer.init_transactions(1)
    producer.begin_transaction()
    with capture_logs() as said:
        Output(FilterSettings.model_validate({}), producer).gap(
            Gap("", 0, 1000, "retention", (), "")
        )
    assert metrics.FILTER.get_sample_value(name, labels) == before + 1
    assert [(line["event"], line["reason"]) for line in said] == [("gap", "retention")]


def _second(start: int, end: int, v: int, av: int) -> bytes:
    return (
        f'{{"ev":"A","sym":"AAPL","v":{v},"av":{av},"o":1,"h":1,"l":1,"c":1,"s":{start},"e":{end}}}'
    ).encode()


@pytest.mark.parametrize("unit", [1_000_000, 1_000, 0.001], ids=["nano", "micro", "seconds"])
def test_a_bar_in_a_wrong_unit_of_time_is_a_dead_letter_and_nothing_remembers_it(
    unit: float,
) -> None:
    wrong = _second(int((START + 2000) * unit), int((START + 3000) * unit), 5, 900)
    good = [
        _second(START, START + 1000, 10, 100),
        _second(START + 4000, START + 5000, 10, 110),
        _second(START + 9000, START + 10000, 10, 200),
    ]
    batch = messages_of(good[0], wrong, *good[1:])
    for message in batch:
        message.received_ms = START + 20_000
    stage, producer, _, stop = stage_of([batch])
    stage.run(stop)
    assert len(producer.of("custom_filtered_stock_data_topic")) == 3
    (dead,) = producer.of("polygon_stream_dead_letter")
    assert dead.value == wrong
    assert "not in milliseconds since 1970" in dead.headers["__connect.errors.exception.message"]
    # The watch has followed the good ones, and them alone.
    assert gaps_of(producer) == [(START + 5000, START + 9000, "volume_jump", False)]


def test_no_likely_gap_lies_where_the_feed_has_one_on_record() -> None:
    bars = [_second(START + 1000 * n, START + 1000 * (n + 1), 10, 100 * n) for n in range(0, 18, 3)]
    batch = messages_of(*bars)
    for message, stretch in zip(batch, ["c1", "c2", "c2", "c2 5", "c2 7", "c2 7"], strict=True):
        connection, _, lost = stretch.partition(" ")
        message.received_ms = START + 20_000
        message.sent = sent(connection, int(lost or 0))
    stage, producer, _, stop = stage_of([batch])
    stage.run(stop)
    assert gaps_of(producer) == [
        (START + 4000, START + 6000, "volume_jump", False),
        (START + 13000, START + 15000, "volume_jump", False),
    ]


def test_an_upgrade_of_the_feed_loses_nothing_and_finds_no_gap_of_its_own() -> None:
    """Records of the release before lie on the topic in front of those of the new one."""
    bars = [_second(START + 1000 * n, START + 1000 * (n + 1), 10, 100 * n) for n in range(0, 15, 3)]
    batch = messages_of(*bars)
    before = [("market", b"stocks"), ("connection", b"c0ffee")]
    sent_as = [before, before, [*before, ("healed", b"restart")], sent("decaf"), sent("decaf")]
    for message, headers in zip(batch, sent_as, strict=True):
        message.received_ms = START + 20_000
        message.sent = headers
    stage, producer, _, stop = stage_of([batch])
    stage.run(stop)
    records = [
        msgspec.json.decode(r.value) for r in producer.of("custom_filtered_stock_data_topic")
    ]
    assert [record["market"] for record in records] == ["stocks"] * 5
    assert [record["healed"] for record in records] == [False, False, True, False, False]
    assert producer.of("polygon_stream_dead_letter") == []
    # Of each feed what is missing within its own records, and nothing between the two.
    assert gaps_of(producer) == [
        (START + 1000, START + 3000, "volume_jump", False),
        (START + 4000, START + 6000, "volume_jump", False),
        (START + 10000, START + 12000, "volume_jump", False),
    ]


def test_a_dead_letter_too_large_for_its_topic_says_where_the_record_is() -> None:
    stage, producer, _, stop = stage_of([messages_of(b"x" * 2000)])
    produce = producer.produce

    def limited(topic: str, value: Any, *more: Any, **named: Any) -> None:
        if value is not None and len(value) > 1000:
            raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
        produce(topic, value, *more, **named)

    producer.produce = limited
    stage.run(stop)
    (dead,) = producer.of("polygon_stream_dead_letter")
    assert (dead.value, dead.key) == (None, None)
    assert dead.headers["__connect.errors.topic"] == "polygon_stream_aggregates"
    assert dead.headers["__connect.errors.offset"] == "0"
    assert "Its 2000 bytes are too large" in dead.headers["__connect.errors.exception.message"]
    assert producer.calls[-1] == "commit_transaction"


def test_a_dead_letter_that_the_brokers_find_too_large_stops_nothing() -> None:
    poison = b"x" * 2000
    stage, producer, _, stop = stage_of(
        [messages_of(poison), messages_of(poison), messages_of(b"y")]
    )
    refusal = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, txn_requires_abort=True)
    producer.failures["commit_transaction"] = [refusal]
    stage.run(stop)
    dead = [record.value for record in producer.of("polygon_stream_dead_letter")]
    assert dead == [None, b"y"]


def test_the_key_is_the_symbol_whatever_the_raw_record_had() -> None:
    batch = messages_of(bar(1))
    batch[0].marked = None
    stage, producer, _, stop = stage_of([batch])
    stage.run(stop)
    assert [record.key for record in producer.of("custom_filtered_stock_data_topic")] == ["AAPL"]

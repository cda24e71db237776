"""The transaction loop against stand-ins: what is committed, aborted, gone back to, given up."""

import logging
import time
from threading import Event
from typing import Any, cast

import msgspec
import pytest
import structlog
from confluent_kafka import (
    OFFSET_BEGINNING,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from polygon_streaming.errors import StreamError
from polygon_streaming.filter.loop import Filter
from polygon_streaming.filter.output import Output
from polygon_streaming.gaps.gap import Gap, decode
from polygon_streaming.process import metrics
from polygon_streaming.process.heartbeat import Heartbeat
from polygon_streaming.settings import FilterSettings
from structlog.testing import capture_logs

from unit_tests.streaming.fake_consumer import START, TOPIC, FakeConsumer, FakeMessage, sent
from unit_tests.streaming.fake_producer import FakeProducer
from unit_tests.streaming.filter_stage import bar, clients_of, messages_of, stage_of


def test_a_batch_and_its_offsets_are_one_transaction() -> None:
    stage, producer, _, stop = stage_of(
        [messages_of(bar(1), b'{"ev":"LULD"}', b"poison", bar(2)), []]
    )
    stage.run(stop)
    assert producer.calls == [
        "init_transactions", "begin_transaction", "send_offsets_to_transaction",
        "commit_transaction",
    ]  # fmt: skip
    records = producer.of("custom_filtered_stock_data_topic")
    assert [msgspec.json.decode(r.value)["volume"] for r in records] == [1.0, 2.0]
    assert {r.timestamp for r in records} == {START + 100}
    (dead,) = producer.of("polygon_stream_dead_letter")
    assert dead.value == b"poison"
    assert dead.headers["__connect.errors.offset"] == "2"
    assert dead.headers["origin"] == b"stocks/c0ffee"


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


def test_offsets_are_committed_though_nothing_passes() -> None:
    stage, producer, _, stop = stage_of([messages_of(b'{"ev":"LULD"}')])
    stage.run(stop)
    assert producer.calls[-1] == "commit_transaction"
    assert producer.records == []


@pytest.mark.parametrize("call", ["send_offsets_to_transaction", "commit_transaction"])
def test_an_abortable_error_aborts_and_goes_back(call: str) -> None:
    stage, producer, consumer, stop = stage_of([messages_of(bar(1)), messages_of(bar(1))])
    producer.failures[call] = [KafkaError(KafkaError.ILLEGAL_GENERATION, txn_requires_abort=True)]
    stage.run(stop)
    assert producer.calls.count("abort_transaction") == 1
    assert consumer.sought == [3]
    assert producer.calls[-1] == "commit_transaction"


def test_a_transaction_that_fails_while_it_is_filled_is_aborted_and_gone_back_from() -> None:
    batch = [bar(1), bar(2), bar(3)]
    stage, producer, consumer, stop = stage_of([messages_of(*batch), messages_of(*batch)])
    late = KafkaError(KafkaError._TIMED_OUT, txn_requires_abort=True)
    producer.failing = [(2, late)]
    stage.run(stop)
    assert producer.calls.count("abort_transaction") == 1
    assert consumer.sought == [3]
    records = producer.of("custom_filtered_stock_data_topic")
    assert [msgspec.json.decode(r.value)["volume"] for r in records] == [1.0, 2.0, 3.0]


def test_one_that_fails_for_good_while_it_is_filled_ends_the_filter_with_the_reason() -> None:
    stage, producer, _, stop = stage_of([messages_of(bar(1))])
    producer.failing = [(0, KafkaError(KafkaError._TIMED_OUT, txn_requires_abort=True))]
    producer.failures["abort_transaction"] = [KafkaError(KafkaError._FENCED, fatal=True)]
    with pytest.raises(StreamError, match="Fenced: "):
        stage.run(stop)


def _refusal(producer: Producer) -> KafkaError:
    """Return why a record is refused, once the client has noticed that one before it is late."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            producer.produce("records", b"1")
        except KafkaException as refused:
            error: KafkaError = refused.args[0]
            return error
        producer.poll(0.05)
    raise AssertionError("no record was refused")


def test_what_the_client_says_of_a_transaction_that_failed_in_the_background() -> None:
    """The client itself, on its own stand-in for brokers, which answer too late here."""
    producer = Producer(
        {
            "bootstrap.servers": "mock",
            "test.mock.num.brokers": 1,
            "test.mock.broker.rtt": 400,
            "transactional.id": "late",
            "message.timeout.ms": 200,
            "linger.ms": 0,
            "log_level": 0,
        }
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    error = _refusal(producer)
    assert (error.name(), error.fatal(), error.txn_requires_abort()) == ("_STATE", False, False)
    with pytest.raises(KafkaException) as reason:
        producer.commit_transaction(30)
    cause = reason.value.args[0]
    assert (cause.name(), cause.txn_requires_abort()) == ("_TIMED_OUT", True)
    producer.abort_transaction(30)
    producer.begin_transaction()
    producer.close()


def _gaps(producer: FakeProducer) -> list[tuple[int, int, str, bool]]:
    gaps = [decode(record.value) for record in producer.of("polygon_stream_gaps")]
    return [(gap.start_ms, gap.end_ms, gap.reason, gap.certain) for gap in gaps]


@pytest.mark.parametrize(("stored", "begun"), [(-1001, OFFSET_BEGINNING), (3, 3), (9, 9)])
def test_a_filter_goes_on_where_its_group_is(stored: int, begun: int) -> None:
    stage, producer, consumer, stop = stage_of([messages_of(bar(1))])
    consumer.group.store([TopicPartition(TOPIC, 1, stored)])
    stage.run(stop)
    assert consumer.begun == [begun]
    assert _gaps(producer) == []


def test_brokers_that_do_not_tell_the_offset_are_asked_again() -> None:
    stage, _, consumer, stop = stage_of([messages_of(bar(1))])
    consumer.group.refusals = [
        KafkaException(KafkaError(KafkaError._TRANSPORT)),
        KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT),
    ]
    stage.run(stop)
    assert consumer.begun == [3]


def test_an_offset_that_may_not_be_read_is_not_taken_for_none() -> None:
    stage, producer, consumer, stop = stage_of([messages_of(bar(1))])
    consumer.group.refusals = [KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)]
    with pytest.raises(StreamError, match="GROUP_AUTHORIZATION_FAILED"):
        stage.run(stop)
    assert consumer.begun == []
    assert producer.records == []


def test_an_offset_beyond_the_end_ends_the_filter_with_the_fix() -> None:
    (message,) = messages_of(b"")
    message.failure = KafkaError(KafkaError._AUTO_OFFSET_RESET)
    stage, producer, _, stop = stage_of([[message]])
    with pytest.raises(StreamError, match=r"'polygon-stream-filter' is not in .*--reset-offsets"):
        stage.run(stop)
    assert producer.records == []


def test_what_kafka_deleted_unread_is_a_gap_from_the_last_record_read() -> None:
    stage, producer, _, stop = stage_of([messages_of(bar(1))])
    stage.run(stop)
    (stored,) = producer.offsets
    assert (stored.partition, stored.offset) == (1, 1)

    later = messages_of(bar(2), bar(3))
    for message in later:
        message.received_ms = START + 3_600_000
    stage, producer, consumer, stop = stage_of([later, later])
    consumer.group.store([stored])
    consumer.group.watermarks = (10, 12)
    stage.run(stop)
    assert consumer.begun == [OFFSET_BEGINNING]
    # A delayed feed's bars are 15 minutes older than their receipt.
    assert _gaps(producer) == [(START + 100 - 900_000, START + 3_600_000, "retention", True)]
    assert len(producer.of("custom_filtered_stock_data_topic")) == 4


def test_the_gap_is_recorded_again_if_its_transaction_is_aborted() -> None:
    stage, producer, consumer, stop = stage_of([messages_of(bar(2)), messages_of(bar(2))])
    consumer.group.watermarks = (4, 12)
    producer.failures["commit_transaction"] = [KafkaError(1, txn_requires_abort=True)]
    stage.run(stop)
    assert producer.calls.count("abort_transaction") == 1
    # The offset does not say when its record was received.
    assert _gaps(producer) == [(START + 100 - 900_000, START + 100, "retention", True)]


def test_another_filter_that_takes_the_partition_over_records_the_gap() -> None:
    stage, producer, consumer, stop = stage_of([[], messages_of(bar(2))])
    consumer.group.watermarks = (4, 12)
    consumer.lost_after = 1
    stage.run(stop)
    assert _gaps(producer) == []


def test_a_retriable_error_is_tried_again_without_an_abort() -> None:
    stage, producer, consumer, stop = stage_of([messages_of(bar(1))])
    again = KafkaError(KafkaError._TIMED_OUT, retriable=True)
    producer.failures["commit_transaction"] = [again, again]
    stage.run(stop)
    assert producer.calls.count("commit_transaction") == 3
    assert "abort_transaction" not in producer.calls
    assert consumer.sought == []


def test_a_fenced_filter_ends_and_says_why() -> None:
    stage, producer, _, stop = stage_of([messages_of(bar(1))])
    producer.failures["commit_transaction"] = [KafkaError(KafkaError._FENCED, fatal=True)]
    with pytest.raises(
        StreamError, match=r"Fenced: .*'polygon-stream-filter-1'.*--transactional-id"
    ):
        stage.run(stop)
    assert "abort_transaction" not in producer.calls


def test_an_error_without_a_flag_is_fatal() -> None:
    stage, producer, _, stop = stage_of([messages_of(bar(1))])
    producer.failures["begin_transaction"] = [KafkaError(KafkaError._STATE)]
    with pytest.raises(StreamError, match="_STATE"):
        stage.run(stop)


def test_too_many_unreadable_records_in_a_row_stop_the_filter_uncommitted() -> None:
    stage, producer, _, stop = stage_of([messages_of(b"1", b"2", b"3")], dead_letter_limit=3)
    with pytest.raises(StreamError, match="3 unreadable records in a row"):
        stage.run(stop)
    assert "commit_transaction" not in producer.calls
    assert producer.calls[-1] == "abort_transaction"


def test_a_stopping_filter_does_not_wait_for_brokers_for_ever() -> None:
    stop = Event()

    class LastMessage(FakeMessage):
        def value(self) -> bytes | None:
            stop.set()
            return super().value()

    clients = clients_of([[LastMessage(bar(1), 0)]], stop)
    producer: Any = clients.producer
    producer.failures["commit_transaction"] = [
        KafkaError(KafkaError._TIMED_OUT, retriable=True) for _ in range(100)
    ]
    stage = Filter(FilterSettings.model_validate({}), clients, drain_seconds=0.15)
    with pytest.raises(StreamError, match="the brokers do not answer"):
        stage.run(stop)


def test_a_header_that_is_no_text_stops_nothing() -> None:
    (message,) = messages_of(bar(1))
    message.sent = [("origin", b"\xff/c0ffee")]
    stage, producer, _, stop = stage_of([[message]])
    stage.run(stop)
    (record,) = producer.of("custom_filtered_stock_data_topic")
    assert msgspec.json.decode(record.value)["market"] == "\ufffd"


def test_the_lag_of_partitions_that_went_to_another_is_no_longer_told() -> None:
    told: list[dict[str, float | None]] = []

    class Looking(Heartbeat):
        def beat(self) -> None:
            lag = metrics.FILTER.get_sample_value
            told.append(
                {p: lag("polygon_consumer_lag_records", {"partition": p}) for p in ("1", "3")}
            )

    stop = Event()
    metrics.lag.labels("3").set(100)
    batches = [messages_of(bar(1)), messages_of(bar(2))]
    Filter(FilterSettings.model_validate({}), clients_of(batches, stop), Looking()).run(stop)
    assert told[0]["3"] == 100
    assert {"1": 6.0, "3": None} in told


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
    assert _gaps(producer) == [(START + 5000, START + 9000, "volume_jump", False)]


def test_no_likely_gap_lies_where_the_feed_has_one_on_record() -> None:
    bars = [_second(START + 1000 * n, START + 1000 * (n + 1), 10, 100 * n) for n in range(0, 18, 3)]
    batch = messages_of(*bars)
    for message, stretch in zip(batch, ["c1", "c2", "c2", "c2 5", "c2 7", "c2 7"], strict=True):
        connection, _, lost = stretch.partition(" ")
        message.received_ms = START + 20_000
        message.sent = sent(connection, int(lost or 0))
    stage, producer, _, stop = stage_of([batch])
    stage.run(stop)
    assert _gaps(producer) == [
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
    assert _gaps(producer) == [
        (START + 1000, START + 3000, "volume_jump", False),
        (START + 4000, START + 6000, "volume_jump", False),
        (START + 10000, START + 12000, "volume_jump", False),
    ]


def test_a_record_without_its_time_is_a_dead_letter_and_no_offset_says_that_time() -> None:
    batch = messages_of(bar(1), bar(2))
    batch[1].received_ms = -1
    stage, producer, _, stop = stage_of([batch])
    stage.run(stop)
    (dead,) = producer.of("polygon_stream_dead_letter")
    assert "when it was received" in dead.headers["__connect.errors.exception.message"]
    (stored,) = producer.offsets
    assert stored.metadata == str(START + 100)


def test_the_gap_of_what_was_deleted_ends_with_the_first_record_that_says_its_time() -> None:
    batch = messages_of(bar(2), bar(3))
    batch[0].received_ms = 10**17
    stage, producer, consumer, stop = stage_of([batch[:1], batch[1:]])
    consumer.group.store([TopicPartition(TOPIC, 1, 3, "9" * 30)])
    consumer.group.watermarks = (4, 12)
    stage.run(stop)
    assert _gaps(producer) == [(START + 100 - 900_000, START + 100, "retention", True)]


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


def test_what_waits_or_fails_again_and_again_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, producer, consumer, stop = stage_of(4 * [messages_of(bar(1))])
    consumer.group.refusals = [KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT)]
    producer.failures["commit_transaction"] = [
        KafkaError(1, "too large", txn_requires_abort=True) for _ in range(2)
    ]
    said: list[str] = []
    real, ahead = time.monotonic, [0.0]
    monkeypatch.setattr("polygon_streaming.filter.loop.time.monotonic", lambda: real() + ahead[0])

    def look() -> None:
        said.extend(problem for problem in stage.problems() if problem not in said)

    def look_later() -> None:
        ahead[0] += 30
        look()

    monkeypatch.setattr(stage.heartbeat, "beat", look)
    producer.meanwhile["send_offsets_to_transaction"] = look_later
    stage.run(stop)
    assert [problem.split(". ")[0] for problem in said] == [
        "kafka: no partition is assigned",
        "kafka: partitions 1 wait for their committed offsets",
        "kafka: partitions 1 wait for their committed offsets",
        "kafka: a transaction has not ended for 30 s",
        "kafka: 2 transactions aborted in a row: too large",
    ]
    assert stage.problems() == []


class Hasty(FakeConsumer):
    """Loses its partition as soon as it has it, before anyone can know where to begin."""

    def subscribe(self, _: list[str], **callbacks: Any) -> None:
        self.told = callbacks
        self.unassigned: list[int] = []

    def incremental_unassign(self, places: list[TopicPartition]) -> None:
        self.unassigned.append(len(places))

    def consume(self, _number: int, _seconds: float) -> list[FakeMessage]:
        if self.unassigned:
            self.stop.set()
            return []
        for name in ("on_assign", "on_revoke"):
            self.told[name](self, [TopicPartition(TOPIC, 1)])
        self.stop.wait(0.05)
        return []


def test_a_partition_that_went_before_its_place_was_known_is_not_begun() -> None:
    stop = Event()
    consumer = Hasty(stop=stop)
    clients = clients_of([], stop)._replace(consumer=cast("Any", consumer))
    Filter(FilterSettings.model_validate({}), clients).run(stop)
    assert consumer.begun == []
    # What the library does not have it cannot give up.
    assert consumer.unassigned == [0]

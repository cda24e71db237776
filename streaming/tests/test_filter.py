"""The transaction loop against stand-ins: what is committed, aborted, gone back to, given up."""

import logging
import time
from dataclasses import dataclass, field
from threading import Event
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
import structlog
from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition
from recording import RecordingProducer
from structlog.testing import capture_logs

from polygon_streaming import metrics
from polygon_streaming.errors import StreamError
from polygon_streaming.filter import Filter
from polygon_streaming.gaps import Gap, decode
from polygon_streaming.places import Places
from polygon_streaming.settings import FilterSettings
from polygon_streaming.takeover import Takeover

START = 1795444200000


@dataclass
class FakeMessage:
    raw: bytes | None
    place: int
    sent: list[tuple[str, Any]] | None = field(default_factory=lambda: [("market", b"stocks")])
    received_ms: int = START + 100
    failure: KafkaError | None = None
    marked: bytes | None = b"AAPL"
    headers_fail: bool = False

    def error(self) -> KafkaError | None:
        return self.failure

    def value(self) -> bytes | None:
        return self.raw

    def key(self) -> bytes | None:
        return self.marked

    def topic(self) -> str:
        return "polygon_stream_aggregates"

    def partition(self) -> int:
        return 1

    def offset(self) -> int:
        return self.place

    def timestamp(self) -> tuple[int, int]:
        return (1, self.received_ms)

    def headers(self) -> list[tuple[str, Any]] | None:
        if self.headers_fail:  # as seen with a header whose name is not UTF-8
            raise SystemError("returned a result with an exception set")
        return self.sent


class FakeProducer(RecordingProducer):
    """Records the order of transactional calls; each may be told to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.failures: dict[str, list[KafkaError]] = {}
        self.offsets: list[TopicPartition] = []

    def poll(self, _: float) -> int:
        return 0

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*given: Any) -> None:
            self.calls.append(name)
            if name == "send_offsets_to_transaction":
                self.offsets = given[0]
            if self.failures.get(name):
                raise KafkaException(self.failures[name].pop(0))

        return call


class FakeConsumer:
    """Hands out batches; remembers seeks."""

    def __init__(self, batches: list[list[FakeMessage]], stop: Event) -> None:
        self.batches = batches
        self.stop = stop
        self.sought: list[int] = []
        self.begun: list[int] = []
        self.stored = TopicPartition("polygon_stream_aggregates", 1, 3)
        self.watermarks = (0, 7)
        self.lost_after = 0
        self.refusals: list[KafkaException | KafkaError] = []
        self._calls = 0

    def subscribe(self, _: Any, **callbacks: Any) -> None:
        self._callbacks = callbacks

    def incremental_assign(self, places: list[TopicPartition]) -> None:
        self.begun += [place.offset for place in places]

    def consume(self, *_: Any) -> list[FakeMessage]:
        if self._calls == 0:
            self._callbacks["on_assign"](self, [TopicPartition("polygon_stream_aggregates", 1)])
            self._calls = 1
        if not self.begun:
            time.sleep(0.001)
            return []
        if self._calls == self.lost_after:
            self._callbacks["on_lost"](self, self.assignment())
        self._calls += 1
        if not self.batches:
            self.stop.set()
            return []
        return self.batches.pop(0)

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition("polygon_stream_aggregates", 1)] if self.begun else []

    def position(self, _: Any) -> list[TopicPartition]:
        return [TopicPartition("polygon_stream_aggregates", 1, 7)]

    def committed(self, *_: Any) -> list[SimpleNamespace]:
        """Fail as a whole, or for the partition alone, or tell the offset."""
        refusal = self.refusals.pop(0) if self.refusals else None
        if isinstance(refusal, KafkaException):
            raise refusal
        offset, metadata = (-1001, "") if refusal else (self.stored.offset, self.stored.metadata)
        return [
            SimpleNamespace(
                topic="polygon_stream_aggregates",
                partition=1,
                offset=offset,
                metadata=metadata,
                error=refusal,
            )
        ]

    def seek(self, place: TopicPartition) -> None:
        self.sought.append(place.offset)

    def get_watermark_offsets(self, *_: Any, **__: Any) -> tuple[int, int]:
        return self.watermarks

    def __getattr__(self, _: str) -> Any:
        return lambda *_, **__: None


def _bar(number: int) -> bytes:
    return (
        f'{{"ev":"A","sym":"AAPL","v":{number},"o":1,"h":1,"l":1,"c":1,'
        f'"s":{START + 1000 * number}}}'
    ).encode()


def _messages(*values: bytes) -> list[FakeMessage]:
    return [FakeMessage(value, place) for place, value in enumerate(values)]


def stage_of(batches: list[list[FakeMessage]], **changes: Any) -> tuple[Filter, Any, Any, Event]:
    stop = Event()
    stage = Filter(FilterSettings.model_validate(changes))
    producer, consumer = FakeProducer(), FakeConsumer(batches, stop)
    stage.producer = cast("Any", producer)
    stage._consumer = cast("Any", consumer)
    stage._places = Places(cast("Any", consumer), cast("Any", consumer))
    stage._takeover = Takeover(stage._places.ask)
    return stage, producer, consumer, stop


def test_a_batch_and_its_offsets_are_one_transaction() -> None:
    stage, producer, _, stop = stage_of([_messages(_bar(1), b'{"ev":"T"}', b"poison", _bar(2)), []])
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
    assert dead.headers["market"] == b"stocks"


def test_offsets_are_committed_though_nothing_passes() -> None:
    stage, producer, _, stop = stage_of([_messages(b'{"ev":"T"}')])
    stage.run(stop)
    assert producer.calls[-1] == "commit_transaction"
    assert producer.records == []


@pytest.mark.parametrize("call", ["send_offsets_to_transaction", "commit_transaction"])
def test_an_abortable_error_aborts_and_goes_back(call: str) -> None:
    stage, producer, consumer, stop = stage_of([_messages(_bar(1)), _messages(_bar(1))])
    producer.failures[call] = [KafkaError(KafkaError.ILLEGAL_GENERATION, txn_requires_abort=True)]
    stage.run(stop)
    assert producer.calls.count("abort_transaction") == 1
    assert consumer.sought == [3]
    assert producer.calls[-1] == "commit_transaction"


def _gaps(producer: FakeProducer) -> list[tuple[int, int, str, bool]]:
    gaps = [decode(record.value) for record in producer.of("polygon_stream_gaps")]
    return [(gap.start_ms, gap.end_ms, gap.reason, gap.certain) for gap in gaps]


@pytest.mark.parametrize(("stored", "begun"), [(-1001, OFFSET_BEGINNING), (3, 3), (9, 9)])
def test_a_filter_goes_on_where_its_group_is(stored: int, begun: int) -> None:
    stage, producer, consumer, stop = stage_of([_messages(_bar(1))])
    consumer.stored = TopicPartition("polygon_stream_aggregates", 1, stored)
    stage.run(stop)
    assert consumer.begun == [begun]
    assert _gaps(producer) == []


def test_brokers_that_do_not_tell_the_offset_are_asked_again() -> None:
    stage, _, consumer, stop = stage_of([_messages(_bar(1))])
    consumer.refusals = [
        KafkaException(KafkaError(KafkaError._TRANSPORT)),
        KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT),
    ]
    stage.run(stop)
    assert consumer.begun == [3]


def test_an_offset_that_may_not_be_read_is_not_taken_for_none() -> None:
    stage, producer, consumer, stop = stage_of([_messages(_bar(1))])
    consumer.refusals = [KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)]
    with pytest.raises(StreamError, match="GROUP_AUTHORIZATION_FAILED"):
        stage.run(stop)
    assert consumer.begun == []
    assert producer.records == []


def test_an_offset_beyond_the_end_ends_the_filter_with_the_fix() -> None:
    (message,) = _messages(b"")
    message.failure = KafkaError(KafkaError._AUTO_OFFSET_RESET)
    stage, producer, _, stop = stage_of([[message]])
    with pytest.raises(StreamError, match=r"'polygon-stream-filter' is not in .*--reset-offsets"):
        stage.run(stop)
    assert producer.records == []


def test_what_kafka_deleted_unread_is_a_gap_from_the_last_record_read() -> None:
    stage, producer, _, stop = stage_of([_messages(_bar(1))])
    stage.run(stop)
    (stored,) = producer.offsets
    assert (stored.partition, stored.offset) == (1, 7)

    later = _messages(_bar(2), _bar(3))
    for message in later:
        message.received_ms = START + 3_600_000
    stage, producer, consumer, stop = stage_of([later, later])
    consumer.stored, consumer.watermarks = stored, (10, 12)
    stage.run(stop)
    assert consumer.begun == [OFFSET_BEGINNING]
    # A delayed feed's bars are 15 minutes older than their receipt.
    assert _gaps(producer) == [(START + 100 - 900_000, START + 3_600_000, "retention", True)]
    assert len(producer.of("custom_filtered_stock_data_topic")) == 4


def test_the_gap_is_recorded_again_if_its_transaction_is_aborted() -> None:
    stage, producer, consumer, stop = stage_of([_messages(_bar(2)), _messages(_bar(2))])
    consumer.watermarks = (4, 12)
    producer.failures["commit_transaction"] = [KafkaError(1, txn_requires_abort=True)]
    stage.run(stop)
    assert producer.calls.count("abort_transaction") == 1
    # Two here, since the stand-in does not take back what was aborted. The offset does not say when
    # its record was received.
    assert _gaps(producer) == 2 * [(START + 100 - 900_000, START + 100, "retention", True)]


def test_another_filter_that_takes_the_partition_over_records_the_gap() -> None:
    stage, producer, consumer, stop = stage_of([[], _messages(_bar(2))])
    consumer.watermarks = (4, 12)
    consumer.lost_after = 1
    stage.run(stop)
    assert _gaps(producer) == []


def test_a_retriable_error_is_tried_again_without_an_abort() -> None:
    stage, producer, consumer, stop = stage_of([_messages(_bar(1))])
    again = KafkaError(KafkaError._TIMED_OUT, retriable=True)
    producer.failures["commit_transaction"] = [again, again]
    stage.run(stop)
    assert producer.calls.count("commit_transaction") == 3
    assert "abort_transaction" not in producer.calls
    assert consumer.sought == []


def test_a_fenced_filter_ends_and_says_why() -> None:
    stage, producer, _, stop = stage_of([_messages(_bar(1))])
    producer.failures["commit_transaction"] = [KafkaError(KafkaError._FENCED, fatal=True)]
    with pytest.raises(
        StreamError, match=r"Fenced: .*'polygon-stream-filter-1'.*--transactional-id"
    ):
        stage.run(stop)
    assert "abort_transaction" not in producer.calls


def test_an_error_without_a_flag_is_fatal() -> None:
    stage, producer, _, stop = stage_of([_messages(_bar(1))])
    producer.failures["begin_transaction"] = [KafkaError(KafkaError._STATE)]
    with pytest.raises(StreamError, match="_STATE"):
        stage.run(stop)


def test_too_many_unreadable_records_in_a_row_stop_the_filter_uncommitted() -> None:
    stage, producer, _, stop = stage_of([_messages(b"1", b"2", b"3")], dead_letter_limit=3)
    with pytest.raises(StreamError, match="3 unreadable records in a row"):
        stage.run(stop)
    assert "commit_transaction" not in producer.calls
    assert producer.calls[-1] == "abort_transaction"


def test_a_stopping_filter_does_not_wait_for_brokers_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("polygon_streaming.patience._DRAIN_SECONDS", 0.15)
    stage, producer, _, stop = stage_of([_messages(_bar(1))])
    producer.failures["commit_transaction"] = [
        KafkaError(KafkaError._TIMED_OUT, retriable=True) for _ in range(100)
    ]
    process = stage._process

    def stopped_meanwhile(messages: Any) -> None:
        stop.set()
        process(messages)

    monkeypatch.setattr(stage, "_process", stopped_meanwhile)
    with pytest.raises(StreamError, match="the brokers do not answer"):
        stage.run(stop)


def test_a_header_that_is_no_text_stops_nothing() -> None:
    (message,) = _messages(_bar(1))
    message.sent = [("market", b"\xff")]
    stage, producer, _, stop = stage_of([[message]])
    stage.run(stop)
    (record,) = producer.of("custom_filtered_stock_data_topic")
    assert msgspec.json.decode(record.value)["market"] == "\ufffd"


def test_the_lag_of_partitions_that_went_to_another_is_no_longer_told() -> None:
    stage, _, _, _ = stage_of([])
    metrics.lag.labels("3").set(100)
    stage._on_change([TopicPartition("polygon_stream_aggregates", 3)])
    told = metrics.FILTER.get_sample_value
    assert told("polygon_consumer_lag_records", {"partition": "3"}) is None
    stage._note_lag()
    assert told("polygon_consumer_lag_records", {"partition": "1"}) == 0


def test_a_gap_is_counted_and_logged() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    name, labels = "polygon_filter_gaps_total", {"reason": "retention", "market": ""}
    before = metrics.FILTER.get_sample_value(name, labels) or 0
    stage, _, _, _ = stage_of([])
    with capture_logs() as said:
        stage._record(Gap("", 0, 1000, "retention", (), ""))
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
    batch = _messages(good[0], wrong, *good[1:])
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
    batch = _messages(*bars)
    for message, stretch in zip(batch, ["c1", "c2", "c2", "c2 5", "c2 7", "c2 7"], strict=True):
        connection, _, lost = stretch.partition(" ")
        message.received_ms = START + 20_000
        message.sent = [("market", b"stocks"), ("connection", connection.encode())]
        message.sent += [("lost", lost.encode())] if lost else []
    stage, producer, _, stop = stage_of([batch])
    stage.run(stop)
    assert _gaps(producer) == [
        (START + 4000, START + 6000, "volume_jump", False),
        (START + 13000, START + 15000, "volume_jump", False),
    ]


def test_a_record_without_its_time_is_a_dead_letter_and_no_offset_says_that_time() -> None:
    batch = _messages(_bar(1), _bar(2))
    batch[1].received_ms = -1
    stage, producer, _, stop = stage_of([batch])
    stage.run(stop)
    (dead,) = producer.of("polygon_stream_dead_letter")
    assert "when it was received" in dead.headers["__connect.errors.exception.message"]
    (stored,) = producer.offsets
    assert stored.metadata == str(START + 100)


def test_the_gap_of_what_was_deleted_ends_with_the_first_record_that_says_its_time() -> None:
    batch = _messages(_bar(2), _bar(3))
    batch[0].received_ms = 10**17
    stage, producer, consumer, stop = stage_of([batch[:1], batch[1:]])
    consumer.stored = TopicPartition("polygon_stream_aggregates", 1, 3, "9" * 30)
    consumer.watermarks = (4, 12)
    stage.run(stop)
    assert _gaps(producer) == [(START + 100 - 900_000, START + 100, "retention", True)]


def test_a_dead_letter_too_large_for_its_topic_says_where_the_record_is() -> None:
    stage, producer, _, stop = stage_of([_messages(b"x" * 2000)])
    produce = producer.produce

    def limited(topic: str, value: Any, key: Any = None, **more: Any) -> None:
        if value is not None and len(value) > 1000:
            raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
        produce(topic, value, key, **more)

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
    stage, producer, _, stop = stage_of([_messages(poison), _messages(poison), _messages(b"y")])
    refusal = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, txn_requires_abort=True)
    producer.failures["commit_transaction"] = [refusal]
    stage.run(stop)
    # The first of them is aborted; the stand-in does not take it back.
    dead = [record.value for record in producer.of("polygon_stream_dead_letter")]
    assert dead == [poison, None, b"y"]


def test_the_key_is_the_symbol_whatever_the_raw_record_had() -> None:
    batch = _messages(_bar(1))
    batch[0].marked = None
    stage, producer, _, stop = stage_of([batch])
    stage.run(stop)
    assert [record.key for record in producer.of("custom_filtered_stock_data_topic")] == ["AAPL"]


def test_what_waits_or_fails_again_and_again_is_said() -> None:
    stage, producer, consumer, stop = stage_of(4 * [_messages(_bar(1))])
    consumer.refusals = [KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT)]
    producer.failures["commit_transaction"] = [
        KafkaError(1, "too large", txn_requires_abort=True) for _ in range(2)
    ]
    said: list[str] = []
    beat, commit = stage._beat, stage._commit

    def watched() -> None:
        said.extend(problem for problem in stage.problems() if problem not in said)
        beat()

    def slow() -> None:
        stage._transaction_since -= 30
        said.extend(problem for problem in stage.problems() if problem not in said)
        commit()

    stage._beat, stage._commit = watched, slow  # type: ignore[method-assign]
    stage.run(stop)
    assert [problem.split(". ")[0] for problem in said] == [
        "kafka: no partition is assigned",
        "kafka: partitions 1 wait for their committed offsets",
        "kafka: partitions 1 wait for their committed offsets",
        "kafka: a transaction has not ended for 30 s",
        "kafka: 2 transactions aborted in a row: too large",
    ]
    assert stage.problems() == []


def test_a_partition_that_went_before_its_place_was_known_is_not_begun() -> None:
    stage, _, consumer, stop = stage_of([])
    partition = TopicPartition("polygon_stream_aggregates", 1)
    consumer.unassigned = []
    consumer.incremental_unassign = lambda places: consumer.unassigned.append(len(places))
    stage._on_assign(consumer, [partition])
    stage._on_revoke(consumer, [partition])
    stop.wait(0.05)
    stage._begin_partitions()
    assert consumer.begun == []
    # What the library does not have it cannot give up.
    assert consumer.unassigned == [0]

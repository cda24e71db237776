"""The transaction loop against stand-ins: what is committed, aborted, gone back to, given up."""

import time
from threading import Event
from typing import Any

import msgspec
import pytest
from confluent_kafka import (
    KafkaError,
    KafkaException,
    Producer,
)
from polygon_streaming.errors import StreamError
from polygon_streaming.filter.loop import Filter
from polygon_streaming.settings import FilterSettings

from unit_tests.streaming.fake_consumer import START, FakeMessage
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

from types import SimpleNamespace
from typing import Any, cast

import pytest
from polygon_streaming.feed.delivery import Delivery

from unit_tests.streaming.fake_producer import RecordingProducer


def _delivery(queue: RecordingProducer, **publisher: Any) -> tuple[Delivery, Any]:
    counts = SimpleNamespace(**{"produced": 0, "failed": 0, "failure": None, **publisher})
    delivery = Delivery(cast("Any", queue))
    delivery.add(cast("Any", counts))
    return delivery, counts


def _produce(queue: RecordingProducer, count: int) -> None:
    for _ in range(count):
        queue.produce("raw", b"{}")


def test_delivered_is_what_is_neither_on_its_way_nor_refused() -> None:
    queue = RecordingProducer()
    delivery, counts = _delivery(queue, produced=100)
    _produce(queue, 30)
    delivery.tick()
    assert (delivery.delivered, delivery.outstanding) == (70, 30)
    queue.waiting.clear()
    counts.failed = 30
    delivery.tick()
    assert (delivery.delivered, delivery.outstanding) == (70, 0)


def test_brokers_that_take_nothing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("polygon_streaming.feed.delivery.time.monotonic", lambda: clock[0])
    queue = RecordingProducer()
    delivery, counts = _delivery(queue)
    clock[0] += 1_000
    delivery.tick()
    assert delivery.problems() == [], "nothing waits at night"
    counts.produced = 500
    _produce(queue, 500)
    delivery.tick()
    clock[0] += 15
    delivery.tick()
    assert delivery.problems() == ["kafka: none of 500 records was taken for 15 s"]
    queue.acknowledge(queue.records[0])
    delivery.tick()
    assert delivery.problems() == []


def test_what_is_left_at_the_end_is_given_up_and_reported() -> None:
    queue = RecordingProducer()
    delivery, _ = _delivery(queue, produced=10)
    _produce(queue, 7)
    assert delivery.finish(0.1) == 7
    assert len(queue.purged) == 7
    assert queue.closed

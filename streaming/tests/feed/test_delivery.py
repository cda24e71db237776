from types import SimpleNamespace
from typing import Any, cast

import pytest

from polygon_streaming.feed.delivery import Delivery


class Queue:
    """A producer of which only its queue is looked at."""

    def __init__(self) -> None:
        self.waiting = 0
        self.purged = 0
        self.closed = False

    def __len__(self) -> int:
        return self.waiting

    def poll(self, _: float) -> int:
        return 0

    def flush(self, _: float) -> int:
        return self.waiting

    def purge(self) -> None:
        self.purged, self.waiting = self.waiting, 0

    def close(self) -> None:
        self.closed = True


def _delivery(queue: Queue, **publisher: Any) -> tuple[Delivery, Any]:
    counts = SimpleNamespace(**{"produced": 0, "failed": 0, "failure": None, **publisher})
    delivery = Delivery(cast("Any", queue))
    delivery.add(cast("Any", counts))
    return delivery, counts


def test_delivered_is_what_is_neither_on_its_way_nor_refused() -> None:
    queue = Queue()
    delivery, counts = _delivery(queue, produced=100)
    queue.waiting = 30
    delivery.tick()
    assert (delivery.delivered, delivery.outstanding) == (70, 30)
    queue.waiting, counts.failed = 0, 30
    delivery.tick()
    assert (delivery.delivered, delivery.outstanding) == (70, 0)


def test_brokers_that_take_nothing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("polygon_streaming.feed.delivery.time.monotonic", lambda: clock[0])
    queue = Queue()
    delivery, counts = _delivery(queue)
    clock[0] += 1_000
    delivery.tick()
    assert delivery.problems() == [], "nothing waits at night"
    counts.produced = queue.waiting = 500
    delivery.tick()
    clock[0] += 15
    delivery.tick()
    assert delivery.problems() == ["kafka: none of 500 records was taken for 15 s"]
    queue.waiting = 499
    delivery.tick()
    assert delivery.problems() == []


def test_what_is_left_at_the_end_is_given_up_and_reported() -> None:
    queue = Queue()
    delivery, _ = _delivery(queue, produced=10)
    queue.waiting = 7
    assert delivery.finish(0.1) == 7
    assert queue.purged == 7
    assert queue.closed

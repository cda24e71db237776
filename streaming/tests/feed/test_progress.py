"""What a feed stores about how far it has got, and what it leaves open."""

from typing import Any, cast

import msgspec
import pytest
from confluent_kafka import TopicPartition

from polygon_streaming.feed.progress import Progress

T = 1795444200000


class FakeConsumer:
    """Keeps the metadata of the last commit, as the group's coordinator does."""

    def __init__(self, metadata: str | None = None) -> None:
        self.metadata = metadata
        self.commits = 0

    def committed(self, places: list[TopicPartition], **_: Any) -> list[TopicPartition]:
        return [TopicPartition("raw", 0, 0, self.metadata or "")]

    def commit(self, *, offsets: list[TopicPartition], **_: Any) -> None:
        self.metadata = offsets[0].metadata
        self.commits += 1

    def poll(self, _: float) -> None:
        return None

    def close(self) -> None:
        return None


def _progress(consumer: FakeConsumer) -> Progress:
    return Progress(cast("Any", consumer), "raw")


def _loaded(consumer: FakeConsumer) -> int | None:
    return _progress(consumer).load()


def test_what_is_stored_is_what_is_delivered() -> None:
    consumer = FakeConsumer()
    progress = _progress(consumer)
    progress.mark(T, 10, 5)
    progress.store()
    assert consumer.metadata is None
    progress.mark(T + 100, 12, 2)
    progress.store()
    assert _loaded(consumer) == T - 60_000
    progress.finish(T + 200)
    assert _loaded(consumer) == T + 200


def test_progress_goes_back_to_where_something_turns_out_to_be_missing() -> None:
    consumer = FakeConsumer()
    progress = _progress(consumer)
    progress.mark(T + 120_000, 10, 0)
    progress.store()
    progress.mark(T, 10, 0)  # silence is noticed late
    progress.store()
    assert _loaded(consumer) == T - 60_000


def test_what_was_refused_is_not_taken_for_delivered() -> None:
    """A report takes records off the queue, also one that they will never be there."""
    consumer = FakeConsumer()
    progress = _progress(consumer)
    progress.mark(T + 600_000, 100, 50)
    progress.mark(T, 105, 5)  # the fifty were refused: missing since T
    progress.store()
    assert _loaded(consumer) == T - 60_000


def test_a_market_taken_off_the_list_has_no_successor() -> None:
    consumer = FakeConsumer()
    progress = _progress(consumer)
    progress.mark(T, 1, 0)
    progress.store()
    progress.forget()
    assert _loaded(consumer) is None


@pytest.mark.parametrize("metadata", ["no", "[]", '{"until_ms":-1,"clean":true}'])
def test_what_somebody_else_wrote_is_not_progress(metadata: str) -> None:
    assert _loaded(FakeConsumer(metadata)) is None


def test_crashes_without_a_connection_in_between_do_not_move_the_start() -> None:
    consumer = FakeConsumer(msgspec.json.encode({"until_ms": T, "clean": False}).decode())
    for _ in range(3):
        progress = _progress(consumer)
        reached = progress.load()
        assert reached == T - 60_000
        progress.mark(reached, 0, 0)
        progress.store()
    assert consumer.commits == 0

"""What a feed stores about how far it has got, and what it leaves open."""

from typing import Any, cast

import msgspec
import pytest
from confluent_kafka import TopicPartition
from polygon_streaming.feed.progress import Progress

from unit_tests.streaming.fake_consumer import FakeConsumer, FakeGroup

T = 1795444200000


def _group(metadata: str) -> FakeGroup:
    return FakeGroup(TopicPartition("raw", 0, 0, metadata))


def _progress(group: FakeGroup) -> Progress:
    return Progress(cast("Any", FakeConsumer(group)), "raw")


def _loaded(group: FakeGroup) -> int | None:
    return _progress(group).load()


def test_what_is_stored_is_what_is_delivered() -> None:
    group = FakeGroup()
    progress = _progress(group)
    progress.mark(T, 10, 5)
    progress.store()
    assert _loaded(group) is None
    progress.mark(T + 100, 12, 2)
    progress.store()
    assert _loaded(group) == T - 60_000
    progress.finish(T + 200)
    assert _loaded(group) == T + 200


def test_progress_goes_back_to_where_something_turns_out_to_be_missing() -> None:
    group = FakeGroup()
    progress = _progress(group)
    progress.mark(T + 120_000, 10, 0)
    progress.store()
    progress.mark(T, 10, 0)  # silence is noticed late
    progress.store()
    assert _loaded(group) == T - 60_000


def test_what_was_refused_is_not_taken_for_delivered() -> None:
    """A report takes records off the queue, also one that they will never be there."""
    group = FakeGroup()
    progress = _progress(group)
    progress.mark(T + 600_000, 100, 50)
    progress.mark(T, 105, 5)  # the fifty were refused: missing since T
    progress.store()
    assert _loaded(group) == T - 60_000


def test_a_market_taken_off_the_list_has_no_successor() -> None:
    group = FakeGroup()
    progress = _progress(group)
    progress.mark(T, 1, 0)
    progress.store()
    progress.forget()
    assert _loaded(group) is None


@pytest.mark.parametrize("metadata", ["no", "[]", '{"until_ms":-1,"clean":true}'])
def test_what_somebody_else_wrote_is_not_progress(metadata: str) -> None:
    assert _loaded(_group(metadata)) is None


def test_crashes_without_a_connection_in_between_do_not_move_the_start() -> None:
    group = _group(msgspec.json.encode({"until_ms": T, "clean": False}).decode())
    for _ in range(3):
        progress = _progress(group)
        reached = progress.load()
        assert reached == T - 60_000
        progress.mark(reached, 0, 0)
        progress.store()
    assert group.commits == 0

"""The order in which slices move their lane's checkpoint."""

import concurrent.futures
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
from source_polygon.engine.lanes import Lane, LaneSlice, UnreadableState, saved_day

SAVED: dict[str, Any] = {"date": "2026-11-19"}
ONE, TWO, THREE = ({"date": f"2026-11-2{day}"} for day in (0, 1, 2))


def lane(run_ahead: int = 9) -> Lane:
    return Lane({"market": "stocks"}, SAVED, run_ahead)


def test_slices_have_their_places_from_one_and_nothing_done() -> None:
    its_lane = lane()
    first, second = (LaneSlice(its_lane, task, day=task) for task in ("Mon", "Tue"))
    assert [(each.position, each.task) for each in (first, second)] == [(1, "Mon"), (2, "Tue")]
    assert (first.complete, first.checkpoint) == (False, None)
    assert first.partition == {"market": "stocks"}
    assert first.cursor_slice == {"day": "Mon"}
    assert its_lane.cursor is SAVED
    assert not its_lane.stopped


def test_the_checkpoint_moves_over_complete_slices_alone_the_oldest_first() -> None:
    its_lane = lane()
    assert not its_lane.complete(3, THREE)
    assert not its_lane.complete(2, TWO)
    assert its_lane.cursor is SAVED
    assert its_lane.complete(1, ONE)
    assert its_lane.cursor is THREE


def test_a_slice_without_a_checkpoint_leaves_it_to_the_next() -> None:
    its_lane = lane()
    assert not its_lane.complete(1, None)
    assert its_lane.cursor is SAVED
    assert its_lane.complete(2, TWO)
    assert not its_lane.complete(3, None)
    assert its_lane.cursor is TWO


def test_a_slice_is_taken_up_once_those_before_it_are_complete() -> None:
    one_by_one = Lane({}, SAVED)
    assert one_by_one.enter(1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(one_by_one.enter, 2)
        with pytest.raises(concurrent.futures.TimeoutError):
            waiting.result(0.05)
        one_by_one.complete(1, ONE)
        assert waiting.result(60)


def test_so_many_slices_may_run_ahead_and_no_more() -> None:
    its_lane = lane(run_ahead=2)
    assert its_lane.enter(1)
    assert its_lane.enter(2)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(its_lane.enter, 3)
        with pytest.raises(concurrent.futures.TimeoutError):
            waiting.result(0.05)
        its_lane.stop()
        assert not waiting.result(60)
    assert its_lane.stopped
    assert not its_lane.enter(1)


@pytest.mark.parametrize(
    ("cursor", "day"),
    [
        ({}, None),
        ({"date": "2026-11-20"}, date(2026, 11, 20)),
        ({"date": "2026-11-20T09:30:00Z"}, date(2026, 11, 20)),
    ],
)
def test_a_saved_day_is_read(cursor: dict[str, Any], day: date | None) -> None:
    assert saved_day(cursor, "date") == day


@pytest.mark.parametrize(
    "cursor", [{"day": "2026-11-20"}, {"date": 20261120}, {"date": "soon"}, {"date": None}]
)
def test_a_state_of_another_form_is_unreadable_and_shown(cursor: dict[str, Any]) -> None:
    with pytest.raises(UnreadableState) as caught:
        saved_day(cursor, "date")
    assert str(caught.value) == repr(cursor)

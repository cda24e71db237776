"""The order in which slices move their lane's checkpoint."""

import concurrent.futures
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airbyte_cdk.sources.connector_state_manager import ConnectorStateManager
from airbyte_cdk.sources.message import InMemoryMessageRepository
from airbyte_cdk.sources.types import StreamSlice
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from source_polygon.engine import cursor as of_cursors
from source_polygon.engine.cursor import LaneCursor
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


class Days(LaneCursor[Lane, str]):
    """Two days of each market."""

    def partitions(self) -> Iterable[Mapping[str, Any]]:
        return [{"market": market} for market in self.config["markets"]]

    def lane(self, partition: Mapping[str, Any], cursor: Mapping[str, Any]) -> Lane:
        saved_day(cursor, "date")
        return Lane(partition, cursor, self.run_ahead)

    def slices(self, lane: Lane) -> Iterator[LaneSlice[Lane, str]]:
        for day in ("2026-11-20", "2026-11-21"):
            yield LaneSlice(lane, day, day=day)


class Sync:
    """A stream of `markets` that goes on from a state."""

    def __init__(self, markets: int | list[str], state: dict[str, Any] | None = None) -> None:
        names = [f"m{n}" for n in range(markets)] if isinstance(markets, int) else markets
        self.cursor = Days({"markets": names, "num_workers": 3}, "date")
        states = ConnectorStateManager([])
        if state is not None:
            states.update_state_for_stream("days", None, state)
        self._messages = InMemoryMessageRepository()
        self.cursor.attach("days", states, self._messages)

    def slices(self) -> list[Any]:
        return list(self.cursor.stream_slices())

    def close(self, a_slice: Any, *, complete: bool = True) -> None:
        if complete:
            a_slice.complete, a_slice.checkpoint = True, {"date": a_slice.task}
        self.cursor.close_partition(cast("Any", SimpleNamespace(to_slice=lambda: a_slice)))

    def emitted(self) -> list[dict[str, Any]]:
        found = [cast("Any", each) for each in self._messages.consume_queue()]
        return [vars(each.state.stream.stream_state) for each in found]


def place(market: str, day: str) -> dict[str, Any]:
    return {"partition": {"market": market}, "cursor": {"date": day}}


def test_a_lane_may_have_two_slices_under_way_for_each_worker() -> None:
    assert Sync(1).cursor.run_ahead == 6


def test_lanes_come_one_after_the_other_and_each_step_is_emitted() -> None:
    sync = Sync(2)
    slices = sync.slices()
    assert [(each.partition["market"], each.task) for each in slices] == [
        ("m0", "2026-11-20"), ("m0", "2026-11-21"), ("m1", "2026-11-20"), ("m1", "2026-11-21"),
    ]  # fmt: skip
    assert sync.cursor.completed == 0
    sync.close(slices[2])
    assert sync.emitted() == [{"states": [place("m1", "2026-11-20")]}]
    sync.close(slices[1])
    assert sync.emitted() == [], "the day before is not complete"
    sync.close(slices[0])
    both = [place("m0", "2026-11-21"), place("m1", "2026-11-20")]
    assert sync.emitted() == [{"states": both}]
    assert sync.cursor.completed == 3


def test_a_slice_that_is_not_complete_moves_nothing() -> None:
    sync = Sync(1)
    sync.close(sync.slices()[0], complete=False)
    sync.close(StreamSlice(partition={}, cursor_slice={}), complete=False)
    assert (sync.cursor.completed, sync.emitted()) == (0, [])


def test_a_lane_that_has_stopped_hands_out_no_more() -> None:
    slices = Sync(2).cursor.stream_slices()
    read = []
    for each in slices:
        read.append((each.partition["market"], cast("Any", each).task))
        cast("Any", each).lane.stop()
    assert read == [("m0", "2026-11-20"), ("m1", "2026-11-20")]


def test_what_is_planned_is_the_first_slice_of_each_lane_and_their_number() -> None:
    planned = list(Sync(2).cursor.planned())
    assert [(each.partition["market"], each.task, n) for each, n in planned] == [
        ("m0", "2026-11-20", 2), ("m1", "2026-11-20", 2),
    ]  # fmt: skip


def test_one_state_at_least_comes_of_a_sync_and_the_last_one_once() -> None:
    sync = Sync(1, {"states": [place("m0", "2026-11-19")]})
    sync.cursor.ensure_at_least_one_state_emitted()
    assert sync.emitted() == [{"states": [place("m0", "2026-11-19")]}]
    sync.cursor.ensure_at_least_one_state_emitted()
    assert sync.emitted() == []


@pytest.mark.parametrize(("markets", "stale"), [(20, 0), (19, 1)])
def test_the_state_of_twenty_lanes_is_emitted_at_each_step(markets: int, stale: int) -> None:
    sync = Sync(markets, {"states": [place("old", "2026-11-19")] * stale})
    for each in sync.slices()[:4]:
        sync.close(each)
        assert len(sync.emitted()) == 1


@pytest.mark.parametrize(("markets", "stale"), [(21, 0), (20, 1)])
def test_the_state_of_more_lanes_is_emitted_every_ten_seconds(
    markets: int, stale: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(of_cursors, "monotonic", lambda: now[0])
    sync = Sync(markets, {"states": [place("old", "2026-11-19")] * stale})
    first, second, third, fourth, *_ = sync.slices()
    sync.close(first)
    assert len(sync.emitted()) == 1, "the first at once"
    now[0] = 109.9
    sync.close(second)
    assert sync.emitted() == []
    now[0] = 110.0
    sync.close(third)
    assert len(sync.emitted()) == 1
    sync.cursor.ensure_at_least_one_state_emitted()
    assert sync.emitted() == [], "nothing was held back since"
    sync.close(fourth)
    sync.cursor.ensure_at_least_one_state_emitted()
    (state,) = sync.emitted()
    assert place("m1", "2026-11-21") in state["states"]


def test_a_market_that_is_left_out_keeps_its_place() -> None:
    state = {"states": [place("stocks", "2026-11-19"), place("fx", "2026-11-18")]}
    sync = Sync(["stocks", "crypto"], state)
    assert sync.cursor.state == state, "before the lanes are open"
    slices = sync.slices()
    assert [dict(each.lane.cursor) for each in slices[::2]] == [{"date": "2026-11-19"}, {}]
    assert sync.cursor.state == state


def test_a_state_written_by_hand_holds_for_every_lane(caplog: pytest.LogCaptureFixture) -> None:
    sync = Sync(2, {"date": "2026-11-19"})
    assert [dict(each.lane.cursor) for each in sync.slices()] == [{"date": "2026-11-19"}] * 4
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"updated": "2026-11-19"}, True),
        ({"states": []}, False),
        ({"states": [place("m0", "2026-11-19")], "more": 1}, False),
        ({}, False),
    ],
)
def test_a_state_of_something_else_is_pointed_out(
    state: dict[str, Any], told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    Sync(1, state).slices()
    text = "days: the state holds no checkpoint of this connector; reading starts anew."
    assert caplog.messages == [text] * told


@pytest.mark.parametrize(
    "state", [{"states": [{"partition": {}}]}, {"states": 5}, {"states": ["a"]}, {"date": "soon"}]
)
def test_a_state_that_cannot_be_read_ends_the_stream_and_names_the_fix(
    state: dict[str, Any],
) -> None:
    with pytest.raises(AirbyteTracedException, match="Reset the stream") as caught:
        Sync(1, state).slices()
    assert "config_error" in str(caught.value.failure_type)
    with pytest.raises(UnreadableState):
        list(Sync(1, state).cursor.planned())


def test_every_record_that_is_read_is_wanted() -> None:
    assert Sync(1).cursor.should_be_synced(cast("Any", None))

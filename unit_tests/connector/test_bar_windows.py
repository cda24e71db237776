"""Bars of single symbols in windows: none is cut, and a sync goes on from any state."""

import tracemalloc
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from polygon_sandbox import Fault, World
from source_polygon import SourcePolygon
from source_polygon.engine import cursor
from source_polygon.engine.cdk import lane_cursor_of
from source_polygon.streams import bars

from unit_tests.connector.syncing import Row, Syncs, manifest_with
from unit_tests.connector.true_bars import NOW, SETTLED, UTC, milliseconds, moment, short_bars

Clock = Callable[[str], None]


@pytest.fixture
def small_windows() -> Row:
    """Ask for days in windows of three weeks, so that a few months are many."""
    return manifest_with("bars", "partition_router", days_at_once=21)


@pytest.mark.usefixtures("both_ways")
def test_an_interrupted_read_resumes_from_any_state(
    syncs: Syncs, world: World, stock: str, small_windows: Row
) -> None:
    read: dict[str, Any] = {
        "symbols": [stock, "X:BTCUSD"],
        "start_date": "2026-06-01",
        "lookback_sessions": 0,
    }
    syncs.manifest = small_windows
    whole = syncs.read("bars", num_workers=4, **read)
    expected = syncs.tables["bars"]
    assert len(expected) > 250
    cuts = [n for n, message in enumerate(whole.messages, 1) if message["type"] == "STATE"]
    assert len(cuts) > 8
    for cut in cuts[:: len(cuts) // 3]:
        resumed = Syncs(syncs.sandbox, small_windows)
        resumed.load(whole.messages[:cut])
        resumed.read("bars", **read)
        assert resumed.tables["bars"] == expected


def test_a_market_that_never_rests_is_not_cut(syncs: Syncs, world: World) -> None:
    read: dict[str, Any] = {
        "symbols": ["X:BTCUSD"],
        "start_date": "2026-11-19",
        "end_date": "2026-11-19",
    }
    output = syncs.read("bars", bar_sizes=["30 second"], **read)
    begins = milliseconds(moment("2026-11-19", UTC))
    starts = [row["timestamp"] for row in output.records("bars")]
    assert sorted(starts) == [begins + 30_000 * n for n in range(2880)]
    # Half a day each.
    assert [request.status for request in syncs.sandbox.requests] == [200, 200]


def test_an_answer_that_is_cut_all_the_same_is_followed(
    syncs: Syncs, world: World, stock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: dict[str, Any] = {
        "symbols": [stock],
        "bar_sizes": ["1 minute"],
        "start_date": "2026-11-20",
    }
    monkeypatch.setattr(bars, "MOST_BASE_BARS", 500)
    syncs.read("bars", **read)
    assert syncs.tables["bars"] == short_bars(world, stock, 1, moment("2026-11-20"), NOW - SETTLED)
    assert len(syncs.sandbox.requests) == 3


def test_an_answer_that_is_cut_without_a_next_page_is_an_error(
    syncs: Syncs, stock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bars, "MOST_BASE_BARS", 15)
    read: dict[str, Any] = {
        "symbols": [stock],
        "start_date": "2026-11-02",
        "end_date": "2026-11-19",
    }
    output = syncs.read("bars", expect_failure=True, **read)
    assert f"bars {stock} 1 day: an answer was cut, and no page follows." in output.errors[0]
    assert output.records("bars") == []


def test_an_empty_answer_between_full_ones_is_asked_for_again(
    syncs: Syncs, world: World, naps: list[float], small_windows: Row
) -> None:
    read: dict[str, Any] = {
        "symbols": ["X:BTCUSD"],
        "start_date": "2026-08-01",
    }
    syncs.manifest = small_windows
    syncs.read("bars", num_workers=4, **read)
    expected = syncs.tables["bars"]
    paths = sorted(syncs.paths())
    assert len(paths) == 6
    for path in paths:
        syncs.sandbox.faults.add(Fault.no_results(path=path, times=1))
        again = Syncs(syncs.sandbox, small_windows)
        output = again.read("bars", num_workers=4, **read)
        # The last days are asked for again by the next sync, so they are not doubted.
        assert again.tables["bars"] == expected or path == paths[-1], output.text
        syncs.sandbox.faults.clear()


@pytest.mark.usefixtures("clock")
def test_years_of_seconds_are_planned_without_being_held() -> None:
    config = {"api_key": "k-0123456789", "start_date": "2021-11-22", "bar_sizes": ["1 second"]}
    source = SourcePolygon(config={**config, "symbols": ["A", "B", "C", "D"]})
    source.streams(source.manifest.usable_config)
    planned = lane_cursor_of(source.manifest.built["bars"])
    assert planned is not None
    counts = [count for _, count in planned.planned()]  # calendar and all are in memory now
    assert counts == [3_650] * 4
    # What other threads of the tests allocate meanwhile counts too, but not each time.
    assert min(_peak(planned.planned) for _ in range(5)) < 500_000


def _peak(planned: Callable[[], Iterable[object]]) -> int:
    """Return the most bytes that were held at a time while all that is planned was gone through."""
    tracemalloc.start()
    try:
        for _ in planned():
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_state_that_cannot_be_read_or_is_ahead(syncs: Syncs, stock: str) -> None:
    place = {"partition": {"symbol": stock, "bar_size": "1 day"}}
    ahead = {**place, "cursor": {"window_start": "2999-01-01T00:00:00.000Z"}}
    syncs.set_state("bars", {"states": [ahead]})
    output = syncs.read("bars", symbols=[stock])
    assert "lies ahead of the market" in output.text
    assert output.states("bars")[-1] == {"states": [ahead]}
    syncs.set_state("bars", {"states": [{**place, "cursor": {"window_start": 5}}]})
    output = syncs.read("bars", symbols=[stock], expect_failure=True)
    assert "The saved state of bars cannot be read. Reset the stream." in output.errors[0]


def test_states_of_many_symbols_are_not_printed_at_every_step(
    syncs: Syncs, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = [str(row["ticker"]) for row in world.tickers("stocks")[:30]]
    monkeypatch.setattr(cursor, "monotonic", lambda: 0.0)
    output = syncs.read("bars", symbols=listed, start_date="2026-11-16")
    states = output.states("bars")
    assert len(states) == 2
    assert len(states[-1]["states"]) == 30
    ticks = iter(range(0, 1000, 5))
    monkeypatch.setattr(cursor, "monotonic", lambda: float(next(ticks)))
    again = Syncs(syncs.sandbox)
    assert len(again.read("bars", symbols=listed, start_date="2026-11-16").states("bars")) > 5
    assert again.tables == syncs.tables

"""Kind `snapshot`: one reading a day, appended; a missed day is missing, and said."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from polygon_sandbox import DatasetSize, Fault, Plan, Sandbox, World
from source_polygon.vendor.cut import Cut

from unit_tests.connector.cloud_syncing import CloudSyncs
from unit_tests.connector.syncing import Row, Syncs

FLOAT = "/stocks/vX/float"
FRIDAY, SUNDAY = "2026-11-20T22:30:00Z", "2026-11-22T22:30:00Z"
# Tuesday evening in New York, of which UTC says Wednesday.
WEDNESDAY = "2026-11-25T02:30:00Z"

both_editions = pytest.mark.parametrize("edition", [Syncs, CloudSyncs])


@pytest.fixture
def world() -> World:
    size = DatasetSize(days=4, rows_a_day=3)
    return World(
        seed=7, stocks=5, delisted=0, otc=0, crypto=0, fx=0, indices=0, now=FRIDAY, datasets=size
    )


@pytest.fixture
def sandbox(world: World, clock: Callable[[str], None]) -> Iterator[Sandbox]:
    with Sandbox(world, plan=Plan.unlimited()) as running:
        yield running


def reading(world: World, day: str) -> list[Row]:
    rows = sorted(world.dataset(FLOAT).rows(), key=lambda row: str(row["ticker"]))
    return [{"snapshot_date": day, **row} for row in rows]


@both_editions
def test_a_day_is_read_once(
    sandbox: Sandbox, world: World, clock: Callable[[str], None], edition: type[Syncs]
) -> None:
    syncs = edition(sandbox)
    first = reading(world, "2026-11-20")
    assert syncs.read("float").records("float") == first
    again = syncs.read("float")
    assert again.records("float") == []
    assert again.status("float") == "COMPLETE"
    world.dataset(FLOAT).change({"ticker": first[0]["ticker"]}, free_float=1)
    for now, day in ((SUNDAY, "2026-11-22"), (WEDNESDAY, "2026-11-24")):
        world.advance(to=now)
        clock(now)
        output = syncs.read("float")
        # However many days have passed: what there is now is said of now alone.
        assert output.records("float") == reading(world, day)
        assert day in str(output.states("float")[-1])
    assert len(syncs.tables["float"]) == 3 * len(first)
    assert syncs.tables["float"]["2026-11-20", first[0]["ticker"]] == first[0]


@pytest.mark.usefixtures("both_ways")
def test_rows_leave_with_the_vendors_digits(sandbox: Sandbox) -> None:
    def change(reply: Any, _call: Any) -> Any:
        results = b'[{"ticker":"A","free_float_percent":98.50},\n{"ticker":"B","free_float":null}]'
        return replace(reply, body=b'{"status":"OK","results":' + results + b"}")

    sandbox.faults.add(Fault("as written", change, "float", None))
    output = Syncs(sandbox).read("float")
    day = {"snapshot_date": "2026-11-20"}
    rows = [{**day, "ticker": "A", "free_float_percent": 98.5}, {**day, "ticker": "B"}]
    assert [{k: v for k, v in row.items() if v is not None} for row in output.records("float")] == (
        rows
    )
    cut = Cut(b'[{"ticker":"A","free_float_percent":98.50}]').marked("day", "today")
    assert cut.text == b'[{"day":"today","ticker":"A","free_float_percent":98.50}]'


def test_trading_days_without_a_reading_are_named(
    sandbox: Sandbox, clock: Callable[[str], None]
) -> None:
    syncs = Syncs(sandbox)
    for saved, named in (
        ("2026-11-19", None),
        ("2026-11-18", "1 trading days, 2026-11-19. "),
        ("2026-11-13", "4 trading days, 2026-11-16, 2026-11-17, 2026-11-18, 2026-11-19. "),
        ("2026-09-30", "36 trading days, 2026-10-01 to 2026-11-19. "),
    ):
        syncs.set_state("float", {"snapshot_date": saved})
        text = syncs.read("float").text
        assert ("no complete reading on" in text) is bool(named)
        assert (named or "") in text
    clock(SUNDAY)
    assert "no complete reading" not in syncs.read("float").text  # Saturday is not a trading day


def test_a_state_ahead_is_named(sandbox: Sandbox) -> None:
    syncs = Syncs(sandbox)
    syncs.set_state("float", {"snapshot_date": "2999-01-01"})
    output = syncs.read("float")
    assert "float: the saved state 2999-01-01 lies in the future; no reading." in output.text
    assert output.records("float") == []


def test_an_interrupted_reading_is_taken_again(sandbox: Sandbox, world: World) -> None:
    syncs = Syncs(sandbox)
    messages = syncs.read("float").messages
    records = [n for n, message in enumerate(messages, 1) if message["type"] == "RECORD"]
    cut = Syncs(sandbox)
    cut.load(messages[: records[1]])
    cut.read("float")
    assert cut.tables["float"] == syncs.tables["float"]


def test_an_empty_reading_is_none(sandbox: Sandbox, world: World, naps: list[float]) -> None:
    rows = world.dataset(FLOAT).rows()
    for row in rows:
        world.dataset(FLOAT).remove(row)
    syncs = Syncs(sandbox)
    output = syncs.read("float")
    assert "float has no rows, asked 4 times. That is believed now." in output.text
    assert output.states("float")[-1]["states"] == []
    world.dataset(FLOAT).insert(ticker="A")
    assert len(syncs.read("float").records("float")) == 1


@both_editions
def test_a_refused_reading_moves_nothing(
    sandbox: Sandbox, world: World, naps: list[float], edition: type[Syncs]
) -> None:
    syncs = edition(sandbox)
    sandbox.faults.add(Fault.html(times=None))
    assert syncs.read("float", expect_failure=True).status("float") == "INCOMPLETE"
    sandbox.faults.clear()
    assert syncs.read("float").records("float") == reading(world, "2026-11-20")

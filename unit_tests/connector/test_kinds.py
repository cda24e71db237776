"""Every kind of market-wide list: faults, interrupts, and a table that equals the vendor's answer.

One stream stands for each kind, of times and of dates; `integration_tests/test_every_stream.py`
reads them all.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from airbyte_cdk.utils.yaml_loader import safe_load_yaml
from polygon_sandbox import DatasetSize, Fault, Plan, Sandbox, World

from unit_tests.connector.cloud_syncing import CloudSyncs
from unit_tests.connector.syncing import CURSORS, KEYS, Row, Syncs

STREAMS = Path(__file__).parents[2] / "manifests" / "streams"
NOW = "2026-11-20T22:30:00Z"
START = "2026-10-20"
BY_KIND = {
    "dated": "short_volume",
    "dated_once": "holdings_13f",
    "snapshot": "float",
    "full_list": "conditions",
    "paged_list": "treasury_yields",
}
every_kind = pytest.mark.parametrize("stream", BY_KIND.values(), ids=BY_KIND)
# Windows of dates, of times, of stamps that move with each change, and ahead of today; no key.
every_form = pytest.mark.parametrize(
    "stream", [*BY_KIND.values(), "news", "benzinga_ratings", "futures_schedules", "ipos"]
)


# What a correction changes.
VALUES = {
    "short_volume": "total_volume",
    "holdings_13f": "market_value",
    "float": "free_float",
    "conditions": "description",
    "treasury_yields": "yield_10_year",
    "news": "title",
    "benzinga_ratings": "price_target",
    "futures_schedules": "product_name",
    "ipos": "lot_size",
}
TEXTS = ("conditions", "news", "futures_schedules")
TIMES = ("news", "benzinga_ratings")


def about(stream: str) -> dict[str, Any]:
    loaded: dict[str, Any] = safe_load_yaml((STREAMS / f"{stream}.yaml").read_text())
    return loaded


@pytest.fixture
def world() -> World:
    size = DatasetSize(days=40, rows_a_day=3)
    return World(
        seed=7, stocks=5, delisted=0, otc=0, crypto=0, fx=0, indices=0, now=NOW, datasets=size
    )


@pytest.fixture
def syncs(world: World, clock: Callable[[str], None]) -> Iterator[Syncs]:
    with Sandbox(world, plan=Plan.unlimited()) as running:
        yield Syncs(running)


def rows_due(world: World, stream: str) -> list[Row]:
    """Return the rows that a table has once all is read, by the world itself."""
    facts = about(stream)
    rows = world.dataset(facts["path"]).rows()
    if facts["kind"] == "full_list":
        return rows
    if facts["kind"] == "snapshot":
        return [{"snapshot_date": str(world.today), **row} for row in rows]
    field = facts.get("cursor_field") or facts["date_field"]
    last = world.today + timedelta(days=facts.get("ahead_days", 0) - facts.get("settling_days", 0))
    until = "9999" if facts["kind"] == "paged_list" else str(last)
    return [row for row in rows if START <= row[field][:10] <= until]


def told(rows: Iterable[Row]) -> list[str]:
    """Return rows as texts, in order, without what is null: to compare by value, copies too."""
    return sorted(
        json.dumps({k: v for k, v in row.items() if v is not None}, sort_keys=True) for row in rows
    )


def table(syncs: Syncs, stream: str) -> list[str]:
    return told(syncs.tables[stream].values())


@every_kind
@pytest.mark.usefixtures("both_ways")
def test_a_broken_answer_is_an_error_and_never_an_empty_one(
    syncs: Syncs, world: World, naps: list[float], stream: str
) -> None:
    syncs.sandbox.faults.add(Fault.truncated_json(times=None))
    output = syncs.read(stream, expect_failure=True, start_date=START)
    assert output.status(stream) == "INCOMPLETE"
    assert "transient_error" in output.failure_types
    assert output.records(stream) == []
    if stream in CURSORS:
        assert all(not state["states"] for state in output.states(stream))
    syncs.sandbox.faults.clear()
    syncs.sandbox.faults.add(Fault.html(times=2))
    assert syncs.read(stream, start_date=START).errors == []
    assert table(syncs, stream) == told(rows_due(world, stream))


@pytest.mark.parametrize("skip", [0, 1])
@pytest.mark.parametrize(
    ("edition", "stream"),
    [
        *((Syncs, stream) for stream in BY_KIND.values()),
        # Not the windows: the CDK cannot tell them apart.
        *((CloudSyncs, BY_KIND[kind]) for kind in ("snapshot", "full_list", "paged_list")),
    ],
)
def test_rows_that_an_answer_leaves_out_come_when_it_is_asked_again(
    syncs: Syncs, world: World, naps: list[float], stream: str, edition: type[Syncs], skip: int
) -> None:
    sandbox, path = syncs.sandbox, about(stream)["path"]
    sandbox.faults.add(Fault.no_results(path=path, skip=skip))
    either = edition(sandbox)
    assert either.read(stream, start_date=START).errors == []
    assert table(either, stream) == told(rows_due(world, stream))


def test_windows_before_a_dataset_begins_are_not_each_asked_for_again(
    syncs: Syncs, world: World, naps: list[float]
) -> None:
    assert syncs.read("short_volume", start_date="2025-11-20").errors == []
    weeks = 53
    at_once = 2 * 2  # windows that are under way before the first is known to be empty
    assert weeks < len(syncs.sandbox.requests) <= weeks + at_once
    rows = world.dataset(about("short_volume")["path"]).rows()
    assert table(syncs, "short_volume") == told(rows)


@every_kind
@pytest.mark.usefixtures("both_ways")
def test_a_plan_without_the_data_is_said(syncs: Syncs, stream: str) -> None:
    syncs.sandbox.plan = Plan.unlimited(refused=(about(stream)["path"],))
    output = syncs.read(stream, "market_holidays", expect_failure=True, start_date=START)
    assert output.status(stream) == "INCOMPLETE"
    assert output.status("market_holidays") == "COMPLETE"
    assert output.records(stream) == []
    assert any("does not cover" in error for error in output.errors), output.errors


@every_kind
@pytest.mark.usefixtures("both_ways")
def test_a_sync_resumes_from_each_state(syncs: Syncs, world: World, stream: str) -> None:
    whole = syncs.read(stream, start_date=START, num_workers=4)
    due = told(rows_due(world, stream))
    assert table(syncs, stream) == due
    cuts = [n for n, message in enumerate(whole.messages, 1) if message["type"] == "STATE"]
    for cut in {cuts[0], cuts[len(cuts) // 2], cuts[-1]}:
        resumed = Syncs(syncs.sandbox)
        resumed.load(whole.messages[:cut])
        resumed.read(stream, start_date=START)
        assert table(resumed, stream) == due


@pytest.mark.parametrize(
    ("stream", "field"),
    [("short_volume", "ticker"), ("float", "ticker"), ("conditions", "name"), ("news", "id")],
)
def test_a_row_without_its_key_is_refused_by_name(
    syncs: Syncs, world: World, stream: str, field: str
) -> None:
    rows = world.dataset(about(stream)["path"])
    rows.change({field: rows_due(world, stream)[-1][field]}, **{field: None})
    output = syncs.read(stream, expect_failure=True, start_date=START)
    assert any(f"A row has no {field}" in error for error in output.errors), output.errors


@every_form
def test_the_table_is_the_vendors_answer_after_any_sequence(
    syncs: Syncs, world: World, clock: Callable[[str], None], stream: str
) -> None:
    """Rows that come late or are corrected within the lookback, days that pass, interrupts."""
    dice = Random(stream)  # noqa: S311 - the same each time
    now = date.fromisoformat(NOW[:10])
    readings: list[Row] = []  # of a snapshot each day stays
    for _ in range(5):
        for _ in range(dice.randint(0, 3)):
            change(world, stream, dice)
        if dice.random() < 0.4:
            interrupted(syncs, stream, dice)
        syncs.read(stream, start_date=START, num_workers=dice.choice([1, 4]))
        due = rows_due(world, stream)
        if about(stream)["kind"] == "snapshot":
            if not any(row["snapshot_date"] == str(now) for row in readings):
                readings += due
            due = readings
        assert table(syncs, stream) == told(due)
        now += timedelta(days=dice.randint(0, 3))
        moment = f"{now}T{dice.randint(12, 23)}:30:00Z"
        if moment > world.now.isoformat():
            world.advance(to=moment)
        clock(moment)


def change(world: World, stream: str, dice: Random) -> None:
    """Enter a row late, or correct one: of a dated list within its lookback."""
    facts, rows = about(stream), world.dataset(about(stream)["path"])
    kind, field = facts["kind"], facts.get("cursor_field", "")
    number = dice.randrange(10**6)
    corrected = {VALUES[stream]: f"{number}" if stream in TEXTS else number}
    if kind in ("dated", "dated_once"):
        # Stamps move with each change; what is read once is complete by then.
        back = (
            0
            if field == "last_updated"
            else facts.get("lookback_days", facts.get("settling_days", 0) - 1)
        )
        day = str(world.today - timedelta(days=dice.randint(0, back)))
        moment = f"{day}T{dice.randint(10, 21)}:00:00Z" if stream in TIMES else day
        late = {"ticker": f"LATE{number}"} if "ticker" in KEYS[stream] else {}
        rows.insert(**{field: moment}, **corrected, **late)
    if kind == "dated":
        recent = [row for row in rows_due(world, stream) if row[field][:10] >= day]
        chosen = dice.choice(recent)
        stamp = {"last_updated": moment} if field == "last_updated" else {}
        rows.change({name: chosen[name] for name in KEYS[stream]}, **corrected, **stamp)
    elif kind != "dated_once":
        chosen = dice.choice(rows.rows())
        if kind != "snapshot" and dice.random() < 0.3:
            rows.remove(chosen)
        else:
            rows.change(chosen, **corrected)


def interrupted(syncs: Syncs, stream: str, dice: Random) -> None:
    """Run a sync of which the destination got a beginning that ends with a state."""
    tables, states = dict(syncs.tables[stream]), dict(syncs.saved)
    messages = syncs.read(stream, start_date=START, num_workers=4).messages
    syncs.tables[stream], syncs.saved = tables, states
    cuts = [n for n, message in enumerate(messages, 1) if message["type"] == "STATE"]
    syncs.load(messages[: dice.choice([cuts[0], *cuts])])

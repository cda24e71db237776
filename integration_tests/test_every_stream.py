"""Every market-wide list, in both editions: in full, again, and after the vendor's data changed."""

import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import yaml
from polygon_sandbox import DatasetSize, Plan, Sandbox, World
from polygon_sandbox.datasets import dataset_paths

from unit_tests.connector.cloud_syncing import MANIFESTS, CloudSyncs
from unit_tests.connector.syncing import KEYS, Row, Syncs

START = "2026-10-08"
NOW, LATER = "2026-11-20T22:30:00Z", "2026-11-23T22:30:00Z"

STREAMS: dict[str, dict[str, Any]] = {
    path.stem: stream
    for path in sorted((MANIFESTS / "streams").glob("*.yaml"))
    if (stream := yaml.safe_load(path.read_text()))["path"] in dataset_paths()
}


@pytest.fixture
def world() -> World:
    size = DatasetSize(days=50, rows_a_day=3)
    return World(
        seed=7, stocks=5, delisted=0, otc=0, crypto=0, fx=0, indices=0, now=NOW, datasets=size
    )


@pytest.fixture
def sandbox(world: World) -> Iterator[Sandbox]:
    with Sandbox(world, Plan.unlimited()) as running:
        yield running


def told(rows: Any) -> list[str]:
    """Return rows as texts, in order, without what is null: to compare by value, copies too."""
    return sorted(
        json.dumps({k: v for k, v in row.items() if v is not None}, sort_keys=True) for row in rows
    )


def truth(world: World, name: str, today: str) -> list[Row]:
    """Return the rows that a table must have, by the world itself."""
    stream = STREAMS[name]
    rows = world.dataset(stream["path"]).rows()
    if stream["kind"] == "full_list":
        return rows
    if stream["kind"] == "snapshot":
        return [{"snapshot_date": today, **row} for row in rows]
    field = stream.get("cursor_field") or stream["date_field"]
    until = "9999-12-31"
    if stream["kind"] == "dated_once":
        until = str(date.fromisoformat(today) - timedelta(days=stream["settling_days"]))
    return [row for row in rows if START <= row[field][:10] <= until]


def correct(world: World, name: str) -> None:
    """Change a row of a few days ago: of a dated list within its lookback."""
    stream, rows = STREAMS[name], world.dataset(STREAMS[name]["path"])
    cursor = stream.get("cursor_field") or stream.get("date_field", "")
    day = str(world.today - timedelta(days=2))
    dated = [row for row in rows.rows() if str(row.get(cursor, day)) >= day]
    old = {**dated[0]}
    kinds = {field: str(of["type"]) for field, of in stream["schema"]["properties"].items()}
    free = [field for field in kinds if field not in (*KEYS[name], cursor)]
    field = next((each for each in free if "number" in kinds[each]), free[0])
    stamp = {cursor: f"{world.today}T10:00:00Z"} if cursor == "last_updated" else {}
    new = "corrected" if "string" in kinds[field] and "number" not in kinds[field] else 0.125
    assert rows.change(old, **{field: new}, **stamp) == 1


def test_every_list_in_full_and_incrementally(
    sandbox: Sandbox, world: World, clock: Callable[[str], None]
) -> None:
    assert len(STREAMS) > 40
    readings: dict[str, list[Row]] = {name: [] for name in STREAMS}
    editions = Syncs(sandbox), CloudSyncs(sandbox)
    for now in (NOW, LATER, LATER):
        clock(now)
        if now > world.now.isoformat():
            for name in STREAMS:
                correct(world, name)
            world.advance(to=now)
        for edition in editions:
            output = edition.read(*STREAMS, start_date=START, num_workers=4)
            assert output.errors == []
            for name in STREAMS:
                assert output.status(name) == "COMPLETE"
        for name, stream in STREAMS.items():
            due = truth(world, name, now[:10])
            if stream["kind"] == "snapshot" and told(due) != told(readings[name][-len(due) :]):
                readings[name] += due
            for edition in editions:
                table = told(edition.tables[name].values())
                assert table == told(readings[name] or due), (name, edition)
                assert table, name

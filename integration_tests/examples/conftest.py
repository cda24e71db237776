"""A sandbox market, landed in DuckDB as the connector and PyAirbyte would land it."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest
from polygon_sandbox import Plan, Sandbox, World

from integration_tests.documents.landed import land
from unit_tests.connector.syncing import Syncs

FIRST, NOW = "2026-09-21T22:30:00Z", "2026-11-20T22:30:00Z"
STREAMS = ("grouped_daily", "tickers", "splits", "dividends")


@pytest.fixture
def world() -> World:
    """Sixty stocks; one splits, one goes, its symbol is another company's from the next day on."""
    world = World(seed=11, stocks=60, delisted=20, now=FIRST)
    gone, split, *_ = [row["ticker"] for row in world.tickers("stocks")]
    world.add_split(split, date(2026, 10, 20), split_from=1, split_to=4)
    world.advance("2026-10-13T22:30:00Z")
    world.delist(gone)
    world.advance(NOW)
    return world


@pytest.fixture
def landed(tmp_path: Path, world: World, clock: Callable[[str], None]) -> Path:
    """The file of DuckDB, schema polygon."""
    clock(NOW)
    file = tmp_path / "landed.duckdb"
    with Sandbox(world, Plan.unlimited()) as sandbox, duckdb.connect(str(file)) as connection:
        syncs = Syncs(sandbox)
        syncs.read(*STREAMS, start_date="2026-09-21")
        connection.execute("CREATE SCHEMA polygon")
        connection.execute("USE polygon")
        connection.execute("SET TimeZone = 'UTC'")
        for stream in STREAMS:
            land(connection, stream, syncs.tables[stream].values())
    return file

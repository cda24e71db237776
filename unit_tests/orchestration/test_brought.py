"""A session that a run brought nothing of is not marked as read, and the run says why."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from dagster import AssetSelection
from polygon_orchestration.alerts import message
from polygon_orchestration.brought import Brought
from polygon_orchestration.warehouse import DuckDB
from polygon_sandbox import Plan, Sandbox, World

from unit_tests.orchestration.location import Run, run, settings, table

LANDING = AssetSelection.groups("landing").without_checks()
LISTS = AssetSelection.assets("landing/splits", "landing/tickers")
FOUR = {f"landing/{name}" for name in ("grouped_daily", "tickers", "splits", "dividends")}


def told(done: Run) -> str:
    return str(message(done.instance, done.result.dagster_run))


@pytest.mark.parametrize(
    ("now", "day", "delay", "words"),
    [
        ("2026-11-25T13:00Z", "2026-11-25", 15, "not over: New York closes at 2026-11-25 16:00"),
        ("2026-11-25T20:59Z", "2026-11-25", 15, "not over: New York closes at 2026-11-25 16:00"),
        (
            "2026-11-25T21:14Z",
            "2026-11-25",
            15,
            "the plan serves it from 2026-11-25 16:15",
        ),
        ("2026-11-25T22:00Z", "2026-11-25", None, "the plan serves it from 2026-11-26 00:15"),
        ("2026-11-27T17:59Z", "2026-11-27", 15, "not over: New York closes at 2026-11-27 13:00"),
        ("2026-11-27T18:16Z", "2026-11-27", 15, "is over, and the vendor sent no bars"),
        ("2027-01-04T15:00Z", "2026-12-31", None, "is over, and the vendor sent no bars"),
    ],
)
def test_the_reason_is_said(
    now: str, day: str, delay: int | None, words: str, clock: Callable[[str], None], tmp_path: Path
) -> None:
    clock(now)
    brought = Brought(DuckDB(tmp_path / "p.duckdb"), delay)
    session = date.fromisoformat(day)
    assert f"{session} is " in brought.why_not(session)
    assert words in brought.why_not(session)
    assert brought.over([session]) == ([session] if "sent no bars" in words else [])


def test_a_session_that_goes_on_is_not_read_and_the_others_are(
    clock: Callable[[str], None], tmp_path: Path
) -> None:
    now = "2026-11-25T19:00:00Z"
    clock(now)
    with Sandbox(World(stocks=20, delisted=20, now=now), Plan.unlimited()) as sandbox:
        chosen = settings(sandbox, tmp_path / "p.duckdb", retries=3)
        with run(chosen, LANDING, "2026-11-23", "2026-11-25") as half:
            assert not half.result.success
            assert "Not read: 2026-11-25 is not over" in told(half)
            assert half.partitions == {"2026-11-23", "2026-11-24"}
            assert half.materialized == FOUR
            # Asked for once: to try again at once brings nothing.
            assert sum("2026-11-23" in r.path for r in sandbox.requests) == 1
        with run(chosen, LISTS, "2026-11-25", "2026-11-25") as lists:
            assert not lists.result.success
            assert lists.materialized == set()


def test_a_session_of_which_the_vendor_sends_nothing_is_not_read(
    clock: Callable[[str], None], tmp_path: Path
) -> None:
    now = "2026-11-25T22:00:00Z"
    clock(now)
    path = tmp_path / "p.duckdb"
    with Sandbox(World(stocks=20, delisted=20, now=now), Plan.unlimited()) as sandbox:
        # The first table of this file: there is none before.
        sandbox.plan = Plan.unlimited(history_start=sandbox.world.today)
        with run(settings(sandbox, path), LANDING, "2026-11-24", "2026-11-24") as refused:
            assert not refused.result.success
            assert refused.materialized == set()
            assert "Not read: 2026-11-24 is over, and the vendor sent no bars" in told(refused)
        sandbox.plan = Plan.unlimited()
        with run(settings(sandbox, path), LANDING, "2026-11-23", "2026-11-25") as whole:
            assert whole.result.success
            assert whole.partitions == {"2026-11-23", "2026-11-24", "2026-11-25"}
        before = table(path, "landing.grouped_daily")
        # Read again, one of them comes back empty: what was there stays, and is not marked anew.
        sandbox.plan = Plan.unlimited(history_start=sandbox.world.today)
        with run(settings(sandbox, path), LANDING, "2026-11-24", "2026-11-25") as again:
            assert not again.result.success
            assert again.partitions == {"2026-11-25"}
        assert table(path, "landing.grouped_daily") == before

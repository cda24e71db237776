"""Assets over the sandbox: a range of sessions, again, and killed half-way."""

import json
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path
from threading import Event

from dagster import AssetSelection
from polygon_orchestration.alerts import message
from polygon_sandbox import Plan, Sandbox, World

from unit_tests.orchestration.location import run, settings, table

FIRST, LAST = "2026-10-08", "2026-11-18"  # thirty sessions
BARS = AssetSelection.assets("landing/grouped_daily")


def test_thirty_sessions_twice_give_the_same_tables(tmp_path: Path) -> None:
    path = tmp_path / "polygon.duckdb"
    everything = AssetSelection.all()
    with Sandbox(World(stocks=60, delisted=60, now="2026-11-20T22:30:00Z")) as sandbox:
        world = sandbox.world
        with run(settings(sandbox, path), everything, FIRST, LAST) as first:
            assert first.result.success
            assert len(first.partitions) == 30
            assert {"landing/tickers", "market/daily_bars_total_return"} <= first.materialized
        landed = ("grouped_daily", "tickers", "splits", "dividends")
        names = [f"landing.{name}" for name in landed]
        names += ["market.daily_bars", "market.latest_tickers", "market.adjustments"]
        names += ["market.daily_bars_adjusted", "market.daily_bars_total_return"]
        before = {name: table(path, name) for name in names}
        days = world.sessions("stocks", date.fromisoformat(FIRST), date.fromisoformat(LAST))
        assert len(before["market.daily_bars"]) == sum(len(world.bars("stocks", d)) for d in days)
        with run(settings(sandbox, path), everything, FIRST, LAST) as again:
            assert again.result.success
    assert {name: table(path, name) for name in names} == before


def test_a_killed_run_is_completed_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "polygon.duckdb"
    half_way = Event()
    with Sandbox(World(stocks=60, delisted=60, now="2026-11-20T22:30:00Z")) as sandbox:

        def watch(request_path: str, query: object) -> None:
            if "2026-11-12" in request_path:
                half_way.set()

        sandbox.on_request(watch)
        sandbox.plan = Plan.unlimited(requests_per_minute=10, window_seconds=5)
        environment = {
            **os.environ,
            "POLYGON_API_KEY": sandbox.key,
            "POLYGON_BASE_URL": sandbox.url,
            "POLYGON_REQUESTS_PER_MINUTE": "6000",
            "POLYGON_START_DATE": "2026-10-01",
            "POLYGON_DUCKDB_PATH": str(path),
            "DAGSTER_HOME": str(tmp_path),
        }
        command = [sys.executable, "-m", "dagster", "job", "execute", "--job", "sessions"]
        command += ["--module-name", "polygon_orchestration.definitions", "--tags"]
        command += [
            json.dumps(
                {
                    "dagster/asset_partition_range_start": "2026-11-02",
                    "dagster/asset_partition_range_end": "2026-11-18",
                }
            )
        ]
        process = subprocess.Popen(
            command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL
        )
        try:
            assert half_way.wait(120)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
        sandbox.on_request(None)
        sandbox.plan = Plan.unlimited()
        with run(settings(sandbox, path), BARS, "2026-11-02", "2026-11-18") as second:
            assert second.result.success
            assert second.failed_checks == {"bars_without_ticker", "staleness"}
        undisturbed = tmp_path / "undisturbed.duckdb"
        with run(settings(sandbox, undisturbed), BARS, "2026-11-02", "2026-11-18"):
            pass
    assert table(path, "landing.grouped_daily") == table(undisturbed, "landing.grouped_daily")
    assert len({row[1] for row in table(path, "landing.grouped_daily")}) == 13


def test_a_refused_key_fails_the_run_with_the_connectors_words(tmp_path: Path) -> None:
    with Sandbox(World(stocks=20, delisted=20, now="2026-11-20T22:30:00Z")) as sandbox:
        chosen = settings(sandbox, tmp_path / "p.duckdb", api_key="another-key-5550123")
        with run(chosen, BARS, "2026-11-18", "2026-11-18") as failed:
            assert not failed.result.success
            told = str(message(failed.instance, failed.result.dagster_run))
            (failure,) = [e for e in failed.result.all_events if e.is_step_failure]
            text = failure.step_failure_data.error.to_string()  # type: ignore[union-attr]
    assert "Polygon.io does not accept this API key" in told
    assert "another-key-5550123" not in told + text

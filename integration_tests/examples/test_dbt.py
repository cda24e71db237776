"""The dbt package builds on landed tables, and its prices are the vendor's adjusted ones."""

import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest
from polygon_sandbox import World

PACKAGE = Path(__file__).parents[2] / "examples" / "dbt"
TODAY = date(2026, 11, 20)


def _dbt(folder: Path, file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run dbt on a copy of the package; it writes beside its files."""
    package = folder / "package"
    if not package.exists():
        shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("target", "logs"))
    return subprocess.run(
        [
            str(Path(sys.executable).with_name("dbt")), *arguments,
            "--vars", f"{{as_of: \"date '{TODAY}'\"}}",
        ],
        cwd=package, capture_output=True, text=True, check=False,
        env={**os.environ, "POLYGON_DUCKDB": str(file), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
             "DBT_PROFILES_DIR": str(package), "NO_COLOR": "1"},
    )  # fmt: skip


def test_it_builds_and_its_prices_are_the_vendors(
    landed: Path, world: World, tmp_path: Path
) -> None:
    done = _dbt(tmp_path, landed, "build")
    assert done.returncode == 0, done.stdout[-3000:]
    with duckdb.connect(str(landed), read_only=True) as market:
        rows = market.execute(
            "SELECT date, ticker, close, split_factor, total_return_close "
            "FROM market.daily_bars_adjusted WHERE market = 'stocks'"
        ).fetchall()
        listed = market.execute("SELECT date, ticker FROM market.universe").fetchall()
    prices = {(day, ticker): price for day, ticker, price, _, _ in rows}
    compared = 0
    for day in world.sessions("stocks", date(2026, 9, 21), TODAY):
        for bar in world.bars("stocks", day, adjusted=True):
            assert prices.pop((day, bar["T"])) == pytest.approx(bar["c"], abs=0.006, rel=1e-5)
            compared += 1
    assert prices == {}
    assert compared > 2000
    assert any(factor != 1 for *_, factor, _ in rows)
    assert all(total <= price + 1e-9 for _, _, price, _, total in rows)
    gone = next(r for r in world.tickers("stocks", active=False) if r["delisted_utc"] > "2026-10")
    days = {day for day, ticker in listed if ticker == gone["ticker"]}
    assert max(days) < date(2026, 10, 14) < TODAY
    assert date(2026, 9, 22) in days


def test_rows_at_fault_fail_it_by_name(landed: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(landed)) as market:
        market.execute(
            "INSERT INTO polygon.grouped_daily SELECT * FROM polygon.grouped_daily LIMIT 1"
        )
    done = _dbt(tmp_path, landed, "test", "--select", "source:landing.grouped_daily")
    assert done.returncode == 1
    assert "source_unique_key_landing_grouped_daily" in done.stdout
    assert "Got 1 result" in done.stdout

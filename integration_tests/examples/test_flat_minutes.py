"""The notebook over flat files finds the same in a folder, in ClickHouse and in DuckDB."""

import ast
import csv
import gzip
import io
import math
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
from polygon_sandbox import Plan, Sandbox, World
from polygon_sandbox.flat_files import FilesSize, FlatFiles

from integration_tests.documents.landed import land
from integration_tests.examples.test_notebooks import run
from unit_tests.connector.syncing import Syncs

NOW = "2026-11-20T17:00:00Z"
PREFIX = "us_stocks_sip/minute_aggs_v1/"
SAID = (
    "[[str(row.minute), row.share] for row in curve.itertuples()]",
    "[[str(row.minute), row.basis_points] for row in volatility.itertuples()]",
    "[[str(row.minute), row.vwap, row.low, row.high] for row in band.itertuples()]",
)


@pytest.fixture(scope="module")
def files() -> FlatFiles:
    """Three days, each from 9:25 to 9:45 in New York."""
    world = World(stocks=3, delisted=0, otc=0, now=NOW)
    return FlatFiles(world, FilesSize(days=3, bars_from=time(9, 25), bar_minutes=20))


@pytest.fixture
def folder(files: FlatFiles, tmp_path: Path) -> Path:
    for key in files.keys(PREFIX):
        path, stored = tmp_path / "files" / key, files.get(key)
        assert stored is not None
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(stored.body)
    return tmp_path / "files"


def _days(folder: Path) -> list[dict[str, dict[str, float]]]:
    """Return the bars of AAPL in the session, day by day, by their minute in New York."""
    days = []
    for path in sorted(folder.rglob("*.csv.gz")):
        day = {}
        for row in csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode())):
            at = datetime.fromtimestamp(
                int(row["window_start"]) // 10**9, ZoneInfo("America/New_York")
            )
            if row["ticker"] == "AAPL" and at.time() >= time(9, 30):
                names = ("open", "high", "low", "close", "volume")
                day[f"{at:%H:%M:%S}"] = {name: float(row[name]) for name in names}
        days.append(day)
    assert [len(day) for day in days] == [15, 15, 15]
    return days


def _in_clickhouse(folder: Path, table: Path) -> None:
    subprocess.run(
        [
            str(Path(sys.executable).with_name("polygon-stream")), "backfill",
            "--start", "2026-11-17", "--end", "2026-11-19",
            "--directory", str(folder), "--clickhouse", f"chdb:{table}",
        ],
        check=True,
    )  # fmt: skip


def _in_duckdb(files: FlatFiles, file: Path) -> None:
    with (
        Sandbox(files.world, Plan.unlimited(), flat_files=files) as sandbox,
        duckdb.connect(str(file)) as connection,
    ):
        syncs = Syncs(sandbox)
        pair = {"access_key_id": files.access_key_id, "secret_access_key": sandbox.key}
        syncs.read(
            "flat_minute_bars", start_date="2026-11-17",
            flat_files={**pair, "endpoint": sandbox.url, "asset_classes": ["stocks"]},
        )  # fmt: skip
        connection.execute("CREATE SCHEMA polygon")
        connection.execute("USE polygon")
        land(connection, "flat_minute_bars", syncs.tables["flat_minute_bars"].values())


@pytest.mark.parametrize("place", ["folder", "clickhouse", "duckdb"])
def test_flat_minutes(
    place: str,
    folder: Path,
    files: FlatFiles,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    clock: Callable[[str], None],
) -> None:
    for name in ("FLAT_FILES", "CLICKHOUSE", "DUCKDB", "SYMBOLS"):
        monkeypatch.delenv(f"POLYGON_{name}", raising=False)
    if place == "folder":
        monkeypatch.setenv("POLYGON_FLAT_FILES", str(folder))
    elif place == "clickhouse":
        _in_clickhouse(folder, tmp_path / "table.chdb")
        monkeypatch.setenv("POLYGON_CLICKHOUSE", str(tmp_path / "table.chdb"))
    else:
        clock(NOW)
        _in_duckdb(files, tmp_path / "landed.duckdb")
        monkeypatch.setenv("POLYGON_DUCKDB", str(tmp_path / "landed.duckdb"))
    curve, volatility, band = map(ast.literal_eval, run("flat_minutes.ipynb", *SAID))

    days = _days(folder)
    minutes = sorted(days[0])
    whole = [sum(bar["volume"] for bar in day.values()) for day in days]
    assert [minute for minute, _ in curve] == minutes
    for minute, share in curve:
        shares = [day[minute]["volume"] / all_ for day, all_ in zip(days, whole, strict=True)]
        assert share == pytest.approx(sum(shares) / 3)
    assert sum(share for _, share in curve) == pytest.approx(1)
    for minute, basis_points in volatility:
        squares = [math.log(day[minute]["close"] / day[minute]["open"]) ** 2 for day in days]
        assert basis_points == pytest.approx(1e4 * math.sqrt(sum(squares) / 3))
    assert any(basis_points > 0 for _, basis_points in volatility)
    traded: list[tuple[float, float]] = []
    for minute, vwap, low, high in band:
        bar = days[-1][minute]
        traded.append((bar["volume"], (bar["high"] + bar["low"] + bar["close"]) / 3))
        shares_so_far = sum(shares for shares, _ in traded)
        mean = sum(shares * price for shares, price in traded) / shares_so_far
        spread = sum(shares * (price - mean) ** 2 for shares, price in traded) / shares_so_far
        assert vwap == pytest.approx(mean)
        assert (low, high) == pytest.approx(
            (mean - 2 * math.sqrt(spread), mean + 2 * math.sqrt(spread)), abs=1e-3
        )
    assert len(band) == len(minutes)

"""The notebooks run from the first cell to the last, and what they find is so."""

import json
import subprocess
import sys
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import nbformat
import pytest
from nbclient import NotebookClient
from polygon_sandbox import World

NOTEBOOKS = Path(__file__).parents[2] / "examples" / "notebooks"


def run(name: str, *said: str) -> list[str]:
    """Run a notebook, then print some expressions in it; return what they print."""
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)  # type: ignore[no-untyped-call]
    assert all(not cell.get("outputs") for cell in notebook.cells), "kept without outputs"
    for words in said:
        cell = nbformat.v4.new_code_cell(f"print({words})")  # type: ignore[no-untyped-call]
        notebook.cells.append(cell)
    NotebookClient(
        notebook, timeout=120, kernel_name="python3",
        resources={"metadata": {"path": str(NOTEBOOKS)}},
    ).execute()  # fmt: skip
    outputs: list[Any] = [cell.outputs for cell in notebook.cells[-len(said) :]]
    return [output[0].text.strip() for output in outputs]


def test_daily_bars(landed: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYGON_DUCKDB", str(landed))
    with duckdb.connect(str(landed), read_only=True) as market:
        ((split,),) = market.execute(
            "SELECT ticker FROM polygon.splits WHERE execution_date = '2026-10-20' AND split_to = 4"
        ).fetchall()
    sessions, returns, listed, gone, holes = run(
        "daily_bars.ipynb",
        "len(sessions)",
        f"*returns.set_index('ticker').loc[{split!r}]",
        "int(universe['listed'].iloc[0])",
        "int(universe['gone_since'].iloc[0]), int(universe['gone_since'].iloc[-1])",
        "len(holes)",
    )
    assert int(sessions) == 45
    as_traded, price_return, total_return = map(float, returns.split())
    first, last = (
        {bar["T"]: bar["c"] for bar in world.bars("stocks", day, adjusted=True)}[split]
        for day in (date(2026, 9, 21), date(2026, 11, 20))
    )
    assert price_return == pytest.approx(last / first - 1, rel=1e-3)
    # One became four at least: in the traded price that looks like three quarters lost.
    assert as_traded < price_return - 0.5
    assert total_return >= price_return
    assert int(listed) == len(world.bars("stocks", date(2026, 9, 21)))
    assert gone.split() == ["1", "0"]
    assert int(holes) == _quiet_days(world)


def _quiet_days(world: World) -> int:
    """Return how many days symbols did not trade between their first and their last bar."""
    sessions = world.sessions("stocks", date(2026, 9, 21), date(2026, 11, 20))
    days: dict[str, list[int]] = {}
    for number, day in enumerate(sessions):
        for bar in world.bars("stocks", day):
            days.setdefault(bar["T"], []).append(number)
    quiet = sum(numbers[-1] - numbers[0] + 1 - len(numbers) for numbers in days.values())
    assert quiet > 0
    return quiet


def test_minute_bars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The engine of one process has one path: the table is made by another.
    monkeypatch.setenv("POLYGON_CLICKHOUSE", str(_table(tmp_path)))
    candles, away, movers = run(
        "minute_bars.ipynb",
        "[(c['symbol'], c['minute'].minute, c['open'], c['high'], c['low'], c['close'], "
        "float(c['shares']), round(float(c['average']), 4)) for c in candles]",
        "[(row['symbol'], row['basis_points']) for row in away]",
        "[(row['symbol'], row['percent']) for row in movers]",
    )
    assert candles == (
        "[('AAA', 30, 10.0, 12.0, 9.0, 11.0, 60.0, 10.6667), "
        "('AAA', 31, 11.0, 13.0, 10.0, 12.0, 40.0, 12.0), "
        "('BBB', 30, 5.0, 6.0, 4.0, 5.0, 10.0, 5.0)]"
    )
    # AAA: 60 shares at 10 2/3 and 40 at 12 are 11.2 on average; the last price is 12.
    assert away == "[('AAA', 714.3), ('BBB', 0.0)]"
    assert movers == "[('AAA', 20.0), ('BBB', 0.0)]"


# Symbol, second after 14:30, open, high, low, close, volume, vwap. One bar is corrected.
BARS = (
    ("AAA", 0, 10.0, 11.0, 9.0, 10.0, 20.0, 10.0),
    ("AAA", 30, 10.0, 12.0, 10.0, 9.0, 99.0, 99.0),
    ("AAA", 30, 10.0, 12.0, 10.0, 11.0, 40.0, 11.0),
    ("AAA", 60, 11.0, 13.0, 10.0, 12.0, 40.0, 12.0),
    ("BBB", 0, 5.0, 6.0, 4.0, 5.0, 10.0, 5.0),
)
MAKE = """
import json, sys
from polygon_streaming import clickhouse
client = clickhouse.connect("chdb:" + sys.argv[1], "")
client.command(clickhouse.table_statement("stock_aggregates"))
lines = "\\n".join(json.dumps(row) for row in json.load(sys.stdin))
client.command("INSERT INTO stock_aggregates FORMAT JSONEachRow " + lines)
client.close()
"""


def _table(folder: Path) -> Path:
    """Make the sink's table, in a process of its own: an engine has one path for each process."""
    start = datetime(2026, 11, 20, 14, 30, tzinfo=timezone.utc)
    names = ("open", "high", "low", "close", "volume", "vwap")
    rows = [
        {
            "symbol": symbol, "event_type": "A", "market": "stocks", "otc": False, "healed": False,
            "window_start": f"{start + timedelta(seconds=second):%F %T}",
            "window_end": f"{start + timedelta(seconds=second + 1):%F %T}",
            "received_at": f"{start + timedelta(seconds=second + 2):%F %T}",
            "ingested_at": f"{start + timedelta(hours=1, seconds=number):%F %T}",
            **dict(zip(names, numbers, strict=True)),
        }
        for number, (symbol, second, *numbers) in enumerate(BARS)
    ]  # fmt: skip
    table = folder / "table.chdb"
    subprocess.run(
        [sys.executable, "-c", MAKE, str(table)], input=json.dumps(rows), text=True, check=True
    )
    return table

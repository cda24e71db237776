"""A week of bars into ClickHouse: by its own INSERT and by `polygon-stream backfill`; then verify.

The embedded ClickHouse reads the files from a folder. A fresh table each time; which way is first
changes from round to round.
"""

import shutil
import statistics
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Final

from polygon_sandbox.flat_files.full_market import write as write_file

from benchmarks.flat_files.measure import Measure, measured

TITLE: Final = "a week of minute bars into ClickHouse"
VERIFY: Final = "verify of a day of minute bars"
_INSERT: Final = "INSERT ... SELECT FROM file()"
_BACKFILL: Final = "polygon-stream backfill"
_YEAR: Final = 252
_DAYS: Final = [date(2026, 11, day) for day in range(16, 21)]


def run(rows: int, rounds: int) -> dict[str, dict[str, list[Measure]]]:
    """Return the measures of both tables, of so many rows a day."""
    script = Path(__file__).with_name("clickhouse_alone.py")
    stream = str(Path(sys.executable).with_name("polygon-stream"))
    inserted: dict[str, list[Measure]] = {}
    verified: dict[str, list[Measure]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = [
            folder / f"us_stocks_sip/minute_aggs_v1/{day:%Y/%m/%Y-%m-%d}.csv.gz" for day in _DAYS
        ]
        for path, day in zip(paths, _DAYS, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, "minute_aggs_v1", rows, day)
        data = ["--directory", str(folder), "--clickhouse", f"chdb:{folder / 'ours'}"]
        week = ["--start", str(_DAYS[0]), "--end", str(_DAYS[-1])]
        ways = {
            _INSERT: [*(sys.executable, str(script), str(folder / "alone"), *map(str, paths))],
            _BACKFILL: [stream, "backfill", *week, *data],
        }
        tables = {_INSERT: "alone", _BACKFILL: "ours"}
        count = rows * len(_DAYS)
        for turn in range(rounds):
            for title in reversed(ways) if turn % 2 else ways:
                shutil.rmtree(folder / tables[title], ignore_errors=True)
                measure = measured(ways[title], folder, b"", count, f"{count:,} rows".encode())
                inserted.setdefault(title, []).append(measure)
                print(f"{TITLE} {turn + 1}/{rounds} {title}: {measure}", file=sys.stderr)  # noqa: T201
            # What backfill left is held against a day's file.
            command = [stream, "verify", str(_DAYS[2]), *data]
            measure = measured(command, folder, b"", rows, f"{rows:,} are equal".encode())
            verified.setdefault("polygon-stream verify", []).append(measure)
            print(f"{VERIFY} {turn + 1}/{rounds}: {measure}", file=sys.stderr)  # noqa: T201
    return {TITLE: inserted, VERIFY: verified}


def told(measures: dict[str, dict[str, list[Measure]]]) -> str:
    """Return what backfill costs beside ClickHouse's own way, and a year of it, in sentences."""
    ours, alone = measures[TITLE][_BACKFILL], measures[TITLE][_INSERT]
    more = [100 * (a.cpu / b.cpu - 1) for a, b in zip(ours, alone, strict=True)]
    year = _YEAR / len(_DAYS)
    cpu, wall = (statistics.median(getattr(m, name) for m in ours) for name in ("cpu", "wall"))
    verified = statistics.median(m.cpu for m in measures[VERIFY]["polygon-stream verify"])
    return (
        f"Backfill beside INSERT, CPU of each round: {', '.join(f'{one:+.0f} %' for one in more)}; "
        f"median {statistics.median(more):+.0f} %. A year of {_YEAR} such days, from this week: "
        f"{year * cpu / 60:.0f} minutes of CPU, {year * wall / 60:.0f} of the clock, "
        f"{year * ours[0].rows / 1e6:,.0f} million rows. Verify of a day: {verified:.1f} s of CPU."
    )

"""A week of bars into ClickHouse: by its own INSERT and by `polygon-stream backfill`; then verify.

The embedded ClickHouse reads the files from a folder. A fresh table each time.
"""

import shutil
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Final

from polygon_sandbox.flat_files.full_market import write as write_file

from benchmarks.flat_files.measure import Measure, measured

TITLE: Final = "a week of minute bars into ClickHouse"
VERIFY: Final = "verify of a day of minute bars"
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
            "INSERT ... SELECT FROM file()": [
                *(sys.executable, str(script), str(folder / "alone"), *map(str, paths))
            ],
            "polygon-stream backfill": [stream, "backfill", *week, *data],
        }
        count = rows * len(_DAYS)
        for turn in range(rounds):
            for title, command in ways.items():
                for left in ("alone", "ours"):
                    shutil.rmtree(folder / left, ignore_errors=True)
                told = f"{count:,} rows".encode()
                measure = measured(command, folder, b"", count, told)
                inserted.setdefault(title, []).append(measure)
                print(f"{TITLE} {turn + 1}/{rounds} {title}: {measure}", file=sys.stderr)  # noqa: T201
            # What the last one left is held against a day's file.
            command = [stream, "verify", str(_DAYS[2]), *data]
            measure = measured(command, folder, b"", rows, f"{rows:,} are equal".encode())
            verified.setdefault("polygon-stream verify", []).append(measure)
            print(f"{VERIFY} {turn + 1}/{rounds}: {measure}", file=sys.stderr)  # noqa: T201
    return {TITLE: inserted, VERIFY: verified}

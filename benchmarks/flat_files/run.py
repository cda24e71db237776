"""Times ways to read one flat file, side by side in one run, and ours among them.

Each contender is a process of its own whose lines are counted as they come. Rounds go A B C, A B C,
so that a noisy neighbour hits all alike; what counts is CPU time, user and system, of all threads
and of the processes it starts, and the ratios within one run.
"""

import json
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

import click
from polygon_sandbox import Plan, Sandbox, World
from polygon_sandbox.flat_files import FilesSize, FlatFiles
from polygon_sandbox.flat_files.full_market import write as write_file

from benchmarks.flat_files import into_clickhouse, tables
from benchmarks.flat_files.measure import Measure, measured

HERE: Final = Path(__file__).parent
OURS: Final = "source-polygon"
# Beyond its start: the difference to a file of a tenth of the rows.
_BEYOND: Final = "source-polygon, without its start"
_PREFIX: Final = "us_stocks_sip"


@dataclass(frozen=True)
class Table:
    """One file, and who reads it.

    Attributes:
        title: of the table.
        dataset: of the file.
        stream: the connector's.
        rows: of the file.
        ways: of `ways.py`, by the name that they have in the table.
        slow: those of them that run in the first round only.
    """

    title: str
    dataset: str
    stream: str
    rows: int
    ways: dict[str, str]
    slow: frozenset[str] = field(default_factory=frozenset)


_JSON: Final = {
    "DuckDB, CSV to JSON lines": "duckdb",
    "polars, CSV to JSON lines": "polars",
    "pandas, CSV to JSON lines": "pandas",
    "csv + json loop": "csv_json",
}
_SPEEDUP: Final = {
    "massive-speedup 0.1.4, fields; no JSON": "speedup_fields",
    "massive-speedup 0.1.4, objects; no JSON": "speedup_objects",
}
_SLOW: Final = frozenset({"csv + json loop", "pandas, CSV to JSON lines"})
_MILLION: Final = 1_000_000
TABLES: Final = (
    Table("minute bars", "minute_aggs_v1", "flat_minute_bars", 2 * _MILLION, _JSON, _SLOW),
    Table("trades", "trades_v1", "flat_trades", 4 * _MILLION, _SPEEDUP | _JSON, _SLOW),
    Table("quotes", "quotes_v1", "flat_quotes", 4 * _MILLION, _SPEEDUP | _JSON, _SLOW),
    # For the memory alone: it must not grow with the file.
    Table("trades, five times as many", "trades_v1", "flat_trades", 20 * _MILLION, {}),
)


@click.command(help=__doc__)
@click.option("--rounds", default=5, show_default=True, help="Runs; slow contenders run once.")
@click.option("--scale", default=1.0, show_default=True, help="Times the rows of each file.")
@click.option("--only", multiple=True, help="Contenders whose name contains this. Repeatable.")
@click.option("--titles", multiple=True, help="Tables whose title begins so. Repeatable.")
@click.option("--write", is_flag=True, help="Write the tables into benchmarks/README.md.")
def main(
    rounds: int, scale: float, only: tuple[str, ...], titles: tuple[str, ...], write: bool
) -> None:
    """Run all contenders on all files, print a table for each."""
    print(tables.machine())  # noqa: T201
    found: list[tuple[str, dict[str, list[Measure]]]] = []
    for table in TABLES:
        if titles and not table.title.startswith(titles):
            continue
        rows = int(table.rows * scale)
        with _folder(table, rows) as (folder, path), _folder(table, rows // 10) as (small, _):
            measures: dict[str, list[Measure]] = {}
            commands = _commands(table, folder, path)
            for turn in range(rounds if table.ways else 1):
                for name, (command, mark) in commands.items():
                    if (only and not any(text in name for text in only)) or (
                        turn and name in table.slow
                    ):
                        continue
                    measure = measured(command, folder, mark, rows)
                    measures.setdefault(name, []).append(measure)
                    if name == OURS:
                        less = measured(command, small, mark, rows // 10)
                        measures.setdefault(_BEYOND, []).append(measure.beyond(less))
                    print(f"{table.title} {turn + 1}/{rounds} {name}: {measure}", file=sys.stderr)  # noqa: T201
        title = f"{table.title}, {rows / _MILLION:g} million"
        found.append((title, measures))
        tables.show(title, measures)
    for title, measures in _into_clickhouse(int(2 * _MILLION * scale), rounds, titles):
        found.append((title, measures))
        tables.show(title, measures)
    print(tables.machine())  # noqa: T201
    if write:
        tables.write(found, rounds)


def _into_clickhouse(
    rows: int, rounds: int, titles: tuple[str, ...]
) -> list[tuple[str, dict[str, list[Measure]]]]:
    if titles and not into_clickhouse.TITLE.startswith(titles):
        return []
    made = into_clickhouse.run(rows, rounds)
    print(into_clickhouse.told(made))  # noqa: T201
    return [(f"{title}, {rows / _MILLION:g} million a day", made[title]) for title in made]


@contextmanager
def _folder(table: Table, rows: int) -> Iterator[tuple[Path, Path]]:
    """A folder with the file, and what the connector needs to read it from the sandbox."""
    world = World(stocks=3, delisted=0, otc=0)
    files = FlatFiles(world, FilesSize(days=5, tickers=1, bar_minutes=1, tick_seconds=1))
    key = files.keys(f"{_PREFIX}/{table.dataset}/")[-1]
    day = key[-17:-7]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / f"{day}.csv.gz"
        write_file(path, table.dataset, rows, date.fromisoformat(day))  # type: ignore[arg-type]
        files.put(key, path.read_bytes())
        with Sandbox(world, Plan.unlimited(), flat_files=files) as sandbox:
            config = {
                "api_key": sandbox.key,
                "base_url": sandbox.url,
                "start_date": day,
                "flat_files": {
                    "access_key_id": files.access_key_id,
                    "secret_access_key": sandbox.key,
                    "endpoint": sandbox.url,
                },
            }
            (folder / "config.json").write_text(json.dumps(config))
            stream = {
                "name": table.stream,
                "json_schema": {},
                "supported_sync_modes": ["full_refresh", "incremental"],
            }
            chosen = {
                "stream": stream,
                "sync_mode": "incremental",
                "destination_sync_mode": "append_dedup",
            }
            (folder / "catalog.json").write_text(json.dumps({"streams": [chosen]}))
            yield folder, path


def _commands(table: Table, folder: Path, path: Path) -> dict[str, tuple[list[str], bytes]]:
    """Each contender's command, and how a line of it begins that is a record."""
    python = sys.executable
    read = [str(Path(python).with_name("source-polygon")), "read"]
    read += ["--config", "config.json", "--catalog", "catalog.json"]
    commands = {
        tables.FLOOR: (["sh", "-c", f"zcat {shlex.quote(str(path))} | wc -l"], b""),
        OURS: (read, b'{"type":"RECORD"'),
    }
    ways = {
        name: ([python, str(HERE / "ways.py"), way, str(path)], b"")
        for name, way in table.ways.items()
    }
    return {**commands, **ways}


if __name__ == "__main__":
    main()

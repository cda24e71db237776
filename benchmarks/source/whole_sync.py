"""All market-wide streams in one sync: what each asks for, and the memory that the sync takes.

The sandbox serves it: a month of a market of 12,000 stocks, and lists of 100 rows a day.
"""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final

import click
import yaml
from polygon_sandbox import DatasetSize, Plan, Sandbox, World
from source_polygon.sessions import last_finished, sessions

HERE: Final = Path(__file__).parent
TITLE: Final = "all market-wide streams, one sync of a month"
_STREAMS: Final = HERE.parents[1] / "manifests" / "streams"
_DAYS: Final = 21
_ROWS_A_DAY: Final = 100


def run() -> list[list[str]]:
    """Run the sync; return a table of the streams, with a line for all of them."""
    last = last_finished("stocks")
    config = {
        "start_date": str(sessions("stocks", last.replace(year=last.year - 1), last)[-_DAYS]),
        "requests_per_minute": 6000,
        "num_workers": 2,
    }
    size = DatasetSize(days=30, rows_a_day=_ROWS_A_DAY)
    with (
        tempfile.TemporaryDirectory() as name,
        Sandbox(World(stocks=12_000, datasets=size), Plan.unlimited()) as sandbox,
    ):
        folder = Path(name)
        config |= {"api_key": sandbox.key, "base_url": sandbox.url}
        (folder / "config.json").write_text(json.dumps(config))
        streams = _discovered(folder)
        (folder / "catalog.json").write_text(json.dumps({"streams": [*map(_chosen, streams)]}))
        sandbox.clear_requests()
        peak, records = _read(folder)
        paths = [str(request.path) for request in sandbox.requests]
    requests = _by_stream(paths)
    names = sorted(stream["name"] for stream in streams)
    rows = [[name, f"{requests[name]:,}", f"{records[name]:,}"] for name in names]
    total = f"{len(streams)} streams, {peak:.0f} MiB at the peak"
    rows.append([total, f"{len(paths):,}", f"{records.total():,}"])
    return [["stream", "requests", "records"], *rows]


def _discovered(folder: Path) -> list[dict[str, Any]]:
    command = [str(Path(sys.executable).with_name("source-polygon")), "discover"]
    done = subprocess.run(
        [*command, "--config", "config.json"], cwd=folder, check=True, stdout=subprocess.PIPE
    )
    messages = map(json.loads, done.stdout.splitlines())
    found = next(each["catalog"]["streams"] for each in messages if each["type"] == "CATALOG")
    return list(found)


def _chosen(stream: dict[str, Any]) -> dict[str, Any]:
    mode = stream["supported_sync_modes"][-1]
    return {"stream": stream, "sync_mode": mode, "destination_sync_mode": "append"}


def _read(folder: Path) -> tuple[float, Counter[str]]:
    """Return MiB at the peak, and how many records each stream has."""
    command = [str(Path(sys.executable).with_name("source-polygon")), "read"]
    usage = [sys.executable, str(HERE.with_name("usage.py")), str(folder / "usage.json")]
    records: Counter[str] = Counter()
    with subprocess.Popen(
        [*usage, *command, "--config", "config.json", "--catalog", "catalog.json"],
        cwd=folder,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout  # noqa: S101 - a pipe, as asked for
        for line in process.stdout:
            if line.startswith(b'{"type":"RECORD"'):
                records[line.split(b'"', 10)[9].decode()] += 1
    if process.returncode:
        raise click.ClickException("The sync of all streams failed.")
    return json.loads((folder / "usage.json").read_text())[1], records


def _by_stream(paths: list[str]) -> Counter[str]:
    known = {
        yaml.safe_load(file.read_text())["path"]: file.stem for file in _STREAMS.glob("*.yaml")
    }
    counted: Counter[str] = Counter()
    for path in paths:
        counted[known[max((each for each in known if path.startswith(each)), key=len)]] += 1
    return counted


if __name__ == "__main__":
    for row in run():
        print(*row, sep="\t")  # noqa: T201

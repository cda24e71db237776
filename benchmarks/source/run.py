"""Times this connector against other ways of reading the same data, side by side in one run.

Each contender is a process of its own that writes JSON lines to a file. Rounds go A B C, A B C, so
that a noisy neighbour hits all alike; what counts is CPU time, and the ratios within one run.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import yaml

from benchmarks import results
from benchmarks.source import whole_sync
from benchmarks.source.job import Job
from benchmarks.source.readings import READINGS, Server

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Contender:
    """A way to read.

    Attributes:
        name: its name in the tables.
        command: the process to run.
        airbyte: whether its lines are Airbyte's messages.
        workers: how many requests may be under way at once.
        slow: whether it takes minutes, and runs in the first round only.
        lists: whether it reads lists and dated streams as well.
    """

    name: str
    command: list[str]
    airbyte: bool = False
    workers: int = 1
    slow: bool = False
    lists: bool = True


@dataclass(frozen=True)
class Measure:
    """One run: seconds of CPU (user and system) and of the clock, MiB at the peak, counts."""

    cpu: float
    wall: float
    peak: float
    records: int
    requests: int


def contenders(folder: Path) -> list[Contender]:
    """Return all contenders; the Airbyte ones find config.json and catalog.json in `folder`."""
    files = ["--config", "config.json", "--catalog", "catalog.json"]
    declarative = [_beside("source-declarative-manifest"), "read", *files, "--manifest-path"]
    module = [sys.executable, "-u", "-m"]
    ours = [_beside("source-polygon"), "read", *files]
    cloud = [*declarative, str(folder / "cloud.yaml")]
    naive = [*declarative, str(HERE / "naive.yaml")]
    bare = [*declarative, str(folder / "bare.yaml")]
    return [
        Contender("bare requests + orjson loop", [*module, "benchmarks.source.bare_loop"]),
        Contender("source-polygon, Docker edition", ours, airbyte=True, workers=2),
        Contender(
            "official client, JSON lines",
            [*module, "benchmarks.source.official_client"],
            lists=False,
        ),
        Contender("dlt REST source", [*module, "benchmarks.source.dlt_rest"]),
        Contender("source-polygon, Cloud edition", cloud, airbyte=True, workers=2, slow=True),
        # What no manifest can be faster than: the naive one, with its records left as they come.
        Contender("naive manifest, no fields added", bare, airbyte=True, workers=1, slow=True),
        *(
            Contender(
                f"naive manifest, {workers} worker{'s'[: workers - 1]}",
                naive,
                airbyte=True,
                workers=workers,
                slow=True,
                lists=False,  # it adds no field to them
            )
            for workers in (1, 4)
        ),
    ]


@click.command(help=__doc__)
@click.option("--rounds", default=3, show_default=True, help="Runs; slow contenders run once.")
@click.option("--days", default=60, show_default=True, help="Sessions of 12,000 bars.")
@click.option("--only", multiple=True, help="Contenders whose name contains this. Repeatable.")
@click.option("--streams", multiple=True, help="Tables whose title contains this. Repeatable.")
@click.option("--write", is_flag=True, help="Write the tables into benchmarks/README.md.")
def main(
    rounds: int, days: int, only: tuple[str, ...], streams: tuple[str, ...], write: bool
) -> None:
    """Run all contenders on all readings, print a table for each."""
    tables = []
    for reading in READINGS:
        if streams and not any(text in reading.title for text in streams):
            continue
        with tempfile.TemporaryDirectory() as folder, reading.served(days) as (job, server):
            measures = _measured(job, server, Path(folder), rounds, only)
        tables.append((reading.title, measures))
        results.show(reading.title, _rows(measures))
    taken = whole_sync.run() if not only and not streams else None
    if write:
        _write(tables, taken, rounds)


def _measured(
    job: Job, server: Server, folder: Path, rounds: int, only: tuple[str, ...]
) -> dict[str, list[Measure]]:
    found: dict[str, list[Measure]] = {}
    (folder / "cloud.yaml").write_text(yaml.safe_dump(_cloud(job.url)))
    (folder / "bare.yaml").write_text(yaml.safe_dump(_nothing_added()))
    modes = ["full_refresh", "incremental"]
    stream = {"name": job.stream, "json_schema": {}, "supported_sync_modes": modes}
    chosen = {"sync_mode": "incremental", "destination_sync_mode": "append_dedup", "stream": stream}
    (folder / "catalog.json").write_text(json.dumps({"streams": [chosen]}))
    for turn in range(rounds):
        for contender in contenders(folder):
            if only and not any(text in contender.name for text in only):
                continue
            if (contender.slow and turn) or (job.path and not contender.lists):
                continue
            config = {
                "api_key": job.key,
                "start_date": job.start_date,
                "base_url": job.url,
                "requests_per_minute": 6000,
                "num_workers": contender.workers,
            }
            (folder / "config.json").write_text(json.dumps(config))
            server.clear_requests()
            measure = _run(contender, job, folder, server)
            found.setdefault(contender.name, []).append(measure)
            print(f"{job.stream} {turn + 1}/{rounds} {contender.name}: {measure}", file=sys.stderr)  # noqa: T201
    return found


def _run(contender: Contender, job: Job, folder: Path, server: Server) -> Measure:
    out = folder / "out.jsonl"
    started = time.monotonic()
    usage = folder / "usage.json"
    with out.open("wb") as lines:
        status = subprocess.call(
            [sys.executable, str(HERE.with_name("usage.py")), str(usage), *contender.command],
            stdout=lines,
            cwd=folder,
            env=job.environment(),
        )
    wall = time.monotonic() - started
    if status:
        raise click.ClickException(f"{contender.name} failed: {out.read_text()[-2000:]}")
    cpu, peak = json.loads(usage.read_text())
    with out.open("rb") as lines:
        mark = b'{"type":"RECORD"' if contender.airbyte else b"{"
        records = sum(line.startswith(mark) for line in lines)
    return Measure(cpu, wall, peak, records, len(server.requests))


def _nothing_added() -> dict[str, Any]:
    manifest: dict[str, Any] = yaml.safe_load((HERE / "naive.yaml").read_text())
    for stream in manifest["streams"]:
        stream.pop("transformations", None)
    # The one time a bar has; the session's date would have to be added.
    manifest["streams"][0]["incremental_sync"] |= {
        "cursor_field": "t",
        "cursor_datetime_formats": ["%ms"],
    }
    return manifest


def _cloud(url: str) -> dict[str, Any]:
    manifest: dict[str, Any] = yaml.safe_load(
        (HERE.parents[1] / "manifests/cloud.yaml").read_text()
    )
    manifest["spec"]["connection_specification"]["properties"]["base_url"]["enum"].append(url)
    return manifest


def _beside(command: str) -> str:
    return str(Path(sys.executable).with_name(command))


def _rows(measures: dict[str, list[Measure]]) -> list[list[str]]:
    header = ["contender", "CPU s per million", "of the bare loop", "records/s", "peak MiB"]
    header += ["requests", "records"]
    floor = None
    rows = []
    for name, runs in measures.items():
        per_million = sorted(run.cpu / run.records * 1e6 for run in runs)
        middle = statistics.median(per_million)
        floor = floor or middle
        rows.append(
            [
                name,
                f"{middle:.1f} ({per_million[0]:.1f} to {per_million[-1]:.1f})",
                f"{middle / floor:.1f}",
                f"{statistics.median(run.records / run.wall for run in runs):,.0f}",
                f"{max(run.peak for run in runs):.0f}",
                f"{runs[0].requests}",
                f"{runs[0].records:,}",
            ]
        )
    return [header, *rows]


def _write(
    tables: list[tuple[str, dict[str, list[Measure]]]],
    taken: list[list[str]] | None,
    rounds: int,
) -> None:
    titled = [(title, _rows(measures)) for title, measures in tables]
    if taken:
        titled.append((whole_sync.TITLE, taken))
    note = f"Medians of {rounds} runs, smallest and largest in brackets; "
    note += "the manifests, which take minutes, ran once."
    results.write("source", note, titled)


if __name__ == "__main__":
    main()

"""Tables of measures, and the machine that they were taken on."""

import os
import platform
import statistics
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Final

from benchmarks import results
from benchmarks.flat_files.measure import Measure

FLOOR: Final = "zcat, wc -l"
_PACKAGES: Final = ("chdb", "duckdb", "pandas", "polars")


def show(title: str, measures: dict[str, list[Measure]]) -> None:
    """Print a table."""
    results.show(title, _rows(measures))


def write(tables: list[tuple[str, dict[str, list[Measure]]]], rounds: int) -> None:
    """Put the tables where the README has those of the last run."""
    note = (
        f"Medians of {rounds} runs, smallest and largest in brackets; pandas and the loop "
        f"ran once. {machine()}."
    )
    results.write("flat files", note, [(title, _rows(found)) for title, found in tables])


def machine() -> str:
    """What the machine is, how busy it is, and what is installed."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = {line.split(": ")[1] for line in lines if line.startswith("model name")}
    there = {each.metadata["Name"].lower() for each in distributions()} & set(_PACKAGES)
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES if name in there)
    return (
        f"{', '.join(models)}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{packages}; load {os.getloadavg()[0]:.1f}"
    )


def _rows(measures: dict[str, list[Measure]]) -> list[list[str]]:
    header = ["contender", "CPU s per million", "of the first", "rows/s and core", "wall s"]
    header += ["peak MiB"]
    first = None
    rows = []
    for name, runs in measures.items():
        per_million = sorted(run.cpu / run.rows * 1e6 for run in runs)
        middle = statistics.median(per_million)
        first = first or middle
        rows.append(
            [
                name,
                f"{middle:.2f} ({per_million[0]:.2f} to {per_million[-1]:.2f})",
                f"{middle / first:.1f}",
                f"{1e6 / middle:,.0f}",
                f"{statistics.median(run.wall for run in runs):.1f}",
                f"{max(run.peak for run in runs):.0f}",
            ]
        )
    return [header, *rows]

"""Tables of measures, on the screen and in benchmarks/README.md."""

import os
import platform
import statistics
from importlib.metadata import version
from pathlib import Path
from typing import Final

from measure import Measure  # type: ignore[import-not-found]
from rich.console import Console
from rich.table import Table

FLOOR: Final = "zcat, wc -l"
_RESULTS: Final = Path(__file__).parents[1] / "README.md"
_BEGIN, _END = "<!-- flat files: begin -->", "<!-- flat files: end -->"
_PACKAGES: Final = ("chdb", "duckdb", "pandas", "polars")


def show(title: str, measures: dict[str, list[Measure]]) -> None:
    """Print a table."""
    table = Table(title=title)
    header, *rows = _rows(measures)
    for name in header:
        table.add_column(name, justify="left" if name == "contender" else "right")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def write(tables: list[tuple[str, dict[str, list[Measure]]]], rounds: int) -> None:
    """Put the tables where the README has those of the last run."""
    parts = [
        f"Medians of {rounds} runs, smallest and largest in brackets; pandas and the loop "
        f"ran once. {machine()}."
    ]
    for title, measures in tables:
        header, *rows = _rows(measures)
        lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
        parts.append(f"**{title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines))
    text = _RESULTS.read_text()
    head, tail = text.partition(_BEGIN)[0], text.partition(_END)[2]
    _RESULTS.write_text(f"{head}{_BEGIN}\n" + "\n\n".join(parts) + f"\n{_END}{tail}")


def machine() -> str:
    """What the machine is, how busy it is, and what is installed."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = {line.split(": ")[1] for line in lines if line.startswith("model name")}
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
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

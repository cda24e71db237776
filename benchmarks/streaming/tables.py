"""Costs of contenders, round by round, as a table; and the machine that they were measured on."""

import os
import platform
import statistics
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple


class Cost(NamedTuple):
    """CPU seconds per million events: of the whole process, and of its main thread."""

    whole: float
    main: float


class Costs:
    """What each contender took, in each round."""

    def __init__(self, names: dict[str, str], ours: str) -> None:
        """Prepare to compare contenders, shown by their `names`, with `ours`."""
        self._names = names
        self._ours = ours
        self._rounds: list[dict[str, Cost]] = []

    def add(self, costs: dict[str, Cost]) -> None:
        """Take in a round: each contender once."""
        self._rounds.append(costs)

    def print(self, title: str) -> None:
        """Print medians with the least and the most.

        The ratio is taken within each round, whose contenders ran one after the other, so that it
        does not matter how busy the machine was in another round.
        """
        print(f"\n{title}, {len(self._rounds)} rounds\n")  # noqa: T201
        print("| contender | CPU s per million events | in Python's thread | times ours |")  # noqa: T201
        print("|---|---|---|---|")  # noqa: T201
        rows = []
        for contender, name in self._names.items():
            costs = [costs[contender] for costs in self._rounds if contender in costs]
            if costs:
                ratios = [
                    costs[contender].whole / costs[self._ours].whole for costs in self._rounds
                ]
                whole = _spread(cost.whole for cost in costs)
                main = statistics.median(cost.main for cost in costs)
                rows.append((whole, f"| {name} | {whole} | {main:.1f} | {_spread(ratios)} |"))
        for _, row in sorted(rows, reverse=True, key=lambda item: float(item[0].split()[0])):
            print(row)  # noqa: T201
        sys.stdout.flush()


def machine() -> str:
    """Return what the machine is, and how busy it has been for the last minute."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = {line.split(": ")[1] for line in lines if line.startswith("model name")}
    return (
        f"{', '.join(models)}, {os.cpu_count()} cores, Linux {platform.release()}; "
        f"Python {platform.python_version()}, confluent-kafka {version('confluent-kafka')}; "
        f"load {os.getloadavg()[0]:.1f}"
    )


def _spread(values: Iterable[float]) -> str:
    found = list(values)
    return f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"

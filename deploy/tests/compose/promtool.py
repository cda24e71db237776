"""What was scraped, as series for `promtool test rules`, and what becomes of them there.

Time there begins at 0, with the second of two looks at a stage: its instants are moved with it.
"""

import json
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import Metric

STEP = 10
"""Seconds between two samples."""

MINUTES = 60
"""How long series are."""

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Series:
    """One series: its value at the beginning and what is added with each sample."""

    name: str
    labels: Labels
    value: float
    growth: float

    def is_(self, name: str, labels: Labels) -> bool:
        """Tell whether it has a name and these labels, and maybe others."""
        return self.name == name and labels.items() <= self.labels.items()

    def values(self) -> list[float]:
        """Return the values, sample by sample, as they would go on undisturbed."""
        return [self.value + n * self.growth for n in range(MINUTES * 60 // STEP)]

    def __str__(self) -> str:
        return _selector(self.name, self.labels)


Change = Callable[[list[float]], Iterable[float | None]]
"""From the undisturbed values of a series to those of a fault; None is a scrape that fails."""


def series(
    job: str, before: list[Metric], after: list[Metric], seconds: float, now: float
) -> list[Series]:
    """Return the series of a stage after two scrapes, `seconds` apart, the second at `now`."""
    first = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in before
        for sample in family.samples
    }
    found = []
    for family in after:
        for sample in family.samples:
            value, growth = sample.value, 0.0
            if sample.name.endswith(("_time_seconds", "_timestamp_seconds", "_created")):
                value -= now
            elif family.type in ("counter", "histogram"):
                key = sample.name, tuple(sorted(sample.labels.items()))
                growth = (value - first.get(key, value)) * STEP / seconds
            labels = {**sample.labels, "job": job, "instance": f"{job}:9100"}
            found.append(Series(sample.name, labels, value, growth))
    return found


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the series of a name that have these labels; there is at least one."""

    name: str
    labels: Labels
    change: Change


def expect(
    directory: Path,
    rules: Path,
    healthy: list[Series],
    faults: Iterable[Fault],
    alerts: Mapping[float, list[Labels]],
) -> None:
    """Assert which alerts, and no others, fire at which minutes."""
    changes: dict[str, list[float | None]] = {}
    for fault in faults:
        hit = [one for one in healthy if one.is_(fault.name, fault.labels)]
        assert hit, f"no stage exports {fault.name} with {dict(fault.labels)}"
        changes |= {str(one): list(fault.change(one.values())) for one in hit}
    content = {
        "rule_files": [str(rules)],
        "evaluation_interval": f"{STEP}s",
        "tests": [
            {
                "interval": f"{STEP}s",
                "input_series": [
                    {"series": str(one), "values": _text(changes.get(str(one), one.values()))}
                    for one in healthy
                ],
                "promql_expr_test": [
                    {
                        "expr": 'ALERTS{alertstate="firing"}',
                        "eval_time": f"{minute * 60:.0f}s",
                        "exp_samples": [
                            {"labels": _selector("ALERTS", labels), "value": 1} for labels in wanted
                        ],
                    }
                    for minute, wanted in alerts.items()
                ],
            }
        ],
    }
    path = directory / "test.json"
    path.write_text(json.dumps(content))
    done = subprocess.run(
        ["promtool", "test", "rules", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _selector(name: str, labels: Labels) -> str:
    return f"{name}{{{','.join(f'{key}={json.dumps(labels[key])}' for key in sorted(labels))}}}"


def _text(values: Iterable[float | None]) -> str:
    return " ".join("stale" if value is None else repr(value) for value in values)

"""What a contender is to read. `run.py` hands it over in the environment."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

_VARIABLE = "BENCHMARK_JOB"
_ROOT = str(Path(__file__).parents[2])


@dataclass(frozen=True)
class Job:
    """One reading of one stream.

    Attributes:
        url: address of the sandbox.
        key: its API key.
        stream: `grouped_daily`, `tickers`, or a list or dated stream.
        days: the sessions to read, as YYYY-MM-DD; empty but for `grouped_daily`.
        path: of the list or dated stream; "" for the other two.
        start_date: the first day of what there is to read.
    """

    url: str
    key: str
    stream: str
    days: list[str]
    path: str = ""
    start_date: str = "2026-01-02"

    def environment(self) -> dict[str, str]:
        """Return the environment in which a contender finds this job as `JOB`."""
        return {**os.environ, "PYTHONPATH": _ROOT, _VARIABLE: json.dumps(asdict(self))}


if _VARIABLE in os.environ:
    JOB = Job(**json.loads(os.environ[_VARIABLE]))

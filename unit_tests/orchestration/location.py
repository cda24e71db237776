"""The code location over a sandbox and a DuckDB file, run in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from polygon_orchestration.definitions import definitions
from polygon_orchestration.settings import Settings
from polygon_sandbox import Sandbox

START = date(2026, 10, 1)


def settings(sandbox: Sandbox, path: Path, **others: Any) -> Settings:
    return Settings(
        **{
            "api_key": sandbox.key,
            "base_url": sandbox.url,
            "requests_per_minute": 6000,
            "start_date": START,
            "duckdb_path": path,
            "plan_delay_minutes": 15,
            "retries": 0,
            "retry_seconds": 0,
            **others,
        }
    )


@dataclass
class Run:
    """What a run did."""

    result: dg.ExecuteInProcessResult
    instance: dg.DagsterInstance

    @property
    def failed_checks(self) -> set[str]:
        return {e.check_name for e in self.result.get_asset_check_evaluations() if not e.passed}

    @property
    def passed_checks(self) -> set[str]:
        return {e.check_name for e in self.result.get_asset_check_evaluations() if e.passed}

    @property
    def materialized(self) -> set[str]:
        events = self.result.get_asset_materialization_events()
        return {e.asset_key.to_user_string() for e in events if e.asset_key}

    @property
    def partitions(self) -> set[str]:
        events = self.result.get_asset_materialization_events()
        return {e.partition for e in events if e.partition}


@contextmanager
def run(
    chosen: Settings, selection: dg.AssetSelection, first: str = "", last: str = ""
) -> Iterator[Run]:
    """Run a selection, for sessions `first` to `last`."""
    location = definitions(chosen)
    job = dg.define_asset_job("chosen", selection)
    whole = dg.Definitions.merge(location, dg.Definitions(jobs=[job]))
    tags = {
        "dagster/asset_partition_range_start": first,
        "dagster/asset_partition_range_end": last,
    }
    with dg.DagsterInstance.ephemeral() as instance:
        yield Run(
            whole.resolve_job_def("chosen").execute_in_process(
                instance=instance, tags=tags if first else None, raise_on_error=False
            ),
            instance,
        )


def table(path: Path, name: str) -> list[tuple[Any, ...]]:
    """Return the rows of a table, sorted, without the columns that tell when it was written."""
    with duckdb.connect(path, read_only=True) as connection:
        rows = connection.execute(
            f"SELECT COLUMNS(c -> NOT starts_with(c, '_airbyte')) FROM {name} ORDER BY ALL"
        )
        return rows.fetchall()

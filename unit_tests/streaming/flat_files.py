"""Backfills in tests, and files in the vendor's layout of the tests' own making."""

import csv
import gzip
from collections.abc import Callable
from datetime import date
from pathlib import Path
from threading import Event
from typing import Any

from polygon_streaming.backfill.outcomes import Outcome
from polygon_streaming.backfill.run import Backfill
from polygon_streaming.settings import BackfillSettings

TABLES = {"bars": "stock_aggregates", "trades": "trades", "quotes": "quotes"}
BARS = "ticker,volume,open,close,high,low,window_start,transactions"

Connect = Callable[[], Any]


def run(connect: Connect, **settings: Any) -> list[Outcome]:
    """Run a backfill to its end."""
    given = BackfillSettings.model_validate({"parallel": 1, "clickhouse": "chdb:", **settings})
    backfill = Backfill(given, connect, pause_seconds=0)
    client = connect()
    try:
        jobs = backfill.plan(client)
        return list(
            backfill.dry_run(client, jobs) if given.dry_run else backfill.run(jobs, Event())
        )
    finally:
        client.close()


def remarks(client: Any, connect: Connect, done: list[Outcome], **settings: Any) -> list[str]:
    """Return what a backfill says of what it has loaded."""
    given = BackfillSettings.model_validate({"clickhouse": "chdb:", **settings})
    return Backfill(given, connect).remarks(client, done)


def write(directory: Path, key: str, header: str, rows: list[str]) -> Path:
    """Write a file in the vendor's layout."""
    path = directory / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("\n".join([header, *rows, ""]).encode(errors="surrogateescape")))
    return path


def rows_of(body: bytes) -> list[dict[str, str]]:
    """Read a file the way nobody would in earnest."""
    return list(csv.DictReader(gzip.decompress(body).decode().splitlines()))


def bars_key(day: str) -> str:
    """The key of a day's minute bars of stocks."""
    return f"us_stocks_sip/minute_aggs_v1/{date.fromisoformat(day):%Y/%m/%Y-%m-%d}.csv.gz"


def left_behind(client: Any) -> list[str]:
    """Return the tables that a run should have dropped."""
    rows = client.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() "
        "AND position(name, '__file_') > 0"
    ).result_rows
    return [row[0] for row in rows]

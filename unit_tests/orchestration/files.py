"""The code location over the sandbox's flat files and the embedded ClickHouse."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from dagster import AssetSelection
from polygon_orchestration.settings import Settings
from polygon_sandbox import Sandbox
from polygon_streaming import clickhouse

from unit_tests.orchestration.location import settings
from unit_tests.streaming.flat_files import bars_key, rows_of

KEY = "stream/verified_sessions"
VERIFIED = AssetSelection.assets(KEY)
NOW = "2026-11-21T18:00:00Z"


class Bar(NamedTuple):
    """A bar as file and table have it; it starts so many nanoseconds after 1970 UTC."""

    symbol: str
    start: int
    open: float
    high: float
    low: float
    close: float
    volume: float


def with_files(sandbox: Sandbox, path: Path, **others: Any) -> Settings:
    """Return settings under which the files of a sandbox are loaded into a table below `path`."""
    given = {
        "clickhouse": f"chdb:{path / 'clickhouse'}",
        "flat_files_endpoint": sandbox.url,
        "flat_files_access_key_id": sandbox.flat_files.access_key_id,
        "flat_files_secret_access_key": sandbox.key,
    }
    return settings(sandbox, path / "polygon.duckdb", **{**given, **others})


def filed(sandbox: Sandbox, day: str) -> list[Bar]:
    """Return the bars of a day's file."""
    stored = sandbox.flat_files.get(bars_key(day))
    assert stored
    return sorted(
        Bar(
            row["ticker"], int(row["window_start"]), float(row["open"]), float(row["high"]),
            float(row["low"]), float(row["close"]), float(row["volume"]),
        )
        for row in rows_of(stored.body)
    )  # fmt: skip


@contextmanager
def table(chosen: Settings) -> Iterator[Any]:
    """Open ClickHouse for as long as it lasts; runs open it themselves."""
    client = clickhouse.connect(chosen.clickhouse or "", "")
    try:
        client.command(clickhouse.table_statement("stock_aggregates"))
        yield client
    finally:
        client.close()


def held(chosen: Settings, day: str, last: str = "") -> list[Bar]:
    """Return the bars of a day in New York, or of days, that are in the table."""
    after = date.fromisoformat(last or day) + timedelta(days=1)
    with table(chosen) as client:
        return [
            Bar(*row)
            for row in client.query(
                "SELECT symbol, toUnixTimestamp64Milli(window_start) * 1000000, open, high, low, "
                "close, volume FROM stock_aggregates FINAL WHERE event_type = 'AM' "
                f"AND window_start >= toDateTime('{day} 00:00:00', 'America/New_York') "
                f"AND window_start < toDateTime('{after} 00:00:00', 'America/New_York') "
                "ORDER BY symbol, window_start"
            ).result_rows
        ]


def stream(chosen: Settings, bars: list[Bar]) -> None:
    """Bring bars into the table as the sink does."""
    rows = []
    for bar in bars:
        of = bar._asdict()
        symbol, start = of.pop("symbol"), of.pop("start") // 1_000_000
        times = {"window_start": start / 1000, "window_end": start / 1000 + 60}
        own = {"event_type": "AM", "market": "stocks", "symbol": symbol, "healed": False}
        rows.append(json.dumps({**own, **times, "received_at": start / 1000 + 60, **of}))
    with table(chosen) as client:
        client.raw_insert("stock_aggregates", insert_block="\n".join(rows), fmt="JSONEachRow")

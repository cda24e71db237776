"""The demo: the connector through PyAirbyte into DuckDB, twice, and what the second time cost.

Without a key it reads the sandbox, whose clock stands in the middle of the latest session during
the first read. Before the second, that session ends, and what happens in a market overnight
happens. With a key it reads the vendor's API, at the pace of the free plan.
"""

import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import (
    AbstractContextManager,
    contextmanager,
    nullcontext,
    redirect_stderr,
    redirect_stdout,
)
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

from rich.console import Console
from rich.table import Table
from source_polygon.sessions import last_finished, sessions

from polygon_sandbox.plan import Plan
from polygon_sandbox.server import Sandbox
from polygon_sandbox.world import World

KEYS = {
    "grouped_daily": "market, date, ticker, adjusted",
    "tickers": "market, ticker, listing_end",
    "splits": "id",
    "dividends": "id",
}
# At the pace of the free plan the splits and dividends of decades would take minutes more.
OF_THE_VENDOR = ["grouped_daily", "tickers"]
CONSOLE = Console(highlight=False)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one read cost."""

    records: int
    requests: int
    seconds: float


def run(directory: Path, api_key: str | None, requests_per_minute: int, base_url: str) -> None:
    """Run the demo.

    Args:
        directory: an empty one, where the DuckDB file and the logs go.
        api_key: key for the vendor's API; None for the sandbox.
        requests_per_minute: pace for the vendor's API.
        base_url: address of the vendor's API.
    """
    _set_up_pyairbyte(directory)
    if api_key:
        recent = _recent_sessions(3)
        config = {
            "api_key": api_key,
            "start_date": recent[0].isoformat(),
            "base_url": base_url,
            "requests_per_minute": requests_per_minute,
        }
        CONSOLE.print(
            f"Reading {base_url} at {requests_per_minute} requests a minute. The first read needs "
            "about 40 requests, nearly all for the tickers."
        )
        # It takes a while: show what PyAirbyte prints.
        _demo(directory, config, OF_THE_VENDOR, overnight=lambda: None, pyairbyte=nullcontext)
        return
    recent = _recent_sessions(11)
    world = World(stocks=800, delisted=1500, now=f"{recent[-1]}T17:00:00Z")
    with Sandbox(world, Plan.unlimited(sees_today=False)) as sandbox:
        config = {
            "api_key": sandbox.key,
            "start_date": recent[0].isoformat(),
            "base_url": sandbox.url,
            "requests_per_minute": 6000,
        }
        CONSOLE.print(f"Reading a sandbox market at {sandbox.url}: no key, no internet.")
        _demo(
            directory,
            config,
            list(KEYS),
            overnight=lambda: _overnight(world, recent),
            pyairbyte=lambda: _aside(directory / "pyairbyte.log"),
        )


def _demo(
    directory: Path,
    config: dict[str, Any],
    streams: list[str],
    overnight: Callable[[], None],
    pyairbyte: Callable[[], AbstractContextManager[None]],
) -> None:
    """Run the steps; `pyairbyte` is entered around what makes PyAirbyte print its own lines."""
    import airbyte

    executable = Path(sys.executable).with_name("source-polygon")
    with pyairbyte():
        source = airbyte.get_source(
            "source-polygon", config=config, local_executable=executable, install_if_missing=False
        )
    cache = airbyte.caches.DuckDBCache(
        db_path=directory / "demo.duckdb", schema_name="polygon", cache_dir=directory / "cache"
    )
    _headline("spec")
    fields = source.config_spec["properties"]
    CONSOLE.print(f"{len(fields)} fields: {', '.join(fields)}")
    _headline("check")
    with pyairbyte():
        source.check()  # raises if it fails
    CONSOLE.print("The connection works.")
    _headline("discover")
    CONSOLE.print(", ".join(source.get_available_streams()))
    source.select_streams(streams)

    _headline("first read")
    with pyairbyte():
        first = _read(source, cache, directory)
    CONSOLE.print(f"{first.records:,} records in {first.seconds:.1f} s.")
    _remember(cache, streams)
    overnight()
    _headline("second read, from the state of the first")
    with pyairbyte():
        second = _read(source, cache, directory)
    CONSOLE.print(f"{second.records:,} records in {second.seconds:.1f} s.")

    _headline("summary")
    _print_tables(cache, streams)
    _print_costs(first, second)
    CONSOLE.print(f"\nThe data is in {directory / 'demo.duckdb'}, schema polygon.")


@contextmanager
def _aside(log: Path) -> Iterator[None]:
    """Let what is printed go to a file."""
    with log.open("a", encoding="utf-8") as out, redirect_stdout(out), redirect_stderr(out):
        yield


def _overnight(world: World, recent: list[date]) -> None:
    """Let the day end: two companies leave, one comes, a bar is corrected, the night passes."""
    active = world.tickers("stocks", active=True)
    for row in active[10:12]:
        world.delist(row["ticker"])
    world.list_symbol("DEMO", name="Demonstration Inc.")
    world.correct("stocks", recent[-2], active[20]["ticker"])
    world.advance(to=f"{recent[-1] + timedelta(days=1)}T12:00:00Z")


def _read(source: Any, cache: Any, directory: Path) -> Cost:
    started = monotonic()
    result = source.read(cache=cache)
    return Cost(result.processed_records, _requests_sent(directory), monotonic() - started)


def _requests_sent(directory: Path) -> int:
    """Return the number of requests of the latest sync, which the connector logs at its end."""
    logs = sorted((directory / "logs").rglob("source-polygon-log-*.log"))
    sent = [n for log in logs for n in re.findall(r"retries included: (\d+)", log.read_text())]
    return int(sent[-1])


def _remember(cache: Any, streams: list[str]) -> None:
    for stream in streams:
        cache.execute_sql(f"CREATE TABLE polygon.first_{stream} AS FROM polygon.{stream}")


def _print_tables(cache: Any, streams: list[str]) -> None:
    table = Table("stream", "rows", "new", "changed", "stamped anew", "what is there")
    for stream in streams:
        counts = _rows(cache, _COUNTS.format(stream=stream, key=KEYS[stream]))[0]
        table.add_row(stream, *(f"{count:,}" for count in counts), _content(cache, stream))
    CONSOLE.print(table)


# Rows; rows whose key is new; those that are not what they were; those that only have a new stamp.
# What says when a row was written says nothing about what it holds.
_COUNTS = """
WITH now AS (SELECT COLUMNS(name -> name NOT LIKE '_airbyte%') FROM polygon.{stream}),
before AS (SELECT COLUMNS(name -> name NOT LIKE '_airbyte%') FROM polygon.first_{stream}),
unstamped AS (SELECT COLUMNS(name -> name <> 'last_updated_utc') FROM now),
unstamped_before AS (SELECT COLUMNS(name -> name <> 'last_updated_utc') FROM before),
total AS (SELECT count(*) AS n FROM now),
fresh AS (SELECT count(*) AS n FROM now ANTI JOIN before USING ({key})),
kept AS (SELECT count(*) AS n FROM (FROM unstamped INTERSECT FROM unstamped_before)),
untouched AS (SELECT count(*) AS n FROM (FROM now INTERSECT FROM before))
SELECT total.n, fresh.n AS fresh, total.n - fresh.n - kept.n AS changed,
    kept.n - untouched.n AS stamped
FROM total, fresh, kept, untouched
"""


def _content(cache: Any, stream: str) -> str:
    if stream in _CONTENTS:
        query, words = _CONTENTS[stream]
        return words.format(*_rows(cache, query)[0])
    ((events, tickers),) = _rows(
        cache,
        f"SELECT count(*), count(DISTINCT ticker) FROM polygon.{stream}",  # noqa: S608 - ours
    )
    return f"{events:,} of {tickers:,} tickers"


_CONTENTS = {
    "grouped_daily": (
        "SELECT count(DISTINCT date), min(date), max(date) FROM polygon.grouped_daily",
        "{} sessions\n{} to {}",
    ),
    "tickers": (
        "SELECT count(*) FILTER (active), count(*) FILTER (NOT active) FROM polygon.tickers",
        "{:,} active, {:,} delisted",
    ),
}


def _print_costs(first: Cost, second: Cost) -> None:
    table = Table("read", "requests", "records", "seconds")
    for name, cost in (("first", first), ("second", second)):
        table.add_row(name, f"{cost.requests:,}", f"{cost.records:,}", f"{cost.seconds:.1f}")
    CONSOLE.print(table)


def _rows(cache: Any, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in cache.run_sql_query(query)]


def _recent_sessions(count: int) -> list[date]:
    last = last_finished("stocks")
    return sessions("stocks", last - timedelta(days=2 * count + 7), last)[-count:]


def _headline(text: str) -> None:
    CONSOLE.rule(f"[bold]{text}", align="left")


def _set_up_pyairbyte(directory: Path) -> None:
    """Keep PyAirbyte's files together and its reports at home. It reads these when imported."""
    os.environ |= {
        "AIRBYTE_LOGGING_ROOT": str((directory / "logs").resolve()),
        "AIRBYTE_PROJECT_DIR": str(directory.resolve()),
        "AIRBYTE_OFFLINE_MODE": "1",
        "DO_NOT_TRACK": "1",
    }
    warnings.filterwarnings("ignore", category=FutureWarning, module="google")

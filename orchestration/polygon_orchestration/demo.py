"""The UI on a sandbox market, with a first run of the last sessions finished."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from datetime import date, datetime, timedelta, timezone
from datetime import time as clock
from importlib.resources import files
from pathlib import Path
from typing import NoReturn

from polygon_orchestration.sessions import last_due, sessions

_DELAY_MINUTES = 15
_SESSIONS = 12
_FILED_SESSIONS = 30


def main() -> None:
    """Run the command `polygon-orchestrate`."""
    parser = argparse.ArgumentParser(
        description="Serve Dagster's UI on a sandbox market: no key, no internet. "
        f"The last {_SESSIONS} sessions are read, checked and modelled first."
    )
    parser.add_argument("--port", type=int, default=3000, help="port of the UI (%(default)s)")
    parser.add_argument("--stocks", type=int, default=200, help="size of the market (%(default)s)")
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path(".orchestration"),
        help="where Dagster's records and the DuckDB file go; emptied first if a demo made it "
        "(%(default)s)",
    )
    parser.add_argument(
        "--flat-files",
        action="store_true",
        help=f"read the flat files of {_FILED_SESSIONS} sessions into an embedded ClickHouse "
        "instead; the package's extra [demo] brings it",
    )
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    # A shell that starts this in the background has it ignored, and Dagster with it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.exit(_serve(chosen))
    except KeyboardInterrupt:
        print("Stopped.")  # noqa: T201 - a command


def _serve(chosen: argparse.Namespace) -> int:
    from polygon_sandbox import Plan, Sandbox, World
    from polygon_sandbox.directory import NotOurs, empty
    from polygon_sandbox.flat_files import FilesSize, FlatFiles

    directory, port = chosen.directory.resolve(), chosen.port
    try:
        empty(directory)
    except NotOurs as error:
        print(f"polygon-orchestrate: {error}", file=sys.stderr)  # noqa: T201
        return 2
    instance = files("polygon_orchestration") / "dagster.yaml"
    (directory / "dagster.yaml").write_text(instance.read_text())
    # Today's files are not there yet, and yesterday's come in the course of the morning.
    days = _recent(_FILED_SESSIONS + 2)[:-2] if chosen.flat_files else _recent(_SESSIONS)
    job = "flat_files" if chosen.flat_files else "sessions"
    world = World(stocks=chosen.stocks, delisted=chosen.stocks)
    # Listing files is to make them, so there is an hour of ten symbols in each.
    filed = FlatFiles(world, FilesSize(days=60, tickers=10, bars_from=clock(9, 30), bar_minutes=60))
    with Sandbox(world, Plan.unlimited(), flat_files=filed) as sandbox:
        environment = {
            **os.environ,
            "DAGSTER_HOME": str(directory),
            "PYTHONWARNINGS": "ignore",  # those of libraries are nothing to a newcomer
            "POLYGON_API_KEY": sandbox.key,
            "POLYGON_BASE_URL": sandbox.url,
            "POLYGON_REQUESTS_PER_MINUTE": "6000",
            "POLYGON_PLAN_DELAY_MINUTES": str(_DELAY_MINUTES),
            "POLYGON_START_DATE": str(days[0]),
            "POLYGON_DUCKDB_PATH": str(directory / "polygon.duckdb"),
        }
        if chosen.flat_files:
            environment |= {
                "POLYGON_CLICKHOUSE": f"chdb:{directory / 'clickhouse'}",
                "POLYGON_FLAT_FILES_ENDPOINT": sandbox.url,
                "POLYGON_FLAT_FILES_ACCESS_KEY_ID": sandbox.flat_files.access_key_id,
                "POLYGON_FLAT_FILES_SECRET_ACCESS_KEY": sandbox.key,
            }
        print(f"Reading {len(days)} sessions of a sandbox market, a minute or two.", flush=True)  # noqa: T201
        first = _dagster("job", "execute", "--job", job, "--tags", json.dumps(_range(days)))
        log = directory / "first_run.log"
        with log.open("w") as out:
            done = subprocess.run(first, env=environment, stdout=out, stderr=out, check=False)
        if done.returncode:
            print(f"The first run failed; see {log}.", file=sys.stderr)  # noqa: T201
            return 1
        landed = directory / ("clickhouse" if chosen.flat_files else "polygon.duckdb")
        print(f"Done: {landed}. Dagster starts, half a minute.", flush=True)  # noqa: T201
        log, url = directory / "dagster.log", f"http://127.0.0.1:{port}"
        with log.open("w") as out:
            command = _dagster("dev", "--port", str(port))
            ui = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
        try:
            if _answers(url, ui):
                print(f"The UI: {url}. Dagster's log: {log}. Ctrl-C stops it.", flush=True)  # noqa: T201
            status = ui.wait()
            print(f"Dagster ended; see {log}.", file=sys.stderr)  # noqa: T201
            return status
        finally:
            ui.terminate()
            ui.wait()


def _answers(url: str, ui: "subprocess.Popen[bytes]") -> bool:
    """Wait until the UI can be opened; return False if it has ended instead."""
    while ui.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/server_info", timeout=5):  # noqa: S310 - our own
                return True
        except OSError:  # nobody listens yet, or it is too busy to answer
            time.sleep(0.2)
    return False


def _recent(count: int) -> list[date]:
    last = last_due(datetime.now(timezone.utc), _DELAY_MINUTES)
    return sessions(last - timedelta(days=2 * count + 7), last)[-count:]


def _range(days: list[date]) -> dict[str, str]:
    return {
        "dagster/asset_partition_range_start": str(days[0]),
        "dagster/asset_partition_range_end": str(days[-1]),
    }


def _dagster(*command: str) -> list[str]:
    module = ["--module-name", "polygon_orchestration.definitions"]
    group = 2 if command[0] == "job" else 1
    return [sys.executable, "-m", "dagster", *command[:group], *module, *command[group:]]


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt

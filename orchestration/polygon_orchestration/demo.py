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
from importlib.resources import files
from pathlib import Path
from typing import NoReturn

from polygon_orchestration.sessions import last_due, sessions

_DELAY_MINUTES = 15
_SESSIONS = 12


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
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    # A shell that starts this in the background has it ignored, and Dagster with it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.exit(_serve(chosen.directory.resolve(), chosen.port, chosen.stocks))
    except KeyboardInterrupt:
        print("Stopped.")  # noqa: T201 - a command


def _serve(directory: Path, port: int, stocks: int) -> int:
    from polygon_sandbox import Plan, Sandbox, World
    from polygon_sandbox.directory import NotOurs, empty

    try:
        empty(directory)
    except NotOurs as error:
        print(f"polygon-orchestrate: {error}", file=sys.stderr)  # noqa: T201
        return 2
    instance = files("polygon_orchestration") / "dagster.yaml"
    (directory / "dagster.yaml").write_text(instance.read_text())
    days = _recent()
    with Sandbox(World(stocks=stocks, delisted=stocks), Plan.unlimited()) as sandbox:
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
        print(f"Reading {len(days)} sessions of a sandbox market, a minute or two.", flush=True)  # noqa: T201
        first = _dagster("job", "execute", "--job", "sessions", "--tags", json.dumps(_range(days)))
        log = directory / "first_run.log"
        with log.open("w") as out:
            done = subprocess.run(first, env=environment, stdout=out, stderr=out, check=False)
        if done.returncode:
            print(f"The first run failed; see {log}.", file=sys.stderr)  # noqa: T201
            return 1
        print(f"Done: {directory / 'polygon.duckdb'}. Dagster starts, half a minute.", flush=True)  # noqa: T201
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


def _recent() -> list[date]:
    last = last_due(datetime.now(timezone.utc), _DELAY_MINUTES)
    return sessions(last - timedelta(days=2 * _SESSIONS + 7), last)[-_SESSIONS:]


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

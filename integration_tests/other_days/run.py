"""Run the tests that hang on dates as if it were another day: `make test-days`.

Each day is an instant, so that a run is the same on any real day. Without arguments what asks for
the day runs on each of `DAYS`; `run.py 2027-01-04T15:00Z 2028-02-29T12:00-05:00` runs it at other
instants. `run.py --whole`, which is `make test-days-whole`, runs the whole of the folders, on
`WHOLE` alone: that finds the tests which ask for the day and are not in `ASK`.
"""

import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

DAYS = {
    "2026-11-27T18:30Z": "a half-day's afternoon, half an hour after New York's early close",
    "2026-11-28T12:00Z": "a Saturday, after a Friday that was a half-day",
    "2027-01-01T01:30Z": "1 January in UTC, 31 December in New York",
    "2027-03-15T06:30Z": "the Monday after clocks went forward, before New York's morning",
    "2028-02-29T22:00Z": "29 February, after the close, more than a year ahead",
}
WHOLE = "2027-01-04T15:00Z"
"""The year's first session, while the exchange is open."""

# What asks for the day. The rest of these folders has a clock of its own, or none.
ASK = [
    "integration_tests/test_airbyte_standards.py",
    "integration_tests/test_cloud_edition.py",
    "integration_tests/test_command.py",
    "unit_tests/orchestration/test_platform.py",
    "unit_tests/orchestration/test_schedules.py",
    "deploy/tests/snowflake/test_views.py",
    "unit_tests/sandbox/test_aggregates.py",
    "unit_tests/sandbox/test_stream.py",
    "unit_tests/sandbox/test_tickers.py",
    "unit_tests/sandbox/test_time.py",
    "unit_tests/connector/test_config.py",
    "unit_tests/connector/test_reference.py",
    "unit_tests/connector/test_sessions.py",
    "unit_tests/streaming/gaps/test_heal_end_to_end.py",
    "unit_tests/streaming/test_trading.py",
]
# The folders, and what asks for the day in the others.
EVERYTHING = [
    "integration_tests",
    "unit_tests/orchestration",
    "deploy/tests/snowflake",
    "deploy/tests/clickhouse",
    "unit_tests/sandbox",
    "unit_tests/connector/test_config.py",
    "unit_tests/connector/test_reference.py",
    "unit_tests/connector/test_sessions.py",
    "unit_tests/connector/test_trading_sessions.py",
    "unit_tests/streaming/gaps/test_heal_end_to_end.py",
    "unit_tests/streaming/test_trading.py",
]
# They take time, and nothing in them hangs on a date, or they have a clock of their own; but for
# test_browser: gRPC, with which Dagster's processes talk, hands deadlines of the moved clock to a C
# library that has the real one.
LEFT_OUT = [
    "test_memory_does_not_grow",
    "test_sigterm",
    "test_help_and_version",
    "test_streaming_guide",
    "test_recipes",
    "test_every_stream",
    "test_bars_in_both_editions",
    "test_keys",
    "test_windows",
    "test_browser",
]
# What is wrong with an answer, a file or a name is wrong on any date: once is enough. So is it for
# the second of two that ask the same of the day.
NOT_ON_EACH_DAY = [
    "test_a_broken_body",
    "test_a_file_that_cannot_be_read_is_named",
    "test_a_catalog_without_a_stream_of_ours",
    "test_streams_that_do_not_exist",
    "test_next_url_of_another_host",
    "test_spec_has",
    "test_discover_lists",
    "test_a_failed_read_exits",
    "XAS",  # a gap of crypto, beside the one of stocks
]


def run(moment: str, tests: list[str]) -> bool:
    """Run tests as if it were `moment`, ISO 8601 with an offset; return whether they pass."""
    now = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    if now.tzinfo is None:
        raise SystemExit(f"{moment}: add the offset, such as {moment}Z")
    why = DAYS.get(moment, "a day of your own")
    sys.stdout.write(f"\n{moment}, {now:%A}: {why}\n")
    sys.stdout.flush()
    folders = [str(HERE), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "TRAVEL_SECONDS": str(now.timestamp() - time.time()),
        "PYTHONPATH": os.pathsep.join(filter(None, folders)),
    }
    command = [sys.executable, "-m", "pytest", "-q", "--numprocesses", "auto"]
    command += ["--dist", "loadfile", "--no-loadscope-reorder"]
    # time-machine is imported by sitecustomize, before pytest could rewrite its plugin.
    left_out = LEFT_OUT if tests is EVERYTHING else LEFT_OUT + NOT_ON_EACH_DAY
    command += ["-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"]
    command += ["-p", "no:time_machine", "-k", " and ".join(f"not {name}" for name in left_out)]
    command += tests
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


def main() -> None:
    """Run the days that are named, or all of `DAYS`, or everything on one."""
    named = sys.argv[1:]
    tests = EVERYTHING if named == ["--whole"] else ASK
    days = [WHOLE] if tests is EVERYTHING else named or list(DAYS)
    failed = [moment for moment in days if not run(moment, tests)]
    if failed:
        raise SystemExit("Failed on " + ", ".join(failed))


if __name__ == "__main__":
    main()

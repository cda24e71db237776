"""What the store of files answers, and what a user can put right of it."""

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from polygon_sandbox import Fault, Plan, Sandbox
from polygon_streaming.backfill.directory import Directory
from polygon_streaming.errors import ConfigError, StreamError

from unit_tests.streaming.flat_files import (
    BARS,
    Connect,
    bars_key,
    left_behind,
    run,
    write,
)

THURSDAY, FRIDAY = "2026-11-19", "2026-11-20"
WEEK = {"start": "2026-11-16", "end": FRIDAY}


def test_a_file_that_is_not_published_yet_is_no_fault(
    connect: Connect, client: Any, sandbox: Sandbox, given: dict[str, Any],
    clock: Callable[[str], None],
) -> None:  # fmt: skip
    clock("2026-11-23T14:00:00Z")
    run_of_monday = run(connect, **given, start="2026-11-21", end="2026-11-23")
    assert [(str(o.day), o.state) for o in run_of_monday] == [("2026-11-23", "unpublished")]
    clock("2026-11-24T18:00:00Z")
    assert [o.state for o in run(connect, **given, start="2026-11-23", end="2026-11-23")] == [
        "missing"
    ]


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (Plan(markets=frozenset({"crypto"})), "it would have to include aggregates"),
        (Plan(history_start=timedelta(days=2)), "before the plan's history"),
    ],
)
def test_a_refused_file_is_told_from_a_missing_one(
    connect: Connect, client: Any, sandbox: Sandbox, given: dict[str, Any], plan: Plan, words: str
) -> None:
    sandbox.plan = plan
    (outcome,) = run(connect, **given, start="2026-11-17", end="2026-11-17")
    assert outcome.state == "refused"
    assert words in outcome.words
    assert client.command("SELECT count() FROM stock_aggregates") == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"flat_files_access_key_id": "nobody"}, "the server does not know this access key id"),
        ({"flat_files_secret_access_key": "wrong"}, "the secret is not that of the access key id"),
        ({"flat_files_bucket": "nothing"}, "there is no such bucket"),
        ({"flat_files_secret_access_key": ""}, "POLYGON_FLAT_FILES_SECRET_ACCESS_KEY"),
        ({"markets": "futures"}, "'futures' has files by exchange. Give stocks,"),
        ({"markets": "indices", "data": "trades"}, "of indices there are no files of trades"),
        ({"start": "2026-11-30", "end": None}, "is after the last day, 2026-11-20"),
    ],
)
def test_what_a_user_has_to_put_right(
    connect: Connect, client: Any, given: dict[str, Any], change: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        run(connect, **{**given, **WEEK, **change})


def test_a_clock_that_is_off_is_named(
    connect: Connect, client: Any, sandbox: Sandbox, given: dict[str, Any]
) -> None:
    sandbox.flat_files.clock_ahead = timedelta(hours=1)
    with pytest.raises(ConfigError, match="the clock of this machine"):
        run(connect, **given, **WEEK)


def test_a_page_in_place_of_a_list_is_not_an_empty_one(
    connect: Connect, sandbox: Sandbox, given: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.html(path="list-type", times=None))
    with pytest.raises(StreamError, match="answers with something else than a list"):
        run(connect, **given, start=FRIDAY, end=FRIDAY)


def test_a_burst_of_503_passes(
    connect: Connect, client: Any, sandbox: Sandbox, given: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.slow_down(path=FRIDAY, times=3))
    assert [o.state for o in run(connect, **given, start=FRIDAY, end=FRIDAY)] == ["loaded"]


def test_a_link_to_nowhere_is_a_day_without_a_file(
    client: Any, connect: Connect, tmp_path: Path
) -> None:
    path = write(tmp_path, bars_key("2025-11-20"), BARS, [])
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    (outcome,) = run(connect, start="2025-11-20", end="2025-11-20", directory=tmp_path)
    assert outcome.state == "missing"


def test_a_directory_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="is not a directory"):
        Directory(Path("nowhere"), embedded=True)


@pytest.mark.parametrize(
    ("fault", "state", "words"),
    [
        (partial(Fault.status, 403), "refused", "ClickHouse may not read it: "),
        (partial(Fault.status, 404), "missing", "a trading day without a file"),
        (Fault.cut_body, "broken", "ClickHouse cannot read it now: "),
        (Fault.html, "broken", "answers with something else than a file"),
    ],
)
def test_what_clickhouse_is_answered_ends_no_other_file(
    connect: Connect, client: Any, sandbox: Sandbox, given: dict[str, Any],
    fault: Callable[..., Fault], state: str, words: str,
) -> None:  # fmt: skip
    # The first to ask is this side; then ClickHouse does.
    sandbox.faults.add(fault(path=THURSDAY, skip=1, times=2 if state == "missing" else None))
    bad, good = run(connect, **given, start=THURSDAY, end=FRIDAY)
    assert (bad.state, good.state) == (state, "loaded")
    assert words in bad.words
    days = client.query("SELECT DISTINCT toDate(window_start) FROM stock_aggregates").result_rows
    assert days == [(date.fromisoformat(FRIDAY),)]
    assert left_behind(client) == []

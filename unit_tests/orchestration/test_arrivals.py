"""The sensor: files that appear, are replaced, are not there; a bucket that refuses; restarts."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from polygon_orchestration.arrivals import NotListed
from polygon_orchestration.definitions import definitions
from polygon_orchestration.settings import Settings
from polygon_sandbox import Fault, Plan, Sandbox, World
from polygon_sandbox.flat_files import FilesSize, FlatFiles
from polygon_sandbox.flat_files.files import Defect

from unit_tests.orchestration.files import KEY, filed, held, with_files
from unit_tests.streaming.flat_files import bars_key

BEFORE, AFTER = "2026-11-24T15:59:00Z", "2026-11-24T16:01:00Z"  # 11:00 New York
FRIDAY, MONDAY = "2026-11-20", "2026-11-23"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    world = World(stocks=2, delisted=0, otc=0, now=BEFORE)
    with Sandbox(world, flat_files=FlatFiles(world, FilesSize(days=60, bar_minutes=2))) as running:
        yield running


@pytest.fixture
def at(sandbox: Sandbox, clock: Callable[[str], None]) -> Callable[[str], None]:
    """Set what time it is, here and at the vendor."""

    def set_to(moment: str) -> None:
        sandbox.world.advance(moment)
        clock(moment)

    clock(BEFORE)
    return set_to


@pytest.fixture
def chosen(sandbox: Sandbox, at: Callable[[str], None], tmp_path: Path) -> Settings:
    return with_files(sandbox, tmp_path)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def look(
    chosen: Settings, instance: dg.DagsterInstance, cursor: str | None = None
) -> dg.SensorResult:
    """Let a code location that has just been loaded look, as after any restart."""
    sensors = {sensor.name: sensor for sensor in definitions(chosen).sensors or ()}
    found: Any = sensors["flat_file_appeared"](dg.build_sensor_context(instance, cursor=cursor))
    assert isinstance(found, dg.SensorResult)
    return found


def asked(found: dg.SensorResult) -> list[tuple[str, str]]:
    """Return the first and the last session of each run that is asked for."""
    tags = [request.tags for request in found.run_requests or ()]
    name = "dagster/asset_partition_range"
    return [(of[f"{name}_start"], of[f"{name}_end"]) for of in tags]


def reason(found: dg.SensorResult) -> str:
    skipped: Any = found.skip_reason
    return str(skipped.skip_message if isinstance(skipped, dg.SkipReason) else skipped)


def keys(found: dg.SensorResult) -> list[str]:
    return [str(request.run_key) for request in found.run_requests or ()]


def test_a_file_is_asked_for_when_it_appears_and_again_when_it_is_replaced(
    sandbox: Sandbox, chosen: Settings, instance: dg.DagsterInstance, at: Callable[[str], None]
) -> None:
    first = look(chosen, instance)
    assert asked(first) == [("2026-10-12", FRIDAY)]  # 45 days before, a Saturday's Monday
    assert asked(look(chosen, instance, first.cursor)) == []
    at(AFTER)
    second = look(chosen, instance, first.cursor)
    assert asked(second) == [(MONDAY, MONDAY)]
    stored = sandbox.flat_files.get(bars_key(MONDAY))
    assert stored
    assert keys(second) == [f"{MONDAY} {MONDAY} {stored.etag} 1"]
    quiet = look(chosen, instance, second.cursor)
    assert (asked(quiet), reason(quiet)) == ([], f"Nothing new since the file of {MONDAY}.")
    for day in ("2026-11-17", "2026-11-18", FRIDAY):
        sandbox.flat_files.replace(bars_key(day), "short")
    third = look(chosen, instance, quiet.cursor)
    assert asked(third) == [("2026-11-17", "2026-11-18"), (FRIDAY, FRIDAY)]
    assert asked(look(chosen, instance, third.cursor)) == []


def test_a_file_that_is_replaced_by_an_earlier_one_is_asked_for_again(
    sandbox: Sandbox, chosen: Settings, instance: dg.DagsterInstance
) -> None:
    cursor = look(chosen, instance).cursor
    seen = []
    defects: list[Defect] = ["short", "", "short", ""]
    for defect in defects:
        sandbox.flat_files.replace(bars_key(FRIDAY), defect)
        found = look(chosen, instance, cursor)
        assert asked(found) == [(FRIDAY, FRIDAY)]
        seen += keys(found)
        cursor = found.cursor
    assert len(set(seen)) == 4, "a key that was there before would start no run"


def test_a_run_that_failed_in_the_end_is_asked_for_once_its_file_is_replaced(
    sandbox: Sandbox, instance: dg.DagsterInstance, at: Callable[[str], None], tmp_path: Path
) -> None:
    chosen = with_files(sandbox, tmp_path, start_date=FRIDAY, retries=0)
    sandbox.flat_files.replace(bars_key(FRIDAY), "truncated")
    failed = look(chosen, instance)
    assert not _done(chosen, instance, failed).success
    quiet = look(chosen, instance, failed.cursor)
    assert asked(quiet) == []
    sandbox.flat_files.replace(bars_key(FRIDAY))
    again = look(chosen, instance, quiet.cursor)
    assert asked(again) == [(FRIDAY, FRIDAY)]
    assert _done(chosen, instance, again).success
    assert held(chosen, FRIDAY) == filed(sandbox, FRIDAY)


def test_a_run_that_failed_in_the_end_is_run_again_by_hand(
    sandbox: Sandbox, instance: dg.DagsterInstance, at: Callable[[str], None], tmp_path: Path
) -> None:
    chosen = with_files(sandbox, tmp_path, start_date=FRIDAY)
    sandbox.plan = Plan(markets=frozenset({"crypto"}))
    found = look(chosen, instance)
    assert not _done(chosen, instance, found).success
    sandbox.plan = Plan.unlimited()
    assert asked(look(chosen, instance, found.cursor)) == [], "the file is the same"
    assert _done(chosen, instance, found).success  # the same job and tags, as the runbook has them
    assert held(chosen, FRIDAY) == filed(sandbox, FRIDAY)


def _done(chosen: Settings, instance: dg.DagsterInstance, found: dg.SensorResult) -> Any:
    (request,) = found.run_requests or ()
    job = definitions(chosen).resolve_job_def("flat_files")
    return job.execute_in_process(instance=instance, tags=dict(request.tags), raise_on_error=False)


def test_what_is_asked_for_twice_after_a_crash_has_the_same_key(
    chosen: Settings, instance: dg.DagsterInstance
) -> None:
    lost = look(chosen, instance)
    assert keys(look(chosen, instance)) == keys(lost)
    assert len(keys(lost)) == 1


def test_the_cursor_has_the_etags_of_the_days_that_are_looked_at(
    sandbox: Sandbox, chosen: Settings, instance: dg.DagsterInstance, at: Callable[[str], None]
) -> None:
    first = look(chosen, instance)
    etags = json.loads(str(first.cursor))["etags"]
    assert len(etags) == 30
    stored = sandbox.flat_files.get(bars_key(FRIDAY))
    assert stored
    assert etags[bars_key(FRIDAY)] == stored.etag
    at("2026-12-24T17:00:00Z")
    later = json.loads(str(look(chosen, instance, first.cursor).cursor))["etags"]
    assert min(later) == bars_key("2026-11-09")


def test_a_session_without_a_file_is_told_and_asked_for_when_it_comes(
    sandbox: Sandbox, chosen: Settings, instance: dg.DagsterInstance, at: Callable[[str], None]
) -> None:
    first = look(chosen, instance)
    sandbox.flat_files.replace(bars_key(MONDAY), "missing")
    at(AFTER)  # it is due an hour later
    assert (
        reason(look(chosen, instance, first.cursor)) == f"Nothing new since the file of {FRIDAY}."
    )
    at("2026-11-24T18:00:00Z")
    second = look(chosen, instance, first.cursor)
    assert reason(second).endswith(f"since the file of {FRIDAY}. Without a file: {MONDAY}.")
    sandbox.flat_files.replace(bars_key(MONDAY))
    assert asked(look(chosen, instance, second.cursor)) == [(MONDAY, MONDAY)]


def test_a_session_waits_for_the_files_of_all_kinds(
    sandbox: Sandbox, instance: dg.DagsterInstance, at: Callable[[str], None], tmp_path: Path
) -> None:
    chosen = with_files(sandbox, tmp_path, flat_files_data="bars,trades")
    first = look(chosen, instance)
    trades = bars_key(MONDAY).replace("minute_aggs_v1", "trades_v1")
    sandbox.flat_files.replace(trades, "missing")
    at(AFTER)
    second = look(chosen, instance, first.cursor)
    assert asked(second) == []
    sandbox.flat_files.replace(trades)
    assert asked(look(chosen, instance, second.cursor)) == [(MONDAY, MONDAY)]


def test_nothing_listed_is_neither_refused_nor_broken(
    sandbox: Sandbox, instance: dg.DagsterInstance, at: Callable[[str], None], tmp_path: Path
) -> None:
    chosen = with_files(sandbox, tmp_path, start_date="2026-11-23")
    empty = look(chosen, instance)
    assert (asked(empty), reason(empty)) == (
        [],
        f"Nothing is listed of the sessions from {MONDAY} to {MONDAY}.",
    )
    chosen = with_files(sandbox, tmp_path, start_date="2026-11-24")
    assert reason(look(chosen, instance)) == "There is no session yet since 2026-11-24."


@pytest.mark.parametrize(
    ("wrong", "fault", "words"),
    [
        (
            {"flat_files_secret_access_key": "another-secret-4711"},
            None,
            "The list of flat files is refused. flat_files_secret_access_key: ",
        ),
        (
            {"flat_files_bucket": "elsewhere"},
            None,
            "The list of flat files is refused. flat_files_bucket: there is no such bucket",
        ),
        (
            {},
            Fault.html(path="/flatfiles", times=None),
            "The list of flat files is not to be had now. flat files: http://127.0.0.1:",
        ),
        (
            {},
            Fault.status(400, path="/flatfiles", times=None),
            "The list of flat files is not to be had now. flat files: http://127.0.0.1:",
        ),
    ],
)
def test_a_list_that_is_refused_or_broken_fails_the_tick_and_forgets_nothing(
    wrong: dict[str, Any],
    fault: Fault | None,
    words: str,
    sandbox: Sandbox,
    instance: dg.DagsterInstance,
    at: Callable[[str], None],
    tmp_path: Path,
) -> None:
    if fault:
        sandbox.faults.add(fault)
    with pytest.raises(NotListed) as failed:
        look(with_files(sandbox, tmp_path, **wrong), instance)
    assert str(failed.value).startswith(words)
    assert "4711" not in str(failed.value)
    assert sandbox.key not in str(failed.value)


def test_the_run_that_is_asked_for_verifies_the_session(
    sandbox: Sandbox, instance: dg.DagsterInstance, at: Callable[[str], None], tmp_path: Path
) -> None:
    chosen = with_files(sandbox, tmp_path, start_date="2026-11-18")
    location = definitions(chosen)
    (request,) = look(chosen, instance).run_requests or ()
    done = location.resolve_job_def("flat_files").execute_in_process(
        instance=instance, tags=dict(request.tags)
    )
    events = done.get_asset_materialization_events()
    assert {e.asset_key.to_user_string() for e in events if e.asset_key} == {KEY}
    assert {event.partition for event in events} == {"2026-11-18", "2026-11-19", FRIDAY}


def test_the_sessions_job_does_not_ask_for_files(chosen: Settings) -> None:
    nodes = definitions(chosen).resolve_job_def("sessions").asset_layer.executable_asset_keys
    names = {key.to_user_string() for key in nodes}
    assert KEY not in names
    assert {"landing/grouped_daily", "market/daily_bars"} <= names

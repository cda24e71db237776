"""Sessions verified: loaded from the vendor's files, and what was streamed held against them."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from polygon_orchestration.alerts import message
from polygon_orchestration.definitions import definitions
from polygon_orchestration.settings import Settings, SettingsError, load
from polygon_sandbox import Sandbox, World
from polygon_sandbox.flat_files import FilesSize, FlatFiles

from unit_tests.orchestration.files import KEY, NOW, VERIFIED, Bar, filed, held, stream, with_files
from unit_tests.orchestration.location import Run, run
from unit_tests.streaming.flat_files import bars_key

FIRST, LAST = "2026-10-08", "2026-11-18"  # thirty sessions
WEDNESDAY, THURSDAY, FRIDAY = "2026-11-18", "2026-11-19", "2026-11-20"
CHECKS = {
    "nothing_missing",
    "few_other_values",
    "as_many_rows_as_usual",
    "table_equals_file",
}


@pytest.fixture
def sandbox(clock: Callable[[str], None]) -> Iterator[Sandbox]:
    clock(NOW)
    world = World(stocks=3, delisted=0, otc=0, now=NOW)
    with Sandbox(world, flat_files=FlatFiles(world, FilesSize(days=60, bar_minutes=5))) as running:
        yield running


@pytest.fixture
def chosen(sandbox: Sandbox, tmp_path: Path) -> Settings:
    return with_files(sandbox, tmp_path)


def shown(done: Run) -> dict[str, dict[str, Any]]:
    """Return what the pages of the materialized sessions show."""
    events = done.result.get_asset_materialization_events()
    return {
        str(e.partition): {name: value.value for name, value in e.materialization.metadata.items()}
        for e in events
    }


def a_bad_day(bars: list[Bar]) -> list[Bar]:
    """Return bars that the stream brought of a day: two are missing, one is other, one extra."""
    other = bars[2]._replace(volume=bars[2].volume + 100)
    return [*bars[3:], other, bars[2]._replace(symbol="GONE")]


def test_thirty_sessions_of_files_are_one_run_and_in_the_table(
    sandbox: Sandbox, chosen: Settings
) -> None:
    with run(chosen, VERIFIED, FIRST, LAST) as done:
        assert done.result.success
        assert done.passed_checks == CHECKS
        pages = shown(done)
    assert len(pages) == 30
    files = {day: filed(sandbox, day) for day in pages}
    assert held(chosen, FIRST, LAST) == sorted(bar for bars in files.values() for bar in bars)
    for day, page in pages.items():
        stored = sandbox.flat_files.get(bars_key(day))
        assert stored
        bars = files[day]
        assert page.pop("bars seconds") > 0
        assert page == {
            "bars rows": len(bars),
            "bars rows written": len(bars),
            "bars bytes": len(stored.body),
            "bars ETag": stored.etag,
        }
    assert len(files[FIRST]) == 15
    with run(chosen, VERIFIED, FIRST, LAST) as again:
        assert again.result.success
        assert {page["bars rows written"] for page in shown(again).values()} == {0}


def test_a_streamed_day_is_judged_before_it_is_mended(sandbox: Sandbox, chosen: Settings) -> None:
    stream(chosen, filed(sandbox, THURSDAY) + a_bad_day(filed(sandbox, FRIDAY)))
    with run(chosen, VERIFIED, WEDNESDAY, FRIDAY) as done:
        assert done.result.success
        assert done.failed_checks == {"nothing_missing", "few_other_values"}
        pages = shown(done)
        told = str(message(done.instance, done.result.dagster_run))
        observed = done.instance.fetch_observations(dg.AssetKey(KEY.split("/")), 10).records
    figures = [[page.get(f"bars {name}") for name in FIGURES] for page in pages.values()]
    assert figures == [[None] * 4, [15, 0, 0, 0], [12, 1, 2, 1]]  # nothing was streamed before
    assert "check nothing_missing: 1 of 2, the worst: 2026-11-20  stocks bars: of 15" in told
    assert "1 in volume" in told
    assert {str(record.partition_key) for record in observed} == {THURSDAY, FRIDAY}
    for day in (WEDNESDAY, THURSDAY, FRIDAY):
        assert held(chosen, day) == filed(sandbox, day)
    with run(chosen, VERIFIED, WEDNESDAY, FRIDAY) as again:
        assert again.passed_checks == CHECKS
        assert shown(again)[FRIDAY]["bars equal"] == 15


FIGURES = ("equal", "other", "missing", "extra")


def test_a_day_on_which_nothing_was_streamed_lacks_everything(
    sandbox: Sandbox, chosen: Settings
) -> None:
    stream(chosen, filed(sandbox, THURSDAY))
    with run(chosen, VERIFIED, FRIDAY, FRIDAY) as done:
        assert done.failed_checks == {"nothing_missing"}
        assert shown(done)[FRIDAY]["bars missing"] == 15
    assert held(chosen, FRIDAY) == filed(sandbox, FRIDAY)


def test_what_cannot_be_done_fails_by_day_and_reason_and_the_rest_is_done(
    sandbox: Sandbox, chosen: Settings
) -> None:
    streamed = a_bad_day(filed(sandbox, THURSDAY))
    stream(chosen, streamed)
    sandbox.flat_files.replace(bars_key("2026-11-17"), "missing")
    sandbox.flat_files.replace(bars_key(THURSDAY), "truncated")
    with run(chosen, VERIFIED, "2026-11-16", FRIDAY) as done:
        assert not done.result.success
        assert done.partitions == {"2026-11-16", WEDNESDAY, FRIDAY}
        assert "table_equals_file" in done.failed_checks
        told = str(message(done.instance, done.result.dagster_run))
    assert "2026-11-17 bars: a trading day without a file" in told
    assert f"{THURSDAY} bars: stocks bars of {THURSDAY}: the file cannot be read to its end" in told
    assert held(chosen, THURSDAY) == sorted(streamed)
    assert held(chosen, FRIDAY) == filed(sandbox, FRIDAY)


def test_a_file_that_lacks_much_of_what_was_streamed_takes_nothing_away(
    sandbox: Sandbox, chosen: Settings
) -> None:
    streamed = filed(sandbox, FRIDAY)
    stream(chosen, streamed)
    sandbox.flat_files.replace(bars_key(FRIDAY), "short")
    with run(chosen, VERIFIED, FRIDAY, FRIDAY) as done:
        assert not done.result.success
        assert done.partitions == set()
        assert done.failed_checks == {"few_other_values", "table_equals_file"}
        assert "Nothing is mended: 33%" in str(message(done.instance, done.result.dagster_run))
    assert held(chosen, FRIDAY) == streamed


def test_a_file_with_far_fewer_rows_than_those_around_it_is_told(
    sandbox: Sandbox, chosen: Settings
) -> None:
    stored = sandbox.flat_files.get(bars_key(WEDNESDAY))
    assert stored
    lines = gzip.decompress(stored.body).splitlines(keepends=True)
    sandbox.flat_files.put(bars_key(WEDNESDAY), gzip.compress(b"".join(lines[:7])))
    with run(chosen, VERIFIED, "2026-11-16", FRIDAY) as done:
        assert done.result.success
        assert done.failed_checks == {"as_many_rows_as_usual"}
        told = str(message(done.instance, done.result.dagster_run))
    assert f"{WEDNESDAY} bars: 6 rows are few: of the 4 files around it one would expect 15" in told


def test_a_session_that_is_not_published_is_said_to_be(
    clock: Callable[[str], None], tmp_path: Path
) -> None:
    early = "2026-11-21T12:00:00Z"
    clock(early)
    world = World(stocks=3, delisted=0, otc=0, now=early)
    with (
        Sandbox(world, flat_files=FlatFiles(world, FilesSize(days=5, bar_minutes=5))) as sandbox,
        run(with_files(sandbox, tmp_path), VERIFIED, FRIDAY, FRIDAY) as done,
    ):
        assert not done.result.success
        told = str(message(done.instance, done.result.dagster_run))
    assert f"{FRIDAY} bars: it is published at about 11:00 New York time" in told


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            {"flat_files_secret_access_key": "other-secret-4711"},
            "flat_files_secret_access_key: the",
        ),
        ({"clickhouse": "http://127.0.0.1:1/market"}, "clickhouse: "),
    ],
)
def test_what_refuses_or_does_not_answer_is_said_without_secrets(
    wrong: dict[str, Any], words: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    with run(with_files(sandbox, tmp_path, **wrong), VERIFIED, FRIDAY, FRIDAY) as done:
        assert not done.result.success
        told = str(message(done.instance, done.result.dagster_run))
        (failure,) = [e for e in done.result.all_events if e.is_step_failure]
        text = failure.step_failure_data.error.to_string()  # type: ignore[union-attr]
    assert words in told
    assert "4711" not in told + text
    assert sandbox.key not in told + text


def names(chosen: Settings) -> tuple[set[str], set[str]]:
    location = definitions(chosen)
    assets = {node.key.to_user_string() for node in location.resolve_asset_graph().asset_nodes}
    return assets, {sensor.name for sensor in location.sensors or ()}


@pytest.mark.parametrize(
    "without",
    [{"clickhouse": None}, {"flat_files_access_key_id": "", "flat_files_secret_access_key": ""}],
)
def test_without_key_or_clickhouse_there_is_no_such_asset(
    without: dict[str, Any], sandbox: Sandbox, tmp_path: Path
) -> None:
    assets, sensors = names(with_files(sandbox, tmp_path, **without))
    assert KEY not in assets
    assert "flat_file_appeared" not in sensors
    assets, sensors = names(with_files(sandbox, tmp_path))
    assert KEY in assets
    assert "flat_file_appeared" in sensors


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"FLAT_FILES_ACCESS_KEY_ID": ""}, "set POLYGON_FLAT_FILES_ACCESS_KEY_ID"),
        ({"FLAT_FILES_SECRET_ACCESS_KEY": ""}, "set POLYGON_FLAT_FILES_SECRET_ACCESS_KEY"),
        ({"CLICKHOUSE_TABLE": "market.bars"}, "POLYGON_CLICKHOUSE_TABLE: with flat files"),
        ({"FLAT_FILES_DATA": "candles"}, "'candles' is not a kind of data"),
        ({"FLAT_FILES_BUCKET": "s3://x"}, "POLYGON_FLAT_FILES_BUCKET: not a value"),
        ({"FLAT_FILES_ENDPOINT": "files"}, "flat_files_endpoint: 'files' is not an address"),
    ],
)
def test_wrong_settings_are_refused_by_name(
    wrong: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = {
        "API_KEY": "key",
        "CLICKHOUSE": "http://localhost:8123/default",
        "FLAT_FILES_ACCESS_KEY_ID": "id-4711",
        "FLAT_FILES_SECRET_ACCESS_KEY": "secret-4711",
    }
    for name, value in {**right, **wrong}.items():
        monkeypatch.setenv(f"POLYGON_{name}", value)
    with pytest.raises(SettingsError) as refused:
        definitions(load())
    assert words in str(refused.value)
    assert "4711" not in str(refused.value)

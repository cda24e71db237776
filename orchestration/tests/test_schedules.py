"""When the schedules ask for what."""

from collections.abc import Iterator
from datetime import date, datetime, timezone

import dagster as dg
import pytest
from source_polygon.sessions import sessions as connector_sessions

from polygon_orchestration.schedules import schedules
from polygon_orchestration.sessions import last_due, partitions, sessions

FREE = None


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def asked(
    instance: dg.DagsterInstance, moment: str, delay: int | None, start: str = "2026-01-02"
) -> object:
    trading = partitions(date.fromisoformat(start), date(2026, 11, 23))
    schedule, _ = schedules(delay, 5, trading)
    context = dg.build_schedule_context(
        instance, scheduled_execution_time=datetime.fromisoformat(moment)
    )
    return schedule(context)


def test_sessions_are_those_of_the_connector() -> None:
    start, end = date(2024, 1, 1), date(2027, 12, 31)
    assert sessions(start, end) == connector_sessions("stocks", start, end)


def test_each_session_is_a_partition_today_included() -> None:
    trading = partitions(date(2026, 11, 20), date(2026, 11, 20))
    now = datetime(2026, 11, 30, 15, tzinfo=timezone.utc)
    # Thanksgiving is no session; the half-day after it is.
    expected = ["20", "23", "24", "25", "27", "30"]
    assert trading.get_partition_keys(current_time=now) == [f"2026-11-{day}" for day in expected]


@pytest.mark.parametrize(
    ("moment", "delay", "session"),
    [
        ("2026-11-20T21:14:00+00:00", 15, "2026-11-19"),  # 16:14 New York
        ("2026-11-20T21:15:00+00:00", 15, "2026-11-20"),
        ("2026-11-26T22:00:00+00:00", 15, "2026-11-25"),  # Thanksgiving
        ("2026-11-27T18:14:00+00:00", 15, "2026-11-25"),
        ("2026-11-27T18:15:00+00:00", 15, "2026-11-27"),  # half-day, 13:15 New York
        ("2026-11-27T20:00:00+00:00", FREE, "2026-11-25"),
        ("2026-11-28T05:15:00+00:00", FREE, "2026-11-27"),  # New York's midnight and 15 minutes
        ("2026-07-02T20:15:00+00:00", 15, "2026-07-02"),  # summer time
    ],
)
def test_a_session_is_due_after_its_close_and_the_delay_of_the_plan(
    moment: str, delay: int | None, session: str
) -> None:
    assert str(last_due(datetime.fromisoformat(moment), delay)) == session


def test_a_run_reads_the_lookback_again_and_is_asked_for_once(
    instance: dg.DagsterInstance,
) -> None:
    first = asked(instance, "2026-11-27T13:15:00-05:00", 15)
    later = asked(instance, "2026-11-29T09:00:00-05:00", 15)
    assert isinstance(first, dg.RunRequest)
    assert isinstance(later, dg.RunRequest)
    assert first.run_key == later.run_key == "2026-11-27"
    assert first.tags["dagster/asset_partition_range_start"] == "2026-11-19"
    assert first.tags["dagster/asset_partition_range_end"] == "2026-11-27"


def test_nothing_is_asked_for_before_the_start_date(instance: dg.DagsterInstance) -> None:
    early = asked(instance, "2026-11-20T09:00:00-05:00", 15, start="2026-11-20")
    assert isinstance(early, dg.SkipReason)
    first = asked(instance, "2026-11-20T17:00:00-05:00", 15, start="2026-11-20")
    assert isinstance(first, dg.RunRequest)
    assert first.tags["dagster/asset_partition_range_start"] == "2026-11-20"

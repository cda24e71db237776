"""When the schedules ask for what."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import dagster as dg
import pytest
from polygon_orchestration.schedules import schedules
from polygon_orchestration.sessions import NEW_YORK, close, due, last_due, partitions, sessions
from source_polygon.sessions import sessions as connector_sessions

FREE = None


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def asked(
    instance: dg.DagsterInstance, moment: str, delay: int | None, start: str = "2026-01-02"
) -> object:
    schedule, _ = schedules(delay, 5, date.fromisoformat(start))
    context = dg.build_schedule_context(
        instance, scheduled_execution_time=datetime.fromisoformat(moment)
    )
    return schedule(context)


def test_sessions_are_those_of_the_connector() -> None:
    start, end = date(2003, 1, 1), date(2040, 12, 31)
    assert sessions(start, end) == connector_sessions("stocks", start, end)


@pytest.mark.parametrize("year", range(2026, 2037))
def test_sessions_can_be_asked_for_until_any_day(year: int) -> None:
    for end in (date(year, 12, day) for day in range(24, 32)):
        assert sessions(date(year, 12, 1), end)[-1] <= end
    assert sessions(date(year, 7, 4), date(year, 7, 4)) == []


@pytest.mark.parametrize(
    ("now", "delay", "latest"),
    [
        ("2026-11-25T09:00", 15, "2026-11-24"),  # before the exchange opens
        ("2026-11-25T13:14", 15, "2026-11-24"),
        ("2026-11-25T13:15", 15, "2026-11-25"),  # it is open, but half-days are over by now
        ("2026-11-25T13:59", 60, "2026-11-24"),
        ("2026-11-25T14:00", 60, "2026-11-25"),
        ("2026-11-26T15:00", 15, "2026-11-25"),  # Thanksgiving
        ("2026-11-27T13:14", 15, "2026-11-25"),
        ("2026-11-27T13:15", 15, "2026-11-27"),  # half-day
        ("2026-11-29T20:00", 15, "2026-11-27"),  # a Sunday
        ("2026-11-28T00:14", FREE, "2026-11-25"),
        ("2026-11-28T00:15", FREE, "2026-11-27"),
        ("2026-11-30T00:14", FREE, "2026-11-27"),
        ("2026-11-30T23:59", FREE, "2026-11-27"),
        ("2026-12-01T00:15", FREE, "2026-11-30"),
        ("2026-11-28T12:59", 24 * 60, "2026-11-25"),
        ("2026-11-28T13:00", 24 * 60, "2026-11-27"),
        ("2026-03-09T13:15", 15, "2026-03-09"),  # the clocks have changed the day before
        ("2026-11-02T13:14", 15, "2026-10-30"),
        ("2026-12-31T16:30", 15, "2026-12-31"),
        ("2027-01-01T16:30", 15, "2026-12-31"),
        ("2027-01-04T10:00", 15, "2026-12-31"),
        ("2028-02-29T13:15", 15, "2028-02-29"),
        ("2032-01-02T12:00", 15, "2031-12-31"),
    ],
)
def test_a_session_is_offered_from_when_a_half_day_would_be_served(
    now: str, delay: int | None, latest: str
) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=NEW_YORK)
    trading = partitions(date(2026, 1, 2), moment.date(), delay)
    keys = trading.get_partition_keys(current_time=moment)
    expected = sessions(date(2026, 1, 2), date.fromisoformat(latest))
    assert keys == [str(day) for day in expected]


@pytest.mark.parametrize("delay", [15, 240, FREE, 24 * 60])
def test_every_session_is_offered_once_it_is_due(delay: int | None) -> None:
    trading = partitions(date(2026, 1, 2), date(2026, 1, 2), delay)
    for day in sessions(date(2026, 1, 2), date(2029, 12, 31)):
        window = trading.time_window_for_partition_key(str(day))
        assert window.end <= due(day, delay)
        assert window.end >= close(day) - timedelta(hours=3)


def test_a_location_that_was_loaded_before_its_start_offers_the_first_session_in_time(
    instance: dg.DagsterInstance,
) -> None:
    trading = partitions(date(1999, 1, 4), date(1999, 1, 4), 15)
    assert trading.get_first_partition_key() == "2003-09-10"
    asked_on_the_first_day = asked(instance, "2026-11-27T13:15:00-05:00", 15, start="2026-11-27")
    assert isinstance(asked_on_the_first_day, dg.RunRequest)


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

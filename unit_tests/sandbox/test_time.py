from datetime import date, datetime, timezone

import pytest
from polygon_sandbox.clock import Clock, last_nightly_batch, parse_instant
from polygon_sandbox.sessions import calendar_until, end_of_window_ms
from polygon_sandbox.stamps import format_ns, parse_ns

CALENDAR = calendar_until(2028)


@pytest.mark.parametrize(
    "text",
    [
        "2025-12-25T07:06:19.28938229Z",
        "2026-08-21T20:04:17Z",
        "2025-10-01T06:06:06.417975318Z",
        "2017-01-01T00:00:00.1Z",
    ],
)
def test_stamps_survive_the_round_trip(text: str) -> None:
    assert format_ns(parse_ns(text)) == text


def test_stamps_compare_as_numbers_where_text_would_not() -> None:
    assert parse_ns("2025-12-25T07:06:19.3Z") > parse_ns("2025-12-25T07:06:19.299999999Z")
    assert parse_ns("2025-12-25T07:06:19.289Z") == parse_ns("2025-12-25T07:06:19.289000000Z")


@pytest.mark.parametrize(
    ("now", "batch"),
    [
        ("2026-11-20T22:30:00Z", datetime(2026, 11, 20, 7, 6, tzinfo=timezone.utc)),
        ("2026-11-20T07:05:59Z", datetime(2026, 11, 19, 7, 6, tzinfo=timezone.utc)),
        ("2026-08-06T12:00:00Z", datetime(2026, 8, 6, 6, 6, tzinfo=timezone.utc)),
    ],
)
def test_the_nightly_batch_follows_new_york(now: str, batch: datetime) -> None:
    assert last_nightly_batch(parse_instant(now)) == batch


def test_a_fixed_clock_moves_only_forward() -> None:
    clock = Clock("2026-11-21T03:00:00Z")
    assert clock.today() == date(2026, 11, 20)
    clock.advance("2026-11-23T22:30:00Z")
    assert clock.now() == datetime(2026, 11, 23, 22, 30, tzinfo=timezone.utc)
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance("2026-11-20T22:30:00Z")
    with pytest.raises(ValueError, match="no UTC offset"):
        Clock("2026-11-20T22:30:00")
    with pytest.raises(ValueError, match="real time"):
        Clock().advance("2026-11-23T22:30:00Z")


@pytest.mark.parametrize(
    ("market", "day", "end_ms"),
    [
        ("stocks", date(2020, 10, 14), 1602705600000),  # summer, 20:00 UTC
        ("stocks", date(2023, 1, 9), 1673298000000),  # winter, 21:00 UTC
        ("stocks", date(2026, 11, 27), 1795813200000),  # a half-day counts to 16:00 as well
        ("fx", date(2020, 10, 14), 1602719999999),
        ("crypto", date(2022, 8, 25), 1661471999999),
    ],
)
def test_bars_are_stamped_with_the_end_of_their_window(market: str, day: date, end_ms: int) -> None:
    assert end_of_window_ms(market, day) == end_ms


def test_sessions_know_holidays_half_days_and_weekends() -> None:
    week = (date(2026, 11, 23), date(2026, 11, 29))
    days = [day.day for day in CALENDAR.sessions("stocks", *week)]
    assert days == [23, 24, 25, 27]
    assert len(CALENDAR.sessions("crypto", *week)) == 7
    assert [day.day for day in CALENDAR.sessions("fx", *week)] == [23, 24, 25, 26, 27, 29]
    opens, closes = CALENDAR.hours("stocks", date(2026, 11, 27))
    assert (opens.hour, opens.minute, closes.hour) == (14, 30, 18)


def test_holidays_are_named_and_early_closes_belong_to_their_holiday() -> None:
    found = CALENDAR.holidays(date(2026, 11, 20), date(2026, 12, 25))
    assert [(h.day.isoformat(), h.name, h.hours is None) for h in found] == [
        ("2026-11-26", "Thanksgiving", True),
        ("2026-11-27", "Thanksgiving", False),
        ("2026-12-24", "Christmas", False),
        ("2026-12-25", "Christmas", True),
    ]

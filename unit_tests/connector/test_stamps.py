import pytest
from hypothesis import given
from hypothesis import strategies as st
from source_polygon.stamps import days_before, from_milliseconds, sortable


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("2026-08-21T20:04:17Z", "2026-08-21T20:04:17.000000000Z"),
        ("2025-12-25T07:06:19.28938229Z", "2025-12-25T07:06:19.289382290Z"),
        ("2025-10-01T06:06:06.417975318Z", "2025-10-01T06:06:06.417975318Z"),
        ("2025-10-01t06:06:06.4z", "2025-10-01T06:06:06.400000000Z"),
        ("2025-12-31T22:30:00.123456789-05:00", "2026-01-01T03:30:00.123456789Z"),
    ],
)
def test_a_stamp_keeps_all_its_digits_in_utc(stamp: str, expected: str) -> None:
    assert sortable(stamp) == expected


@pytest.mark.parametrize("stamp", ["", "2025-10-01", "2025-10-01T06:06Z", "yesterday"])
def test_what_is_no_time_is_an_error(stamp: str) -> None:
    with pytest.raises(ValueError, match="not an RFC 3339 time"):
        sortable(stamp)


@pytest.mark.parametrize("stamp", ["2026-11-31T06:06:06Z", "2026-11-30T25:06:06.5Z"])
def test_a_time_that_never_comes_is_an_error(stamp: str) -> None:
    with pytest.raises(ValueError, match=r"day|hour"):
        sortable(stamp)


@given(st.integers(0, 999_999_999), st.integers(0, 999_999_999))
def test_text_order_is_time_order(one: int, other: int) -> None:
    def cut(nanoseconds: int) -> str:
        return f"2026-01-01T00:00:00.{nanoseconds:09d}".rstrip("0").rstrip(".") + "Z"

    assert (sortable(cut(one)) < sortable(cut(other))) == (one < other)


def test_milliseconds_round_to_nothing() -> None:
    assert from_milliseconds(1602719999999) == "2020-10-14T23:59:59.999Z"
    assert from_milliseconds(1602705600000) == "2020-10-14T20:00:00.000Z"


def test_days_before_keeps_the_fraction() -> None:
    assert days_before("2026-03-01T01:02:03.000000004Z", 1) == "2026-02-28T01:02:03.000000004Z"

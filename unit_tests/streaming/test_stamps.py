import pytest
from polygon_streaming.stamps import (
    EARLIEST_MS,
    LATEST_MS,
    as_ns,
    from_text,
    is_instant,
    now_ms,
    ns_to_text,
    to_text,
)

FIRST, LAST = 946_684_800_000, 4_102_444_800_000  # 2000-01-01 and 2100-01-01, UTC


def test_instants_of_market_data_are_of_this_century() -> None:
    assert (EARLIEST_MS, LATEST_MS) == (FIRST, LAST)
    assert [is_instant(ms) for ms in (FIRST - 1, FIRST, LAST, LAST + 1)] == [
        False, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("stamp", "ns"),
    [
        (FIRST - 1, None),
        (FIRST, FIRST * 1_000_000),
        (1795444200784.0, 1795444200784_000_000),
        (LAST, LAST * 1_000_000),
        (LAST + 1, None),
        (FIRST * 1_000_000 - 1, None),
        (FIRST * 1_000_000, FIRST * 1_000_000),
        (1795444200784_123_457, 1795444200784_123_457),
        (LAST * 1_000_000, LAST * 1_000_000),
        (LAST * 1_000_000 + 1, None),
        (0, None),
        (-FIRST, None),
    ],
)
def test_milliseconds_and_nanoseconds_are_told_apart(stamp: float, ns: int | None) -> None:
    assert as_ns(stamp) == ns


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01 00:00:00.000"),
        (-1, "1969-12-31 23:59:59.999"),
        (1795444200007, "2026-11-23 14:30:00.007"),
        (LAST - 1, "2099-12-31 23:59:59.999"),
    ],
)
def test_an_instant_is_written_in_utc_and_read_again(ms: int, text: str) -> None:
    assert to_text(ms) == text
    assert from_text(text) == ms


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (1795444200_000_000_001, "2026-11-23 14:30:00.000000001"),
        (1795444200_784_123_456, "2026-11-23 14:30:00.784123456"),
        (1795444200_999_999_999, "2026-11-23 14:30:00.999999999"),
        (1795444201_000_000_000, "2026-11-23 14:30:01.000000000"),
    ],
)
def test_nanoseconds_have_nine_digits(ns: int, text: str) -> None:
    assert ns_to_text(ns) == text


@pytest.mark.parametrize("text", ["", "2026-11-23", "2026-11-23T14:30:00.000", "now"])
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="does not match format"):
        from_text(text)


def test_now_is_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1795444200_784_999_999)
    assert now_ms() == 1795444200_784

"""The key of a ticker row, as a pure function of what was seen before."""

import pytest
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from source_polygon.rows import Row
from source_polygon.streams.listings import (
    Memory,
    Seen,
    active_again,
    begun,
    changed,
    classify,
    ended,
    newest_of_each,
    require_times,
    sift,
)

FIRST = "2026-11-20T06:00:00.000000000Z"
LATER = "2026-11-21T06:00:00Z"
NOW = "2026-11-23T06:00:00.000000000Z"
OLD = "2015-03-02T00:00:00.000000000Z"


def active(ticker: str, stamp: str = LATER) -> Row:
    return {"ticker": ticker, "active": True, "last_updated_utc": stamp}


def delisted(ticker: str, on: str, stamp: str = LATER) -> Row:
    return {"ticker": ticker, "active": False, "delisted_utc": on, "last_updated_utc": stamp}


class Table:
    """A market's listings over several syncs.

    Attributes:
        asked: symbols of which the vendor was asked whether they are active.
    """

    def __init__(self, *rows: Row) -> None:
        self.memory = Memory()
        self.asked: set[str] = set()
        self.first = self.sync(*rows, since="")

    def sync(
        self, *rows: Row, since: str = FIRST, still_active: bool = True, whole: bool = True
    ) -> list[tuple[str, str]]:
        """Read active and delisted `rows`; return key and end of the delisted ones emitted."""
        memory = begun(self.memory, FIRST)
        active = frozenset(row["ticker"] for row in rows if row["active"])
        seen = Seen(active, whole, since, NOW)
        recent: dict[str, dict[str, Row]] = {}
        emitted = list(sift((row for row in rows if not row["active"]), memory, seen, recent))
        again = {
            ticker: active_again(ticker, ends, memory, seen) for ticker, ends in recent.items()
        }
        doubtful = {ticker for ticker, known in again.items() if known is None}
        self.asked |= doubtful
        anew = {ticker for ticker, known in again.items() if known}
        anew |= doubtful if still_active else set()
        moved, self.memory = classify(recent, frozenset(anew), memory, seen)
        return [(row["ticker"], end) for row, end in [*emitted, *moved]]


def test_generations_that_ended_long_ago_are_keyed_by_their_end() -> None:
    older = "2005-01-01T05:00:00.000000000Z"
    assert Table(delisted("ABC", older), delisted("ABC", OLD)).first == [
        ("ABC", older),
        ("ABC", OLD),
    ]


def test_a_listing_that_was_open_keeps_its_key_when_it_ends() -> None:
    table = Table(active("ABC"))
    assert table.sync(delisted("ABC", "2026-11-20T00:00:00Z")) == [("ABC", "open")]


def test_an_old_delisting_that_the_vendor_edits_keeps_its_key() -> None:
    table = Table(delisted("ABC", OLD))
    assert table.sync(delisted("ABC", OLD)) == [("ABC", OLD)]


def test_a_fresh_delisting_known_at_the_first_sync_may_be_that_of_a_sync_that_died() -> None:
    row = delisted("ABC", "2026-11-18T05:00:00Z")
    table = Table(row)
    assert table.first == [("ABC", "open")]
    assert table.sync(row) == [("ABC", "open")]


def test_a_delisting_recorded_years_late_is_still_that_of_the_open_listing() -> None:
    table = Table(active("ABC"), active("XYZ"))
    late = delisted("ABC", OLD)
    assert table.sync(active("XYZ"), late) == [("ABC", "open")]
    # It keeps the key when it is edited later, and gives it up to the next company.
    assert table.sync(active("XYZ"), late) == [("ABC", "open")]
    assert table.sync(active("XYZ"), active("ABC"), late, since="2026-12-01") == [("ABC", OLD)]


def test_an_old_delisting_that_is_edited_while_its_symbol_is_in_use_keeps_its_key() -> None:
    table = Table(active("ABC"), delisted("ABC", OLD))
    assert table.first == [("ABC", OLD)]
    assert table.sync(active("ABC"), delisted("ABC", OLD)) == [("ABC", OLD)]


def test_the_next_company_takes_the_key_and_the_old_row_moves_to_its_end() -> None:
    table = Table(active("ABC"))
    gone = delisted("ABC", "2026-11-20T00:00:00Z")
    assert table.sync(gone) == [("ABC", "open")]
    moved = ("ABC", "2026-11-20T00:00:00.000000000Z")
    # It has not changed since, and must be emitted all the same.
    assert table.sync(active("ABC"), gone, since="2026-12-01") == [moved]
    assert table.sync(active("ABC"), gone) == [moved]
    assert table.sync(delisted("ABC", "2027-01-05T00:00:00Z")) == [("ABC", "open")]
    assert table.asked == set()


@pytest.mark.parametrize(
    ("still_active", "key"), [(True, "2026-11-22T00:00:00.000000000Z"), (False, "open")]
)
def test_the_vendor_is_asked_whether_a_symbol_in_both_lists_was_used_again_or_just_ended(
    still_active: bool, key: str
) -> None:
    table = Table(active("ABC"))
    just_now = delisted("ABC", "2026-11-22T00:00:00Z", stamp="2026-11-22T12:00:00Z")
    assert table.sync(active("ABC"), just_now, still_active=still_active) == [("ABC", key)]
    assert table.asked == {"ABC"}
    assert table.memory.listed == ({"ABC"} if still_active else set())


def test_the_vendor_is_asked_where_not_all_active_rows_were_read() -> None:
    """The new company's row may be older than the delisting, which was recorded late."""
    table = Table(active("ABC"))
    gone = delisted("ABC", "2026-11-20T00:00:00Z")
    end = "2026-11-20T00:00:00.000000000Z"
    assert table.sync(gone, whole=False) == [("ABC", end)]
    assert table.asked == {"ABC"}
    table.asked.clear()
    assert table.sync(gone, since="2026-12-01", whole=False) == []
    assert table.asked == set()


@pytest.mark.parametrize(
    ("on", "key"),
    [
        ("2026-09-21T06:00:00.000000000Z", "2026-09-21T06:00:00.000000000Z"),
        ("2026-09-21T06:00:00.000000001Z", "open"),
    ],
)
def test_sixty_days_before_the_newest_delisting_is_long_ago(on: str, key: str) -> None:
    assert begun(Memory(), FIRST).horizon == "2026-09-21T06:00:00.000000000Z"
    assert Table(delisted("ABC", on)).first == [("ABC", key)]


def test_a_boundary_that_is_set_stays() -> None:
    memory = Memory(horizon=OLD)
    assert begun(memory, FIRST) is memory


@pytest.mark.parametrize(
    ("recorded", "asked"),
    [("2026-11-22T06:00:00Z", {"ABC"}), ("2026-11-22T05:59:59.999999999Z", set())],
)
def test_recorded_just_now_is_within_a_day(recorded: str, asked: set[str]) -> None:
    table = Table(active("ABC"))
    table.sync(active("ABC"), delisted("ABC", "2026-11-20T00:00:00Z", stamp=recorded))
    assert table.asked == asked


def test_a_row_stamped_at_the_instant_of_the_last_sync_is_emitted_again() -> None:
    assert changed({"last_updated_utc": LATER}, "2026-11-21T06:00:00.000000000Z")
    assert not changed({"last_updated_utc": LATER}, "2026-11-21T06:00:00.000000001Z")
    for unsaid in ({}, {"last_updated_utc": None}, {"last_updated_utc": "soon"}):
        assert changed(unsaid, NOW)


def test_of_equally_new_rows_the_last_counts_and_the_log_names_five(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def twice(tickers: str) -> list[Row]:
        return [{**active(ticker), "cik": cik} for ticker in tickers for cik in ("1", "2")]

    assert [row["cik"] for row in newest_of_each(twice("ABCDE"))] == ["2"] * 5
    assert "E (cik) came in several rows" in caplog.text
    assert "more" not in caplog.text
    list(newest_of_each(twice("ABCDEF")))
    assert "E (cik) and 1 more came in several rows" in caplog.text


def test_a_row_that_does_not_say_so_is_active_and_one_without_an_end_ended_at_its_stamp() -> None:
    unsaid = {"ticker": "ABC", "last_updated_utc": LATER}
    assert list(newest_of_each([unsaid, active("ABC", FIRST)])) == [unsaid]
    assert ended({**unsaid, "active": False}) == "2026-11-21T06:00:00.000000000Z"
    assert ended({"ticker": "ABC"}) == ""


@pytest.mark.parametrize("name", ["last_updated_utc", "delisted_utc"])
def test_a_stamp_that_is_not_a_time_is_refused_by_its_ticker(name: str) -> None:
    require_times([{"ticker": "A", name: unsaid} for unsaid in (None, "", NOW)], "stocks")
    with pytest.raises(AirbyteTracedException) as caught:
        require_times([active("A"), {"ticker": "B", name: "soon" + "n" * 99}], "otc")
    words = f"The row of B (market otc) has {name} soon{'n' * 56}, expected a time such as"
    assert words in str(caught.value.internal_message or caught.value.message)


def test_two_endings_between_two_syncs_are_two_rows() -> None:
    earlier, later = "2026-11-21T00:00:00.000000000Z", "2026-11-25T00:00:00Z"
    assert Table().sync(delisted("ABC", later), delisted("ABC", earlier)) == [
        ("ABC", earlier),
        ("ABC", "open"),
    ]


def test_rows_that_differ_only_in_their_stamp_are_one() -> None:
    older, newer = active("AXS", "2026-11-19T06:00:00Z"), active("AXS", "2026-11-20T06:00:00.5Z")
    assert list(newest_of_each([older, newer, active("B")])) == [newer, active("B")]
    assert list(newest_of_each([newer, older])) == [newer]
    generations = [delisted("C", OLD), delisted("C", "2020-01-01T00:00:00Z")]
    assert list(newest_of_each(generations)) == generations

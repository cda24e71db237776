"""The key of a ticker row, as a pure function of what was seen before."""

from source_polygon.listings import Listings, Row, newest_of_each

FIRST = "2026-11-20T06:00:00.000000000Z"
LATER = "2026-11-21T06:00:00Z"
OLD = "2015-03-02T00:00:00.000000000Z"


def active(ticker: str, stamp: str = LATER) -> Row:
    return {"ticker": ticker, "active": True, "last_updated_utc": stamp}


def delisted(ticker: str, on: str, stamp: str = LATER) -> Row:
    return {"ticker": ticker, "active": False, "delisted_utc": on, "last_updated_utc": stamp}


def first_sync(*rows: Row) -> Listings:
    listings = Listings("", {})
    list(listings.first_delisted(rows, FIRST))
    return listings


def keys(listings: Listings, *rows: Row, since: str = FIRST) -> list[tuple[str, str]]:
    return [(row["ticker"], end) for row, end in listings.later_delisted(rows, since)]


def test_generations_known_at_the_first_sync_are_keyed_by_their_end() -> None:
    rows = [delisted("ABC", "2005-01-01T05:00:00Z"), delisted("ABC", OLD)]
    assert [end for _, end in Listings("", {}).first_delisted(rows, FIRST)] == [
        "2005-01-01T05:00:00.000000000Z",
        OLD,
    ]


def test_a_listing_that_was_open_keeps_its_key_when_it_ends() -> None:
    assert keys(first_sync(), delisted("ABC", "2026-11-20T00:00:00Z")) == [("ABC", "open")]


def test_an_old_delisting_that_the_vendor_edits_keeps_its_key() -> None:
    listings = first_sync(delisted("ABC", OLD))
    assert keys(listings, delisted("ABC", OLD)) == [("ABC", OLD)]


def test_a_fresh_delisting_known_at_the_first_sync_keeps_its_key_when_edited() -> None:
    row = delisted("ABC", "2026-11-18T05:00:00Z")
    assert keys(first_sync(row), row) == [("ABC", "2026-11-18T05:00:00.000000000Z")]


def test_a_delisting_recorded_late_is_still_that_of_the_open_listing() -> None:
    assert keys(first_sync(), delisted("ABC", "2026-10-01T04:00:00Z")) == [("ABC", "open")]


def test_the_next_company_takes_the_key_and_the_old_row_moves_to_its_end() -> None:
    listings = first_sync()
    gone = delisted("ABC", "2026-11-20T00:00:00Z")
    assert keys(listings, gone) == [("ABC", "open")]

    listings = Listings(listings.horizon, listings.dated)
    listings.see_active("ABC")
    moved = ("ABC", "2026-11-20T00:00:00.000000000Z")
    # It has not changed since, and must be emitted all the same.
    assert keys(listings, gone, since="2026-12-01") == [moved]

    listings = Listings(listings.horizon, listings.dated)
    assert keys(listings, gone) == [moved]
    assert keys(listings, delisted("ABC", "2027-01-05T00:00:00Z")) == [("ABC", "open")]


def test_two_endings_between_two_syncs_are_two_rows() -> None:
    earlier, later = "2026-11-21T00:00:00.000000000Z", "2026-11-25T00:00:00Z"
    assert keys(first_sync(), delisted("ABC", later), delisted("ABC", earlier)) == [
        ("ABC", earlier),
        ("ABC", "open"),
    ]


def test_rows_that_differ_only_in_their_stamp_are_one() -> None:
    older, newer = active("AXS", "2026-11-19T06:00:00Z"), active("AXS", "2026-11-20T06:00:00.5Z")
    assert list(newest_of_each([older, newer, active("B")])) == [newer, active("B")]
    assert list(newest_of_each([newer, older])) == [newer]
    generations = [delisted("C", OLD), delisted("C", "2020-01-01T00:00:00Z")]
    assert list(newest_of_each(generations)) == generations

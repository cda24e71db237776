"""What a sync says before it begins: requests and minutes, without asking for anything."""

from collections import Counter
from typing import Any

import pytest
from source_polygon import SourcePolygon
from source_polygon.engine.cdk import lane_cursor_of, retriever_of
from source_polygon.engine.estimate import Estimate, duration, estimate, in_all

from unit_tests.connector.syncing import Syncs

FREE: dict[str, Any] = {"requests_per_minute": 5}


def estimates(syncs: Syncs, **config: Any) -> dict[str, Estimate]:
    given = syncs.config(**config)
    source = SourcePolygon(config=given, state=syncs.state)
    source.streams(given)
    found = {}
    for name, stream in source.manifest.built.items():
        cursor = lane_cursor_of(stream)
        before = dict(cursor.state) if cursor else {}
        foreseen = estimate(retriever_of(stream), cursor)
        assert foreseen
        assert foreseen == estimate(retriever_of(stream), cursor)
        assert (dict(cursor.state) if cursor else {}) == before
        found[name] = foreseen
    assert syncs.sandbox.requests == []
    return found


def test_each_kind_of_stream_says_what_it_takes(syncs: Syncs) -> None:
    year = {"start_date": "2025-11-21", "markets": ["stocks", "crypto", "indices"], **FREE}
    found = estimates(syncs, **year)
    lines = {name: each.text(year) for name, each in found.items()}
    assert lines["grouped_daily"] == (
        "grouped_daily: 615 sessions, 615 requests: 251 for stocks, 52 min at 5 a minute; "
        "364 for crypto, 74 min at 5 a minute."
    )
    assert lines["tickers"] == "tickers: 3 markets, at least 6 requests, 1 min at 5 a minute."
    assert lines["short_volume"] == (
        "short_volume: 53 windows, at least 53 requests, 10 min at 5 a minute."
    )
    assert lines["splits"] == (
        "splits: 1 list, at least 1 request, less than a minute at 5 a minute."
    )
    assert lines["exchanges"] == "exchanges: 1 list, 1 request, less than a minute at 5 a minute."
    chosen = [found[name] for name in ("grouped_daily", "short_volume")]
    assert in_all(chosen, year) == (
        "This sync takes at least 668 requests: 304 for stocks, 62 min at 5 a minute; "
        "364 for crypto, 74 min at 5 a minute."
    )
    assert in_all([found["exchanges"]], year) == (
        "This sync takes 1 request, less than a minute at 5 a minute."
    )


def test_a_later_sync_says_how_little_it_takes(syncs: Syncs) -> None:
    syncs.read("grouped_daily", "short_volume")
    syncs.sandbox.clear_requests()
    found = estimates(syncs)
    assert found["grouped_daily"].requests == {"stocks": 5}
    assert found["short_volume"].requests == {"stocks": 2}


def test_the_pace_of_each_product_gives_its_time() -> None:
    requests = Counter({"stocks": 3001, "options": 601})
    foreseen = Estimate("bars", 3602, "window", requests, exact=False)
    assert foreseen.text({**FREE, "requests_per_minute_by_product": {"stocks": 3000}}) == (
        "bars: 3,602 windows, at least 3,602 requests: 3,001 for stocks, 1 min at 3,000 a minute; "
        "601 for options, 2 h 4 min at 5 a minute."
    )
    none = Estimate("bars", 0, "window", Counter(), exact=False)
    assert none.text(FREE) == "bars: 0 windows, 0 requests."


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "less than a minute"),
        (62, "1 min"),
        (7199, "120 min"),
        (7200, "120 min"),
        (7260, "2 h 1 min"),
    ],
)
def test_a_duration_is_said_as_a_person_says_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.usefixtures("both_ways")
def test_a_sync_says_it_before_its_first_request(
    syncs: Syncs, caplog: pytest.LogCaptureFixture, naps: list[float]
) -> None:
    syncs.read("exchanges", "short_volume", start_date="2026-11-02", **FREE)
    said = [line.getMessage() for line in caplog.records]
    assert said.index(
        "This sync takes at least 4 requests, less than a minute at 5 a minute."
    ) < min(number for number, text in enumerate(said) if "Marking stream" in text)


def test_what_planning_notices_is_said_once(syncs: Syncs, caplog: pytest.LogCaptureFixture) -> None:
    syncs.set_state(
        "short_volume", {"states": [{"partition": {}, "cursor": {"date": "2027-01-01"}}]}
    )
    syncs.read("short_volume")
    said = [line.getMessage() for line in caplog.records]
    ahead = "short_volume: the saved state 2027-01-01 lies in the future; nothing is read."
    assert said.count(ahead) == 1
    assert "short_volume: 0 windows, 0 requests." in said


def test_a_state_that_cannot_be_read_is_left_to_the_reading(
    syncs: Syncs, caplog: pytest.LogCaptureFixture
) -> None:
    syncs.set_state("short_volume", {"states": [{"partition": {}, "cursor": {"date": "soon"}}]})
    output = syncs.read("short_volume", "exchanges", expect_failure=True)
    assert output.errors[0] == ("The saved state of short_volume cannot be read. Reset the stream.")
    assert "This sync takes 1 request, " in caplog.text


def test_no_stream_waits_for_one_that_asks_for_more(syncs: Syncs) -> None:
    """The CDK hands a stream's slices to its workers before those of the next stream."""
    chosen = ["grouped_daily", "short_volume", "exchanges", "news", "splits", "market_holidays"]
    output = syncs.read(*chosen, start_date="2026-09-01", markets=["stocks"])
    started = [
        status["stream_descriptor"]["name"]
        for status in output.traces("stream_status")
        if status["status"] == "STARTED"
    ]
    assert started[-1] == "grouped_daily"
    config = syncs.config(start_date="2026-09-01", markets=["stocks"])
    fresh = SourcePolygon(config=config)
    fresh.streams(config)
    built = [fresh.manifest.built[name] for name in started]
    asked = [estimate(retriever_of(stream), lane_cursor_of(stream)) for stream in built]
    totals = [each.requests.total() for each in asked if each]
    assert len(totals) == len(chosen)
    assert totals == sorted(totals)
    assert totals[0] == 1
    assert totals[-1] == len([path for path in syncs.paths() if "/grouped/" in path]) > 50

"""Daily bars against the sandbox: each session complete, the state never ahead, the cost known."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from polygon_sandbox import Fault, Plan, Sandbox, World
from source_polygon.sessions import sessions
from source_polygon.stamps import from_milliseconds

from unit_tests.connector.syncing import Output, Row, Syncs

Clock = Callable[[str], None]
Key = tuple[Any, ...]

STOCKS = {"market": "stocks", "adjusted": False, "include_otc": False}
START, END = date(2026, 11, 2), date(2026, 11, 20)


def record(market: str, day: date, bar: Row, *, adjusted: bool) -> Row:
    """Return what the connector must emit for a bar of the API."""
    fields = {
        "market": market,
        "date": day.isoformat(),
        "ticker": bar["T"],
        "open": bar["o"],
        "high": bar["h"],
        "low": bar["l"],
        "close": bar["c"],
        "volume": bar["v"],
        "vwap": bar.get("vw"),
        "transactions": bar.get("n"),
        "otc": bar.get("otc", False),
        "adjusted": adjusted,
        "timestamp": bar["t"],
        "last_updated_utc": from_milliseconds(bar["t"]),
    }
    return {name: value for name, value in fields.items() if value is not None}


def truth(
    world: World,
    market: str = "stocks",
    start: date = START,
    end: date = END,
    *,
    adjusted: bool = False,
    include_otc: bool = False,
) -> dict[Key, Row]:
    """Return the table that a complete read gives."""
    return {
        (market, day.isoformat(), bar["T"], adjusted): record(market, day, bar, adjusted=adjusted)
        for day in sessions(market, start, end)
        for bar in world.bars(market, day, adjusted=adjusted, include_otc=include_otc)
    }


def cursors(output: Output) -> list[dict[str, str]]:
    """Return each STATE message as {market: session}."""
    return [
        {
            lane["partition"]["market"]: lane["cursor"]["last_updated_utc"][:10]
            for lane in state["states"]
        }
        for state in output.states("grouped_daily")
    ]


def test_every_session_is_complete_to_the_value(syncs: Syncs, world: World) -> None:
    syncs.read("grouped_daily")
    expected = truth(world)
    assert len(expected) > 500
    assert syncs.tables["grouped_daily"] == expected
    assert sorted(syncs.paths()) == [
        f"/v2/aggs/grouped/locale/us/market/stocks/{day}" for day in sessions("stocks", START, END)
    ]


@pytest.mark.parametrize("market", ["crypto", "fx"])
def test_other_markets_are_read_by_utc_days(syncs: Syncs, world: World, market: str) -> None:
    syncs.read("grouped_daily", markets=[market])
    # The sandbox's clock shows 22:30 UTC: the 20th is not over there.
    assert syncs.tables["grouped_daily"] == truth(world, market, end=date(2026, 11, 19))


@pytest.mark.parametrize("adjusted", [False, True])
@pytest.mark.parametrize("include_otc", [False, True])
def test_the_kind_of_bars_is_the_one_chosen(
    syncs: Syncs, world: World, adjusted: bool, include_otc: bool
) -> None:
    syncs.read("grouped_daily", adjusted=adjusted, include_otc=include_otc)
    expected = truth(world, adjusted=adjusted, include_otc=include_otc)
    assert syncs.tables["grouped_daily"] == expected
    assert any(row["otc"] for row in expected.values()) == include_otc


def test_switching_the_kind_of_bars_reads_the_history_anew(syncs: Syncs, world: World) -> None:
    syncs.read("grouped_daily")
    syncs.read("grouped_daily", include_otc=True)
    assert syncs.tables["grouped_daily"] == truth(world, include_otc=True)


@pytest.mark.parametrize(
    ("start", "end"),
    [(date(2025, 11, 24), date(2025, 12, 1)), (date(2026, 3, 4), date(2026, 3, 11))],
)
def test_half_days_and_the_change_to_summer_time(
    syncs: Syncs, world: World, start: date, end: date
) -> None:
    output = syncs.read("grouped_daily", start_date=str(start), end_date=str(end))
    assert syncs.tables["grouped_daily"] == truth(world, start=start, end=end)
    assert cursors(output)[-1] == {"stocks": str(sessions("stocks", start, end)[-1])}


def test_the_next_sync_asks_for_new_sessions_and_the_lookback(
    syncs: Syncs, world: World, clock: Clock
) -> None:
    syncs.read("grouped_daily")
    world.advance(to="2026-11-24T22:30:00Z")
    clock("2026-11-24T22:30:00Z")
    syncs.sandbox.clear_requests()
    syncs.read("grouped_daily", lookback_sessions=2)
    assert [path[-10:] for path in sorted(syncs.paths())] == [
        "2026-11-19", "2026-11-20", "2026-11-23", "2026-11-24",
    ]  # fmt: skip
    assert syncs.tables["grouped_daily"] == truth(world, end=date(2026, 11, 24))


def test_a_late_correction_within_the_lookback_arrives(syncs: Syncs, world: World) -> None:
    syncs.read("grouped_daily")
    before = truth(world)
    ticker = world.bars("stocks", date(2026, 11, 17))[0]["T"]
    world.correct("stocks", date(2026, 11, 17), ticker)
    assert truth(world) != before
    output = syncs.read("grouped_daily")
    assert syncs.tables["grouped_daily"] == truth(world)
    # Sessions asked for again do not move the state back.
    assert {cursor["stocks"] for cursor in cursors(output)} == {"2026-11-20"}


@pytest.mark.parametrize("now", ["2026-11-20T17:00:00Z", "2026-11-20T21:05:00Z"])
def test_an_open_session_is_not_asked_for(
    syncs: Syncs, world: World, clock: Clock, now: str
) -> None:
    clock(now)
    output = syncs.read("grouped_daily")
    assert syncs.tables["grouped_daily"] == truth(world, end=date(2026, 11, 19))
    assert cursors(output)[-1] == {"stocks": "2026-11-19"}


@pytest.mark.usefixtures("both_ways")
def test_a_plan_that_gets_the_day_late_ends_the_sync_before_it(
    syncs: Syncs, sandbox: Sandbox, world: World, clock: Clock
) -> None:
    sandbox.plan = Plan.unlimited(sees_today=False)
    output = syncs.read("grouped_daily")
    assert output.status("grouped_daily") == "COMPLETE"
    assert cursors(output)[-1] == {"stocks": "2026-11-19"}
    world.advance(to="2026-11-21T12:00:00Z")
    clock("2026-11-21T12:00:00Z")
    syncs.read("grouped_daily")
    assert syncs.tables["grouped_daily"] == truth(world)


@pytest.mark.usefixtures("both_ways")
def test_reading_starts_where_the_history_of_the_plan_starts(
    syncs: Syncs, sandbox: Sandbox, world: World
) -> None:
    sandbox.plan = Plan.unlimited(history_start=date(2026, 10, 14))
    output = syncs.read("grouped_daily", start_date="2026-01-02")
    assert syncs.tables["grouped_daily"] == truth(world, start=date(2026, 10, 14))
    assert output.errors == []
    assert "the history of the plan starts with session 2026-10-14" in output.text
    # 195 sessions are refused; finding the first one that is not takes about log2 of them.
    assert sum(request.status == 403 for request in sandbox.requests) < 12


def test_a_range_wholly_before_the_plans_history_is_named_with_the_fix(
    syncs: Syncs, sandbox: Sandbox
) -> None:
    sandbox.plan = Plan.unlimited(history_start=date(2026, 10, 14))
    output = syncs.read(
        "grouped_daily", start_date="2026-01-02", end_date="2026-02-02", expect_failure=True
    )
    words = "The plan of this API key has no stocks bars from 2026-01-02 to 2026-02-02: "
    assert any(words in error for error in output.errors)
    assert any("Give a later start_date and end_date" in error for error in output.errors)
    assert "config_error" in output.failure_types
    assert cursors(output) == [{}]
    assert len(sandbox.requests) <= 6


@pytest.mark.usefixtures("both_ways")
def test_resuming_from_any_state_misses_nothing(syncs: Syncs, world: World) -> None:
    """Cut the output behind each STATE message in turn, as an interrupt would, and resume."""
    whole = syncs.read("grouped_daily", markets=["stocks", "crypto"], num_workers=4)
    expected = truth(world) | truth(world, "crypto", end=date(2026, 11, 19))
    assert syncs.tables["grouped_daily"] == expected
    cuts = [n for n, message in enumerate(whole.messages, 1) if message["type"] == "STATE"]
    assert len(cuts) >= 15
    for cut in cuts:
        resumed = Syncs(syncs.sandbox)
        resumed.load(whole.messages[:cut])
        resumed.read("grouped_daily", markets=["stocks", "crypto"], lookback_sessions=0)
        assert resumed.tables["grouped_daily"] == expected


@pytest.mark.usefixtures("both_ways")
def test_a_failure_in_the_middle_keeps_what_was_read_and_the_next_sync_goes_on(
    syncs: Syncs, sandbox: Sandbox, world: World, naps: list[float]
) -> None:
    sandbox.faults.add(Fault.cut_body(path="2026-11-11", times=None))
    output = syncs.read("grouped_daily", expect_failure=True)
    assert cursors(output)[-1] == {"stocks": "2026-11-10"}
    assert output.failure_types >= {"transient_error"}
    # What follows the hole is left for the next sync, but for what two workers had under way.
    assert len([path for path in syncs.paths() if path[-10:] > "2026-11-11"]) <= 4
    sandbox.faults.clear()
    syncs.read("grouped_daily", lookback_sessions=0)
    assert syncs.tables["grouped_daily"] == truth(world)


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize(
    "fault",
    [Fault.cut_body, Fault.truncated_json, Fault.html, Fault.reset, Fault.missing_status],
)
def test_faults_that_pass_leave_no_trace(
    syncs: Syncs, sandbox: Sandbox, world: World, naps: list[float], fault: Callable[..., Fault]
) -> None:
    sandbox.faults.add(fault(path="grouped", times=3, skip=2))
    syncs.read("grouped_daily")
    assert syncs.tables["grouped_daily"] == truth(world)


def test_a_redirect_is_not_followed(syncs: Syncs, sandbox: Sandbox) -> None:
    with Sandbox(World(stocks=5), plan=Plan.unlimited()) as elsewhere:
        sandbox.faults.add(Fault.redirect(f"{elsewhere.url}/v2/aggs", path="grouped", times=None))
        output = syncs.read("grouped_daily", expect_failure=True)
        assert elsewhere.requests == []
    assert any("redirect, which is not followed" in error for error in output.errors)


@pytest.mark.parametrize("state", ["2027-01-04T21:00:00.000Z", "2999-01-01T00:00:00Z"])
def test_a_state_from_the_future_reads_nothing_and_says_so(syncs: Syncs, state: str) -> None:
    syncs.set_state("grouped_daily", {"last_updated_utc": state})
    output = syncs.read("grouped_daily")
    assert output.records("grouped_daily") == []
    assert "lies ahead of the market" in output.text


@pytest.mark.parametrize(
    "state",
    [
        {"states": [{"partition": STOCKS, "cursor": {"last_updated_utc": "yesterday"}}]},
        {"states": [{"cursor": {}}]},
        {"states": "all"},
        {"last_updated_utc": 5},
    ],
)
def test_a_state_that_cannot_be_read_is_an_error_and_is_not_overwritten(
    syncs: Syncs, state: dict[str, Any]
) -> None:
    syncs.set_state("grouped_daily", state)
    output = syncs.read("grouped_daily", expect_failure=True)
    assert any("saved state of grouped_daily cannot be read" in error for error in output.errors)
    assert output.states("grouped_daily") == [state]


def test_a_market_left_out_for_a_while_keeps_its_place(syncs: Syncs, world: World) -> None:
    syncs.read("grouped_daily", markets=["stocks", "crypto"])
    output = syncs.read("grouped_daily", markets=["stocks"])
    assert cursors(output)[-1] == {"stocks": "2026-11-20", "crypto": "2026-11-19"}


def test_the_rate_stays_below_the_plan(
    syncs: Syncs, sandbox: Sandbox, world: World, naps: list[float]
) -> None:
    syncs.read("grouped_daily", requests_per_minute=5, end_date="2026-11-13")
    # Ten requests at five a minute: the second five wait for a minute and a bit.
    assert 60 < sum(naps) < 64
    assert syncs.tables["grouped_daily"] == truth(world, end=date(2026, 11, 13))

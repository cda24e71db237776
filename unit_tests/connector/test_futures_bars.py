"""Bars of futures contracts, which have a field of their own."""

from collections.abc import Callable
from typing import Any

import pytest
from polygon_sandbox import Fault, Plan, World

from unit_tests.connector.syncing import Row, Syncs, manifest_with

ES: dict[str, Any] = {"futures_symbols": ["ESZ6"]}


def starts(rows: list[Row]) -> list[str]:
    return sorted(row["window_start_utc"][:16] for row in rows)


@pytest.mark.usefixtures("both_ways")
def test_sessions_are_as_the_vendor_has_them(syncs: Syncs, world: World) -> None:
    output = syncs.read("futures_bars", start_date="2026-11-02", **ES)
    rows = output.records("futures_bars")
    days = [
        day.isoformat() for day in world.sessions("stocks", world.today.replace(day=2), world.today)
    ]
    # Today's session is not over.
    assert starts(rows) == [f"{day}T00:00" for day in days[:-1]]
    assert [row["session_end_date"] for row in rows] == days[:-1]
    first = rows[0]
    assert (first["ticker"], first["bar_size"]) == ("ESZ6", "1 day")
    assert first["window_start"] == 1793577600_000_000_000
    assert set(first) == {
        *("ticker", "bar_size", "window_start", "window_start_utc", "session_end_date", "open"),
        *("high", "low", "close", "settlement_price", "volume", "dollar_volume", "transactions"),
    }
    (request,) = syncs.sandbox.requests
    assert request.path == "/futures/v1/aggs/ESZ6"
    assert request.query["resolution"] == "1session"


def test_minutes_are_complete_and_pages_are_followed(syncs: Syncs) -> None:
    syncs.manifest = manifest_with("futures_bars", "", page_size=40)
    output = syncs.read("futures_bars", bar_sizes=["10 minute"], start_date="2026-11-20", **ES)
    rows = output.records("futures_bars")
    assert starts(rows) == [f"2026-11-20T{n // 6:02d}:{n % 6}0" for n in range(133)]
    assert len(syncs.sandbox.requests) == 4
    assert {request.query.get("limit", "40") for request in syncs.sandbox.requests} == {"40"}


def test_a_later_sync_brings_what_is_over_since(
    syncs: Syncs, world: World, clock: Callable[[str], None]
) -> None:
    syncs.read("futures_bars", **ES)
    world.advance(to="2026-11-24T12:00:00Z")
    clock("2026-11-24T12:00:00Z")
    output = syncs.read("futures_bars", **ES)
    assert starts(output.records("futures_bars"))[-2:] == ["2026-11-20T00:00", "2026-11-23T00:00"]
    assert len(syncs.tables["futures_bars"]) == 16


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("fault", [Fault.truncated_json, Fault.html, Fault.missing_status])
def test_a_broken_answer_is_an_error(
    syncs: Syncs, naps: list[float], fault: Callable[..., Fault]
) -> None:
    syncs.sandbox.faults.add(fault(path="/futures/v1/aggs/ESZ6", times=None))
    contracts = ["ESZ6", "GCJ7"]
    output = syncs.read("futures_bars", futures_symbols=contracts, expect_failure=True)
    assert output.status("futures_bars") == "INCOMPLETE"
    assert {row["ticker"] for row in output.records("futures_bars")} == {"GCJ7"}
    (lane,) = output.states("futures_bars")[-1]["states"]
    assert lane["partition"] == {"symbol": "GCJ7", "bar_size": "1 day"}


def test_a_plan_without_futures_is_named(syncs: Syncs) -> None:
    syncs.sandbox.plan = Plan.unlimited(markets=frozenset({"stocks"}))
    output = syncs.read("futures_bars", expect_failure=True, **ES)
    assert "does not cover futures_bars ESZ6 1 day" in output.errors[0]
    assert "Needed: a futures plan. Upgrade the plan" in output.errors[0]


def test_a_contract_among_the_symbols_is_not_read_in_silence(
    syncs: Syncs, naps: list[float]
) -> None:
    output = syncs.read("bars", symbols=["ESZ6"])
    assert "bars ESZ6 1 day: no bars from" in output.text
    output = syncs.read("futures_bars", futures_symbols=[], expect_failure=True)
    assert "futures_bars is not read, since `futures_symbols` is empty" in output.errors[0]

"""Patterns in `symbols`: what they stand for, and what it costs, before anything is read."""

from collections.abc import Callable

import pytest
from polygon_sandbox import Fault, OptionsSize, Sandbox, World
from source_polygon import patterns

from unit_tests.connector.syncing import Syncs

NOW = "2026-11-20T22:30:00Z"


@pytest.fixture
def world() -> World:
    size = OptionsSize(weeks=1, strikes=2)
    return World(seed=7, stocks=60, delisted=60, crypto=12, fx=12, now=NOW, options=size)


@pytest.mark.parametrize(
    ("given", "fits"),
    [
        ("A*", lambda t: t.startswith("A")),
        ("K*p*", lambda t: t.startswith("K") and "p" in t),
        ("X:*USD", lambda t: t.startswith("X:") and t.endswith("USD")),
        ("I:*", lambda t: t.startswith("I:")),
    ],
)
def test_a_pattern_is_the_active_symbols_that_fit(
    syncs: Syncs, world: World, given: str, fits: Callable[[str], bool]
) -> None:
    market = {"X": "crypto", "C": "fx", "I": "indices"}.get(given[: given.find(":")], "stocks")
    active = {str(row["ticker"]) for row in world.tickers(market)}
    wanted = {ticker for ticker in active if fits(ticker)}
    assert wanted
    output = syncs.read("ticker_details", symbols=["MSFT", given])
    assert {row["ticker"] for row in output.records("ticker_details")} == wanted | {"MSFT"}
    lists, details = syncs.paths()[:1], syncs.paths()[1:]
    assert lists == ["/v3/reference/tickers"]
    assert len(details) == len(wanted | {"MSFT"})
    assert f"symbols: {given} is {len(wanted)} symbols now: " in output.text
    said = [m["log"]["message"] for m in output.messages if m["type"] == "LOG"]
    cost = f"ticker_details: {len(details)} symbols, {len(details)} requests"
    assert any(line.startswith(cost) for line in said)


def test_streams_with_a_state_keep_a_place_for_each_symbol(
    syncs: Syncs, world: World, naps: list[float]
) -> None:
    with_options = [r["ticker"] for r in world.tickers("stocks") if r["ticker"] in ("A", "AAPL")]
    output = syncs.read("option_chain", symbols=["A*"])
    days = output.states("option_chain")[-1]["states"]
    assert set(with_options) <= {state["partition"]["symbol"] for state in days}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("ZZZZZZ*", "'ZZZZZZ*' stands for no active symbol. Upper and lower case count."),
        ("msf*", "'msf*' stands for no active symbol"),
        ("O:AAPL*", "'O:AAPL*' cannot be looked up, since the vendor's list of tickers has no"),
        ("*", "'*' makes more than 20 symbols, which are read one by one. Give a narrower"),
    ],
)
def test_a_pattern_that_is_of_no_use_is_named(
    syncs: Syncs, monkeypatch: pytest.MonkeyPatch, given: str, words: str
) -> None:
    monkeypatch.setattr(patterns, "MOST", 20)
    config = {"symbols": ["AAPL", given]}
    output = syncs.read("ticker_details", expect_failure=True, **config)
    assert words in output.errors[-1]
    assert output.failure_types == {"config_error"}
    assert output.records("ticker_details") == []
    succeeded, message = syncs.check(**config)
    assert not succeeded
    assert words in message


def test_a_list_that_breaks_off_is_no_short_one(
    syncs: Syncs, sandbox: Sandbox, naps: list[float]
) -> None:
    sandbox.faults.add(Fault.truncated_json(path="/v3/reference/tickers", times=None))
    output = syncs.read("ticker_details", expect_failure=True, symbols=["A*"])
    assert output.failure_types == {"transient_error"}
    assert output.records("ticker_details") == []


def test_streams_that_read_no_symbols_ask_for_no_pattern(syncs: Syncs) -> None:
    syncs.read("exchanges", "futures_bars", symbols=["A*"], futures_symbols=["ESZ6"])
    assert set(syncs.paths()) == {"/v3/reference/exchanges", "/futures/v1/aggs/ESZ6"}

"""Bars of single symbols where the vendor refuses, or answers what no bar is."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from polygon_sandbox import Fault, Plan, World

from unit_tests.connector.syncing import Syncs
from unit_tests.connector.true_bars import day_bars, moment, short_bars, without_start

Clock = Callable[[str], None]


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("fault", [Fault.truncated_json, Fault.html, Fault.missing_status])
def test_a_broken_answer_is_an_error_and_ends_its_symbol_alone(
    syncs: Syncs, world: World, naps: list[float], fault: Callable[..., Fault]
) -> None:
    first, second = (str(row["ticker"]) for row in world.tickers("stocks")[:2])
    syncs.sandbox.faults.add(fault(path=f"/v2/aggs/ticker/{first}/", times=None))
    output = syncs.read("bars", symbols=[first, second], expect_failure=True)
    assert output.status("bars") == "INCOMPLETE"
    assert "transient_error" in output.failure_types
    rows = without_start(output.records("bars"))
    assert rows == day_bars(world, second, "2026-11-02", "2026-11-19")
    (lane,) = output.states("bars")[-1]["states"]
    assert lane["partition"]["symbol"] == second


def test_what_the_plan_refuses_is_named_and_the_rest_is_read(
    syncs: Syncs, world: World, stock: str
) -> None:
    syncs.sandbox.plan = Plan.unlimited(markets=frozenset({"stocks"}))
    option = "O:SPY261218C00650000"
    output = syncs.read("bars", symbols=[option, stock], expect_failure=True)
    words = f"The plan of this API key does not cover bars {option} 1 day: You are not entitled"
    assert words in output.errors[0]
    assert "config_error" in output.failure_types
    rows = without_start(output.records("bars"))
    assert rows == day_bars(world, stock, "2026-11-02", "2026-11-19")


def test_a_product_that_is_refused_is_not_asked_for_symbol_after_symbol(
    syncs: Syncs, world: World, stock: str
) -> None:
    syncs.sandbox.plan = Plan.unlimited(markets=frozenset({"stocks"}))
    options = [f"O:SPY261218C00{strike}000" for strike in range(600, 620)]
    sizes = ["1 day", "1 week", "1 month"]  # of one symbol they are one refusal
    config: dict[str, Any] = {"symbols": [*options, stock], "bar_sizes": sizes, "num_workers": 1}
    output = syncs.read("bars", expect_failure=True, **config)
    asked = {path.split("/")[4] for path in syncs.paths() if "/ticker/O:" in path}
    assert sorted(asked) == options[:3]
    assert "3 symbols of options were refused and none was served" in output.text
    assert {row["ticker"] for row in output.records("bars")} == {stock}


@pytest.mark.parametrize("symbols", [("A",), ("A", "B")])
def test_what_is_before_the_history_of_the_plan_is_left_out(
    syncs: Syncs, world: World, symbols: tuple[str, ...]
) -> None:
    listed = [str(row["ticker"]) for row in world.tickers("stocks")[: len(symbols)]]
    syncs.sandbox.plan = Plan.unlimited(history_start=date(2026, 10, 15))
    output = syncs.read("bars", symbols=listed, start_date="2026-01-02", num_workers=4)
    rows = sorted(without_start(output.records("bars")), key=str)
    expected = [row for t in listed for row in day_bars(world, t, "2026-10-15", "2026-11-19")]
    assert rows == sorted(expected, key=str)
    assert "the history of the plan starts on 2026-10-15" in output.text


def test_days_that_the_plan_gets_later_come_later(
    syncs: Syncs, world: World, stock: str, clock: Clock
) -> None:
    syncs.sandbox.plan = Plan.unlimited(sees_today=False)
    read: dict[str, Any] = {"symbols": [stock], "bar_sizes": ["1 hour"], "start_date": "2026-11-19"}
    output = syncs.read("bars", **read)
    assert output.status("bars") == "COMPLETE"
    yesterday = moment("2026-11-19"), moment("2026-11-20")
    assert syncs.tables["bars"] == short_bars(world, stock, 60, *yesterday)
    (lane,) = output.states("bars")[-1]["states"]
    assert lane["cursor"]["window_start"] == "2026-11-20T04:59:59.999Z"
    # Nothing but today is left to ask for.
    output = syncs.read("bars", **{**read, "start_date": "2026-11-20"})
    assert (output.status("bars"), output.records("bars")) == ("COMPLETE", [])


def test_an_unknown_symbol_has_no_bars_which_is_said(syncs: Syncs, naps: list[float]) -> None:
    output = syncs.read("bars", symbols=["NOSUCH"], start_date="2026-01-02")
    assert output.status("bars") == "COMPLETE"
    assert output.records("bars") == []
    assert "bars NOSUCH 1 day: no bars from 2026-01-02 to 2026-11-19, asked 4 times" in output.text


BAR = {"t": 1794978000000, "o": 1, "h": 1, "l": 1, "c": 1, "v": 1}


def answered(**fields: Any) -> Fault:
    """Return an answer of these fields in place of each honest one."""
    text = json.dumps({"status": "OK", **fields})
    return Fault.status(200, text, path="/v2/aggs/ticker/", times=None)


@pytest.mark.parametrize(
    ("bar", "words"),
    [
        ({**BAR, "t": 1794978000}, "it starts at 1794978000"),
        ({name: BAR[name] for name in "tohlv"}, "c is missing"),
        ({**BAR, "t": 1794978000000.5}, "is not a whole number"),
        (["odd"], "A row is not an object"),
    ],
)
def test_a_malformed_bar_is_an_error_and_nothing_of_it_is_taken(
    syncs: Syncs, stock: str, bar: Any, words: str
) -> None:
    syncs.sandbox.faults.add(answered(results=[bar]))
    output = syncs.read("bars", symbols=[stock], expect_failure=True)
    named = f"A bar of bars {stock} 1 day is malformed"
    assert isinstance(bar, list) or named in output.errors[0]
    assert words in output.errors[0]
    assert output.failure_types >= {"system_error"}
    assert output.records("bars") == []


@pytest.mark.parametrize("count", ["50000", 1.5, True])
def test_a_count_that_is_not_a_number_is_an_error_in_words(
    syncs: Syncs, stock: str, count: Any
) -> None:
    syncs.sandbox.faults.add(answered(results=[BAR], queryCount=count))
    output = syncs.read("bars", symbols=[stock], expect_failure=True)
    assert f"bars {stock} 1 day: queryCount {count!r} is not a whole number." in output.errors
    assert output.failure_types >= {"system_error"}

"""Answers that are well-formed and cannot be right, in both editions."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from airbyte_cdk.sources.declarative.interpolation.interpolated_boolean import InterpolatedBoolean
from polygon_sandbox import Fault, Plan, Sandbox, World
from source_polygon.sessions import sessions

from unit_tests.connector.cloud_syncing import CLOUD, CloudSyncs
from unit_tests.connector.syncing import Syncs

EDITIONS = pytest.mark.parametrize("edition", [Syncs, CloudSyncs])
# A week with a holiday: Monday, 20 January 2025.
CONFIG: dict[str, Any] = {"start_date": "2025-01-17", "end_date": "2025-01-24"}
STOCKS = {f"2025-01-{day}" for day in (17, 21, 22, 23, 24)}
MILLISECONDS = 1_737_579_600_000  # 16:00 in New York on 22 January 2025


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    world = World(
        seed=5, stocks=8, delisted=2, otc=0, crypto=3, fx=3, indices=0, now="2025-02-03T22:30:00Z"
    )
    with Sandbox(world, Plan.unlimited()) as running:
        yield running


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    return slept


def asked(sandbox: Sandbox, path: str) -> int:
    return sum(path in request.path for request in sandbox.requests)


@EDITIONS
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("market", ["stocks", "crypto", "fx"])
def test_an_empty_session_is_asked_for_again(
    sandbox: Sandbox, edition: type[Syncs], naps: list[float], market: str, times: int
) -> None:
    sandbox.faults.add(Fault.no_results(path=f"{market}/2025-01-22", times=times))
    syncs = edition(sandbox)
    output = syncs.read("grouped_daily", **CONFIG, markets=[market])
    assert output.errors == []
    assert asked(sandbox, f"{market}/2025-01-22") == times + 1
    assert all(asked(sandbox, f"{market}/{day}") == 1 for day in ("2025-01-21", "2025-01-23"))
    assert "2025-01-22" in {row["date"] for row in output.records("grouped_daily")}
    assert len([nap for nap in naps if nap >= 1]) >= times


@EDITIONS
def test_an_empty_session_is_believed_in_the_end(sandbox: Sandbox, edition: type[Syncs]) -> None:
    sandbox.faults.add(Fault.no_results(path="stocks/2025-01-22", times=None))
    syncs = edition(sandbox)
    output = syncs.read("grouped_daily", **CONFIG)
    assert output.errors == []
    assert asked(sandbox, "stocks/2025-01-22") == 4
    dates = {row["date"] for row in output.records("grouped_daily")}
    assert dates == STOCKS - {"2025-01-22"}
    assert "believed" in output.text
    assert (
        "2025-01-22" in output.text[output.text.index("No bars, which is believed") :]
        if (edition is CloudSyncs)
        else "Empty answers that were believed: 1" in output.text
    )
    # The state has passed it, since a later session had bars.
    (state,) = output.states("grouped_daily")[-1]["states"]
    assert state["cursor"]["last_updated_utc"][:10] == "2025-01-24"


@EDITIONS
@pytest.mark.parametrize("lookback", [0, 2])
def test_the_last_session_is_read_when_the_late_vendor_has_it(
    sandbox: Sandbox, edition: type[Syncs], lookback: int
) -> None:
    sandbox.faults.add(Fault.no_results(path="stocks/2025-01-2[34]", times=None))
    syncs = edition(sandbox)
    config = {**CONFIG, "lookback_sessions": lookback}
    output = syncs.read("grouped_daily", **config)
    (state,) = output.states("grouped_daily")[-1]["states"]
    assert state["cursor"]["last_updated_utc"][:10] == "2025-01-22"
    sandbox.faults.clear()
    syncs.read("grouped_daily", **config)
    assert {key[1] for key in syncs.tables["grouped_daily"]} == STOCKS


@EDITIONS
def test_days_without_trade_are_asked_for_once(sandbox: Sandbox, edition: type[Syncs]) -> None:
    edition(sandbox).read("grouped_daily", **CONFIG, markets=["stocks", "fx"])
    paths = [request.path for request in sandbox.requests]
    assert len(paths) == len(set(paths))
    assert asked(sandbox, "fx/2025-01-18") == 1  # a Saturday


@EDITIONS
def test_years_before_the_first_bar_are_not_asked_for_again(
    sandbox: Sandbox, edition: type[Syncs]
) -> None:
    # The Cloud edition asks for the day before the start date, too.
    sandbox.faults.add(Fault.no_results(path="crypto/(2024-12-31|2025-01-(0|1))", times=None))
    config = {**CONFIG, "start_date": "2025-01-01", "markets": ["crypto"]}
    output = edition(sandbox).read("grouped_daily", **config)
    paths = [request.path for request in sandbox.requests]
    asked_again = len(paths) - len(set(paths))
    assert 15 <= asked_again <= 30  # five days, and those that are under way meanwhile
    assert {row["date"] for row in output.records("grouped_daily")} == {
        f"2025-01-{day}" for day in range(20, 25)
    }


@EDITIONS
@pytest.mark.parametrize("stream", ["exchanges", "ticker_types", "market_holidays"])
@pytest.mark.parametrize("times", [2, None])
def test_a_list_that_is_never_empty_is_asked_for_again(
    sandbox: Sandbox, edition: type[Syncs], stream: str, times: int | None
) -> None:
    sandbox.faults.add(Fault.no_results(times=times))
    output = edition(sandbox).read(stream)
    assert output.errors == []
    assert len(sandbox.requests) == (3 if times else 4)
    assert bool(output.records(stream)) is bool(times)
    assert ("believed" in output.text) is not bool(times)


@EDITIONS
@pytest.mark.parametrize("stream", ["exchanges", "ticker_types", "market_holidays"])
def test_a_row_without_its_key_is_refused(
    sandbox: Sandbox, edition: type[Syncs], stream: str
) -> None:
    field = {"exchanges": "name", "ticker_types": "code", "market_holidays": "exchange"}[stream]
    sandbox.faults.add(Fault.rows(lambda row: {**row, field: None}, times=None))
    output = edition(sandbox).read(stream, expect_failure=True)
    words = f"A row has no {field}: {{"
    if edition is CloudSyncs:
        words = f"A row of {stream} lacks a field of its key"
    assert any(words in error and field in error for error in output.errors)
    assert output.records(stream) == []


ODD = [
    1_737_579_600,
    MILLISECONDS * 1_000,
    MILLISECONDS * 1_000_000,
    -MILLISECONDS,
    0,
    str(MILLISECONDS),
    "2025-01-22T21:00:00Z",
    None,
    True,
    False,
    MILLISECONDS + 0.5,
    float(MILLISECONDS),
    1e300,
    10**30,
    [MILLISECONDS],
    {"ms": MILLISECONDS},
    "",
]


@EDITIONS
@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_the_end_of_a_bar_in_another_unit_is_refused_by_name(
    sandbox: Sandbox, edition: type[Syncs], odd: Any
) -> None:
    ticker = sandbox.world.bars("stocks", date(2025, 1, 22))[4]["T"]
    fault = Fault.rows(
        lambda row: {**row, "t": odd} if row["T"] == ticker else row, path="stocks/2025-01-22"
    )
    sandbox.faults.add(fault)
    syncs = edition(sandbox)
    output = syncs.read("grouped_daily", expect_failure=True, **CONFIG)
    (error, *_) = [error for error in output.errors if ticker in error]
    assert "malformed: t is" in error
    assert "expected Unix milliseconds of that session, near 1737504000000" in error
    assert "unexpected error" not in error
    dates = {row["last_updated_utc"][:10] for row in output.records("grouped_daily")}
    assert dates <= STOCKS
    syncs.read("grouped_daily", **CONFIG)  # the vendor has put it right
    assert {key[1] for key in syncs.tables["grouped_daily"]} == STOCKS


@EDITIONS
@pytest.mark.parametrize("field", ["last_updated_utc", "delisted_utc"])
@pytest.mark.parametrize(
    "odd", [1_737_579_600, MILLISECONDS, "20250122", "2025-01-22", 0, True, -1.5, ["x"], "soon"]
)
def test_a_stamp_of_a_ticker_in_another_form_is_refused_by_name(
    sandbox: Sandbox, edition: type[Syncs], field: str, odd: Any
) -> None:
    ticker = sandbox.world.tickers("stocks", active=False)[0]["ticker"]
    fault = Fault.rows(lambda row: {**row, field: odd} if row["ticker"] == ticker else row)
    sandbox.faults.add(Fault(fault.name, fault.change, "active=false", None))
    output = edition(sandbox).read("tickers", expect_failure=True)
    assert any(
        f"{ticker} (market stocks) has {field} {odd}" in error and "expected a time" in error
        for error in output.errors
    ), output.errors


@pytest.mark.parametrize("year", range(2004, 2036))
def test_the_cloud_edition_takes_no_session_for_a_holiday(year: int) -> None:
    daily = next(stream for stream in CLOUD["streams"] if stream["name"] == "grouped_daily")
    retry = daily["retriever"]["requester"]["error_handler"]["response_filters"][0]
    doubts = InterpolatedBoolean(condition=retry["predicate"], parameters={})
    first = date(year, 1, 1)
    days = [first + timedelta(days=n) for n in range(365)]
    url = "https://host/v2/aggs/grouped/locale/us/market/stocks/"
    empty = {"status": "OK"}
    doubted = {day for day in days if doubts.eval({}, response=empty, request_url=f"{url}{day}")}
    open_days = set(sessions("stocks", days[0], days[-1]))
    assert open_days <= doubted
    assert len(doubted - open_days) <= 4  # Good Friday, days of mourning, a hurricane

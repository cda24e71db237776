"""Bars of single symbols: the Cloud edition brings the rows of the Docker edition."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
from polygon_sandbox import Fault, Plan, Sandbox, World

from unit_tests.connector.cloud_syncing import CloudSyncs
from unit_tests.connector.syncing import Row, Syncs

NOW = "2026-11-20T12:30:00Z"
LATER = "2026-11-24T13:00:00Z"

Clock = Callable[[str], None]


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    clock(NOW)
    world = World(seed=7, stocks=6, delisted=9, otc=1, crypto=2, fx=2, indices=2, now=NOW)
    with Sandbox(world, Plan.unlimited()) as running:
        yield running


@pytest.mark.parametrize(
    ("sizes", "start", "end"),
    [
        (["1 day", "1 week", "1 month"], "2026-03-06", None),
        (["1 hour", "1 day"], "2026-11-20", None),
        # The clocks of New York are set back on 1 November, and forward on 8 March.
        (["1 hour"], "2026-11-01", "2026-11-01"),
        (["4 hour"], "2026-03-08", "2026-03-08"),
    ],
)
def test_both_bring_the_same_bars(
    sandbox: Sandbox, clock: Clock, sizes: list[str], start: str, end: str | None
) -> None:
    (index, *_) = (row["ticker"] for row in sandbox.world.tickers("indices"))
    symbols = ["AAPL", "X:BTCUSD", index, "O:SPY261218C00650000"][: 4 if "1 week" in sizes else 2]
    read: dict[str, Any] = {
        "symbols": symbols,
        "bar_sizes": sizes,
        "start_date": start,
        **({"end_date": end} if end else {}),
    }
    docker, cloud = Syncs(sandbox), CloudSyncs(sandbox)
    tables = []
    for now in (NOW, LATER) if sizes[0] == "1 day" else (NOW,):
        sandbox.world.advance(to=now)
        clock(now)
        for edition in (docker, cloud):
            output = edition.read("bars", **read)
            assert output.status("bars") == "COMPLETE", output.errors
        assert cloud.tables["bars"] == docker.tables["bars"]
        tables.append(dict(docker.tables["bars"]))
    assert len(tables[0]) > 10
    assert len(tables) == 1 or len(tables[1]) > len(tables[0])


def test_a_sync_goes_on_from_the_last_one(sandbox: Sandbox, clock: Clock) -> None:
    cloud = CloudSyncs(sandbox)
    cloud.read("bars", symbols=["AAPL"], start_date="2026-01-02")
    stock = sandbox.world.daily_bar("stocks", "AAPL", date(2026, 11, 17))
    sandbox.world.correct("stocks", date(2026, 11, 17), "AAPL")
    assert sandbox.world.daily_bar("stocks", "AAPL", date(2026, 11, 17)) != stock
    sandbox.world.advance(to=LATER)
    clock(LATER)
    sandbox.clear_requests()
    cloud.read("bars", symbols=["AAPL"], start_date="2026-01-02")
    (request,) = sandbox.requests
    assert int(request.path.split("/")[-2]) > 1794000000000  # 2026-11-06
    docker = Syncs(sandbox)
    docker.read("bars", symbols=["AAPL"], start_date="2026-01-02")
    assert cloud.tables["bars"] == docker.tables["bars"]


@pytest.mark.parametrize(
    ("plan", "symbol", "words"),
    [
        (Plan.unlimited(markets=frozenset({"stocks"})), "X:BTCUSD", "You are not entitled"),
        (Plan.unlimited(history_start=date(2026, 11, 12)), "AAPL", "Give a later start_date"),
    ],
)
def test_what_the_plan_refuses_is_an_error_in_words(
    sandbox: Sandbox, plan: Plan, symbol: str, words: str
) -> None:
    sandbox.plan = plan
    output = CloudSyncs(sandbox).read("bars", symbols=[symbol], expect_failure=True)
    assert output.records("bars") == []
    assert words in output.text


def without_close(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "c"}


def test_a_cut_answer_and_a_malformed_bar_are_errors(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    path = "/v2/aggs/ticker/AAPL"
    for fault, words in (
        (
            Fault.foreign_next_url("https://elsewhere.example", path=path, times=None),
            "An answer was cut",
        ),
        (Fault.rows(without_close, path=path, times=None), "malformed"),
    ):
        sandbox.faults.clear()
        sandbox.faults.add(fault)
        output = CloudSyncs(sandbox).read("bars", symbols=["AAPL"], expect_failure=True)
        assert words in output.text
        assert output.records("bars") == []


def test_both_bring_the_same_bars_of_futures(sandbox: Sandbox, clock: Clock) -> None:
    docker, cloud = Syncs(sandbox), CloudSyncs(sandbox)
    for now, sizes, start in (
        (NOW, ["1 day", "1 week"], "2026-09-01"),
        (LATER, ["1 day", "1 week"], "2026-09-01"),
        (LATER, ["30 minute"], "2026-11-24"),
    ):
        sandbox.world.advance(to=now)
        clock(now)
        for edition in (docker, cloud):
            edition.read(
                "futures_bars", futures_symbols=["ESZ6"], bar_sizes=sizes, start_date=start
            )
        assert cloud.tables["futures_bars"] == docker.tables["futures_bars"]
    assert len(docker.tables["futures_bars"]) > 80

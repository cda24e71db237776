"""Each fault that is seeded is caught by the check of its name, and by no other."""

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import clickhouse_connect
import duckdb
import pytest
from dagster import AssetKey, AssetSelection
from polygon_orchestration.alerts import message
from polygon_orchestration.settings import Settings
from polygon_sandbox import Sandbox, World
from polygon_streaming import clickhouse
from pydantic import SecretStr

from unit_tests.orchestration.location import run, settings

NAMES = {
    *("duplicate_key", "price_outside_range", "symbol_count", "zero_volume"),
    *("bars_without_ticker", "missing_session", "staleness"),
}
CHECKS = AssetSelection.checks_for_assets(AssetKey(["landing", "grouped_daily"]))
BARS = "landing.grouped_daily"
COLUMNS = ["event_type", "market", "symbol", "window_start", "window_end"]
COLUMNS += ["open", "high", "low", "close", "volume"]
FAULTS = {
    "duplicate_key": f"INSERT INTO {BARS} FROM {BARS} LIMIT 1",
    "price_outside_range": f"UPDATE {BARS} SET close = high + 0.01 WHERE ticker = 'AAPL'",
    "symbol_count": f"DELETE FROM {BARS} WHERE date = '2026-11-18' AND ticker > 'F'",
    "zero_volume": f"UPDATE {BARS} SET volume = 0 WHERE date = '2026-11-18' AND ticker < 'C'",
    "bars_without_ticker": "DELETE FROM landing.tickers WHERE ticker = 'AAPL'",
    "missing_session": f"DELETE FROM {BARS} WHERE date = '2026-11-18'",
    "staleness": f"DELETE FROM {BARS} WHERE date = '2026-11-20'",
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(World(stocks=60, delisted=60, now="2026-11-20T22:30:00Z")) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def landed(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("landed") / "polygon.duckdb"
    raw = AssetSelection.groups("landing").without_checks()
    with run(settings(sandbox, path), raw, "2026-11-09", "2026-11-20") as landing:
        assert landing.result.success
    return path


@pytest.fixture
def chosen(
    landed: Path, sandbox: Sandbox, tmp_path: Path, clock: Callable[[str], None]
) -> Settings:
    clock("2026-11-20T22:30:00Z")
    return settings(sandbox, Path(shutil.copy(landed, tmp_path / "polygon.duckdb")))


def test_good_data_pass(chosen: Settings) -> None:
    with run(chosen, CHECKS) as checked:
        assert checked.passed_checks == NAMES
        assert message(checked.instance, checked.result.dagster_run) is None


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_caught_by_name(name: str, chosen: Settings) -> None:
    with duckdb.connect(chosen.duckdb_path) as connection:
        connection.execute(FAULTS[name])
    with run(chosen, CHECKS) as checked:
        assert checked.failed_checks == {name}
        told = message(checked.instance, checked.result.dagster_run)
        assert told is not None
        assert f"check {name}: " in told


def test_a_check_that_cannot_run_is_not_passed(chosen: Settings) -> None:
    with duckdb.connect(chosen.duckdb_path) as connection:
        connection.execute("DROP TABLE landing.tickers")
    with run(chosen, CHECKS) as checked:
        assert checked.result.success
        assert checked.failed_checks == {"bars_without_ticker"}
        told = str(message(checked.instance, checked.result.dagster_run))
        assert "check bars_without_ticker: not checked: " in told
        assert "does not exist" in told


@pytest.mark.parametrize("name", ["duplicate_key", "price_outside_range"])
def test_corrupt_bars_are_not_modelled(name: str, chosen: Settings) -> None:
    with duckdb.connect(chosen.duckdb_path) as connection:
        connection.execute(FAULTS[name])
    with run(chosen, CHECKS | AssetSelection.groups("market")) as stopped:
        assert stopped.failed_checks == {name}
        assert not stopped.result.success
        assert "market/daily_bars" not in stopped.materialized


def test_streamed_minutes_are_reconciled_with_the_official_bar(
    chosen: Settings, sandbox: Sandbox, tmp_path: Path
) -> None:
    bars = {bar["T"]: bar for bar in sandbox.world.bars("stocks", date(2026, 11, 20))}
    good, short, high, _unstreamed, *_ = sorted(bars)
    address = f"chdb:{tmp_path / 'clickhouse'}"
    with_stream = chosen.model_copy(update={"clickhouse": address})
    client = clickhouse_connect.get_client(interface="chdb", path=str(tmp_path / "clickhouse"))
    client.command(clickhouse.table_statement("stock_aggregates"))
    rows = []
    for ticker in (good, short, high):
        bar = bars[ticker]
        for minute, share in (("14:30", 0.25), ("20:59", 0.75)):
            volume = bar["v"] * share * (0.5 if ticker == short else 1)
            top = bar["h"] * (1.02 if ticker == high else 1)
            at = f"2026-11-20 {minute}:00.000"
            row = ["AM", "stocks", ticker, at, at, bar["o"], top, bar["l"], bar["c"], volume]
            rows.append(dict(zip(COLUMNS, row, strict=True)))
    block = "\n".join(json.dumps(row) for row in rows)
    client.raw_insert("stock_aggregates", insert_block=block, fmt="JSONEachRow")
    client.close()
    with run(with_stream, CHECKS) as checked:
        assert checked.failed_checks == {"stream_reconciliation"}
        told = str(message(checked.instance, checked.result.dagster_run))
    assert told.count("at fault") == 1
    assert "2 at fault" in told


@pytest.mark.parametrize(
    "address", ["http://reader:pa55/word@127.0.0.1:1/market", "http://reader@127.0.0.1:1/market"]
)
def test_a_clickhouse_that_does_not_answer_is_said_by_name(address: str, chosen: Settings) -> None:
    secret = SecretStr("other-4711")
    broken = chosen.model_copy(update={"clickhouse": address, "clickhouse_password": secret})
    with run(broken, CHECKS) as checked:
        assert checked.result.success
        assert checked.failed_checks == {"stream_reconciliation"}
        told = str(message(checked.instance, checked.result.dagster_run))
    assert "check stream_reconciliation: not checked: clickhouse: " in told
    assert "pa55" not in told
    assert "4711" not in told


def test_a_clickhouse_without_the_table_is_said_by_name(chosen: Settings, tmp_path: Path) -> None:
    empty = chosen.model_copy(update={"clickhouse": f"chdb:{tmp_path / 'clickhouse'}"})
    with run(empty, CHECKS) as checked:
        assert checked.result.success
        assert checked.failed_checks == {"stream_reconciliation"}
        told = str(message(checked.instance, checked.result.dagster_run))
    assert "not checked: clickhouse: " in told
    assert "stock_aggregates" in told

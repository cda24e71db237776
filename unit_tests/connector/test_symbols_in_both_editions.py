"""The streams that read symbol by symbol, in the Airbyte Cloud edition as in the Docker edition."""

from collections.abc import Callable
from typing import Any

import pytest
from polygon_sandbox import Fault, OptionsSize, Plan, Sandbox, World

from unit_tests.connector.cloud_syncing import CloudSyncs
from unit_tests.connector.syncing import KEYS, Syncs

NOW = "2026-11-20T22:30:00Z"
ONE_ANSWER = ["ticker_details", "ticker_events", "related_tickers", "benzinga_consensus_ratings"]
STREAMS = [*ONE_ANSWER, "option_contracts", "option_chain"]
CONFIG: dict[str, Any] = {
    "symbols": ["AAPL", "MSFT", "X:BTCUSD", "C:EURUSD", "I:SPX", "BRK.B", "KIMpL"],
    "start_date": "2026-10-12",
    "num_workers": 4,
}


@pytest.fixture
def world() -> World:
    size = OptionsSize(weeks=8, strikes=20)
    return World(seed=7, stocks=20, delisted=20, otc=0, crypto=4, fx=2, now=NOW, options=size)


@pytest.fixture
def cloud(sandbox: Sandbox, clock: Callable[[str], None]) -> CloudSyncs:
    return CloudSyncs(sandbox)


def test_both_editions_read_the_same(syncs: Syncs, cloud: CloudSyncs, world: World) -> None:
    for edition in (syncs, cloud):
        edition.read(*STREAMS, **CONFIG)
    for stream in STREAMS:
        assert len(syncs.tables[stream]) >= 4, stream
        assert cloud.tables[stream] == syncs.tables[stream], stream


def test_the_cloud_edition_keeps_up_with_what_expires(
    cloud: CloudSyncs, world: World, clock: Callable[[str], None]
) -> None:
    cloud.read("option_contracts", **{**CONFIG, "symbols": ["AAPL"]})  # the others come later
    world.advance("2026-12-01T15:00:00Z")
    clock("2026-12-01T15:00:00Z")
    cloud.sandbox.clear_requests()
    cloud.read("option_contracts", **CONFIG)
    wanted = {
        row["ticker"]: row
        for symbol in CONFIG["symbols"]
        for gone in (False, True)
        for row in world.option_contracts(symbol, gone)
        if row["expiration_date"] >= "2026-10-12"
    }
    assert {key[0]: row for key, row in cloud.tables["option_contracts"].items()} == wanted
    expired = [r.query for r in cloud.sandbox.requests if r.query.get("expired") == "true"]
    starts = {query["underlying_ticker"]: query["expiration_date.gte"] for query in expired}
    assert starts["AAPL"] == "2026-11-06"  # the last that had expired, less a week


@pytest.mark.parametrize("stream", ["ticker_details", "related_tickers", "option_contracts"])
def test_the_cloud_edition_tells_unknown_refused_and_broken_apart(
    cloud: CloudSyncs, sandbox: Sandbox, naps: list[float], stream: str
) -> None:
    config = {**CONFIG, "symbols": ["AAPL", "NOTATICKER", "MSFT"]}
    output = cloud.read(stream, **config)
    assert output.status(stream) == "COMPLETE"
    key = KEYS[stream].index("ticker")
    whole = {row[key] for row in cloud.tables[stream]}
    if stream == "ticker_details":
        assert "not a symbol that the vendor knows, and nothing is read for it: " in output.text
    for fault, words in (
        (Fault.not_authorized_200(path="AAPL", times=None), "Polygon.io refuses"),
        (Fault.truncated_json(path="AAPL", times=None), "gave no usable answer"),
        (Fault.status(404, path="AAPL", times=None), "rejects the request"),
    ):
        sandbox.faults.add(fault)
        broken = CloudSyncs(sandbox)
        output = broken.read(stream, expect_failure=True, **config)
        sandbox.faults.clear()
        assert output.status(stream) == "INCOMPLETE"
        assert words in output.text
        assert set() < {row[key] for row in broken.tables[stream]} < whole


def test_a_pattern_is_refused_by_the_form_of_the_cloud_edition(cloud: CloudSyncs) -> None:
    output = cloud.read("ticker_details", expect_failure=True, symbols=["AA*"])
    assert cloud.paths() == []
    assert output.records("ticker_details") == []


def test_a_plan_that_lacks_them_fails_them_alone(cloud: CloudSyncs, sandbox: Sandbox) -> None:
    sandbox.plan = Plan.unlimited(refused=("/benzinga",))
    chosen = ("benzinga_consensus_ratings", "related_tickers")
    output = cloud.read(*chosen, expect_failure=True, **CONFIG)
    assert output.status("benzinga_consensus_ratings") == "INCOMPLETE"
    assert output.status("related_tickers") == "COMPLETE"

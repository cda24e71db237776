"""Rows that are odd and still data: nothing is lost, and the log says so where it can."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from polygon_sandbox import Fault, Plan, Sandbox, World

from unit_tests.connector.cloud_syncing import CloudSyncs
from unit_tests.connector.syncing import Syncs


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    world = World(
        seed=5, stocks=8, delisted=2, otc=0, crypto=0, fx=0, indices=0, now="2025-02-03T22:30:00Z"
    )
    with Sandbox(world, Plan.unlimited()) as running:
        yield running


def spelt(sandbox: Sandbox, name: bytes) -> str:
    """Have the answers spell the name of an active ticker in these bytes; return the ticker."""
    row = sandbox.world.tickers("stocks")[2]
    before = orjson.dumps(row["name"])

    def change(reply: Any, _call: Any) -> Any:
        assert reply.body.count(before) <= 1
        return replace(reply, body=reply.body.replace(before, b'"' + name + b'"'))

    sandbox.faults.add(Fault("spelling", change, "active=true", None))
    return str(row["ticker"])


@pytest.mark.parametrize(
    ("name", "read"),
    [(b"Soci\xe9t\xe9 SA", "Société SA"), (b"\xdcber \\ud83d\\ude00 AG", "Über \U0001f600 AG")],
)
def test_a_latin_1_name_is_read(sandbox: Sandbox, name: bytes, read: str) -> None:
    ticker = spelt(sandbox, name)
    output = Syncs(sandbox).read("tickers")
    assert output.errors == []
    active = sandbox.world.tickers("stocks")
    rows = {row["ticker"]: row["name"] for row in output.records("tickers") if row["active"]}
    assert len(rows) == len(active)
    assert rows[ticker] == read
    assert "a byte that is not UTF-8, read as Latin-1 (near" in output.text
    assert len(sandbox.requests) == 2  # nothing was asked for again


@pytest.mark.parametrize(
    ("stream", "before", "after"),
    [
        ("tickers", b'"ticker":"AA"', b'"ticker":"A\xe9"'),
        ("exchanges", b"Investors", b"Invest\xe9rs"),
        ("grouped_daily", b'"T":"AA"', b'"T":"A\xe9"'),
    ],
)
def test_the_cloud_edition_fails_on_latin_1_and_never_takes_it_for_an_end(
    sandbox: Sandbox, stream: str, before: bytes, after: bytes
) -> None:
    def change(reply: Any, _call: Any) -> Any:
        return replace(reply, body=reply.body.replace(before, after))

    sandbox.faults.add(Fault("Latin-1", change, "", None))
    config: dict[str, Any] = {"start_date": "2025-01-23", "end_date": "2025-01-24"}
    output = CloudSyncs(sandbox).read(stream, expect_failure=True, **config)
    assert output.status(stream) == "INCOMPLETE"
    assert "an answer holds a byte that is not UTF-8" in output.text
    sandbox.faults.clear()
    assert CloudSyncs(sandbox).read(stream, **config).errors == []


@pytest.mark.parametrize(
    ("edition", "read"),
    [(Syncs, "Smile \\ud83d Inc."), (CloudSyncs, "Smile \ufffd Inc.")],
)
def test_half_a_surrogate_pair_costs_no_row(
    sandbox: Sandbox, edition: type[Syncs], read: str
) -> None:
    ticker = spelt(sandbox, b"Smile \\ud83d Inc.")
    output = edition(sandbox).read("tickers")
    assert output.errors == []
    assert {r["ticker"]: r["name"] for r in output.records("tickers")}[ticker] == read
    assert ("half of a surrogate pair" in output.text) is (edition is Syncs)


def test_two_active_rows_of_one_symbol_are_named(sandbox: Sandbox) -> None:
    row = sandbox.world.tickers("stocks")[2]
    other = {**row, "cik": "0000000042"}

    def change(reply: Any, _call: Any) -> Any:
        body = orjson.loads(reply.body)
        position = body["results"].index(row)
        rows = [*body["results"][: position + 1], other, *body["results"][position + 1 :]]
        return replace(reply, body=orjson.dumps({**body, "results": rows, "count": len(rows)}))

    sandbox.faults.add(Fault("twice", change, "active=true", None))
    output = Syncs(sandbox).read("tickers")
    kept = [r["cik"] for r in output.records("tickers") if r["ticker"] == row["ticker"]]
    assert kept == ["0000000042"]
    assert f"tickers: {row['ticker']} (cik) came in several rows that differ" in output.text


def test_duplicates_that_differ_in_their_stamp_alone_are_not(sandbox: Sandbox) -> None:
    row = sandbox.world.tickers("stocks")[2]
    older = {**row, "last_updated_utc": "2020-01-01T00:00:00Z"}

    def change(reply: Any, _call: Any) -> Any:
        body = orjson.loads(reply.body)
        rows = sorted([*body["results"], older], key=lambda each: str(each["ticker"]))
        return replace(reply, body=orjson.dumps({**body, "results": rows, "count": len(rows)}))

    sandbox.faults.add(Fault("twice", change, "active=true", None))
    output = Syncs(sandbox).read("tickers")
    kept = [r for r in output.records("tickers") if r["ticker"] == row["ticker"]]
    assert len(kept) == 1
    assert kept[0]["last_updated_utc"] > "2020-01-02"
    assert "came in several rows" not in output.text

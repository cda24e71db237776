"""Streams that read symbol by symbol: the vendor's own answers, and what a no means."""

import pytest
from polygon_sandbox import Fault, OptionsSize, Plan, Sandbox, World

from unit_tests.connector.cloud_syncing import CloudSyncs
from unit_tests.connector.syncing import Row, Syncs

NOW = "2026-11-20T22:30:00Z"
SYMBOLS = ["MSFT", "BRK.B", "X:BTCUSD", "I:SPX", "AAPL"]
STOCKS = ["MSFT", "BRK.B", "AAPL"]
ONE_ANSWER = ["ticker_details", "ticker_events", "related_tickers", "benzinga_consensus_ratings"]
PATHS = {
    "ticker_details": "/v3/reference/tickers/",
    "ticker_events": "/vX/reference/tickers/",
    "related_tickers": "/v1/related-companies/",
    "benzinga_consensus_ratings": "/benzinga/v1/consensus-ratings/",
    "option_contracts": "/v3/reference/options/contracts",
}


@pytest.fixture
def world() -> World:
    size = OptionsSize(weeks=6, strikes=4)
    return World(seed=7, stocks=30, delisted=20, otc=2, crypto=4, fx=2, now=NOW, options=size)


def truth(world: World, stream: str, symbol: str) -> list[Row]:
    """Return the rows that the vendor's own answers make."""
    if stream == "ticker_details":
        details = world.ticker_details(symbol)
        return [details] if details else []
    if stream == "ticker_events":
        events = (world.ticker_events(symbol) or {"events": []})["events"]
        return [
            {**event, "ticker": symbol, "new_ticker": event["ticker_change"]["ticker"]}
            for event in events
        ]
    if stream == "related_tickers":
        related = world.related_companies(symbol)
        return [{"ticker": symbol, "related_ticker": row["ticker"]} for row in related]
    return world.consensus_ratings(symbol)


def in_order(rows: list[Row]) -> list[str]:
    return sorted(str(sorted(row.items())) for row in rows)


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("stream", ONE_ANSWER)
def test_each_symbols_answer_comes_whole(syncs: Syncs, world: World, stream: str) -> None:
    output = syncs.read(stream, symbols=SYMBOLS)
    asked = SYMBOLS if stream == "ticker_details" else STOCKS
    assert sorted(syncs.paths()) == sorted(
        PATHS[stream] + symbol + ("/events" if stream == "ticker_events" else "")
        for symbol in asked
    )
    assert f"{stream}: {len(asked)} symbols, {len(asked)} requests" in output.text
    wanted = [row for symbol in asked for row in truth(world, stream, symbol)]
    assert len(wanted) >= len(asked)
    assert in_order(output.records(stream)) == in_order(wanted)
    assert in_order(list(syncs.tables[stream].values())) == in_order(wanted)
    if stream != "ticker_details":
        assert (
            "not asked about X:BTCUSD, I:SPX. There is none of crypto and indices." in output.text
        )
    world.rename("MSFT", "Another Name Inc.")
    syncs.read(stream, symbols=["MSFT"])
    found = [row for row in syncs.tables[stream].values() if row["ticker"] == "MSFT"]
    assert in_order(found) == in_order(truth(world, stream, "MSFT"))


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("stream", ["ticker_details", "related_tickers", "option_contracts"])
def test_unknown_refused_empty_and_broken_are_told_apart(
    syncs: Syncs, sandbox: Sandbox, naps: list[float], stream: str
) -> None:
    symbols = ["NOTATICKER", "AAPL", "MSFT"]
    mark = "underlying_ticker=AAPL" if stream == "option_contracts" else f"{PATHS[stream]}AAPL"
    output = syncs.read(stream, symbols=symbols, start_date="2026-11-20")
    assert output.status(stream) == "COMPLETE"
    said = {
        "option_contracts": "the vendor has no live contracts of NOTATICKER.",
        "related_tickers": "the vendor has none of NOTATICKER.",
    }.get(stream, "NOTATICKER is not a symbol that the vendor knows: ")
    assert said in output.text
    healthy = output.records(stream)
    assert {row.get("underlying_ticker", row["ticker"]) for row in healthy} == {"AAPL", "MSFT"}

    def others(rows: list[Row]) -> list[str]:
        return in_order([r for r in rows if r.get("underlying_ticker", r["ticker"]) != "AAPL"])

    for fault, words, kind in (
        (Fault.not_authorized_200, "The plan of this API key does not cover", "config_error"),
        (Fault.truncated_json, "no usable answer in 6 attempts", "transient_error"),
    ):
        sandbox.faults.add(fault(path=mark, times=None))
        output = syncs.read(stream, symbols=symbols, start_date="2026-11-20", expect_failure=True)
        sandbox.faults.clear()
        assert output.status(stream) == "INCOMPLETE"
        assert words in output.text
        assert kind in output.failure_types
        assert others(output.records(stream)) == others(healthy)
        assert len(output.records(stream)) < len(healthy)
    sandbox.faults.add(Fault.no_results(path=mark, times=None))
    output = syncs.read(stream, symbols=symbols, start_date="2026-11-20")
    assert output.status(stream) == "COMPLETE"
    assert "of AAPL." in output.text
    assert len(output.records(stream)) < len(healthy)


@pytest.mark.parametrize("edition", [Syncs, CloudSyncs])
@pytest.mark.parametrize("stream", ["ticker_details", "ticker_events"])
def test_a_row_that_an_answer_leaves_out_comes_when_it_is_asked_again(
    sandbox: Sandbox, world: World, naps: list[float], edition: type[Syncs], stream: str
) -> None:
    sandbox.faults.add(Fault.no_results(path=f"{PATHS[stream]}AAPL"))
    either = edition(sandbox)
    assert either.read(stream, symbols=["AAPL"]).errors == []
    assert in_order(list(either.tables[stream].values())) == in_order(truth(world, stream, "AAPL"))


@pytest.mark.parametrize(
    ("stream", "results", "words"),
    [
        ("ticker_details", '[{"ticker":"A"}]', "`results` is not an object"),
        ("ticker_details", '{"name":"A"}', "A row has no ticker"),
        ("ticker_events", '{"events":[7]}', "the events of A are not a list of events"),
        ("ticker_events", '{"events":[{"type":"ticker_change"}]}', "A row has no date"),
        ("ticker_events", '{"events":[{"date":"2022-06-09"}]}', "A row has no type"),
        ("related_tickers", '[{"name":"A"}]', "A row has no related_ticker"),
        ("related_tickers", '{"ticker":"A"}', "`results` is not a list"),
    ],
)
def test_a_row_that_is_none_is_an_error(
    syncs: Syncs, sandbox: Sandbox, naps: list[float], stream: str, results: str, words: str
) -> None:
    body = f'{{"status":"OK","results":{results}}}'
    sandbox.faults.add(Fault.status(200, body, path=f"{PATHS[stream]}A", times=None))
    output = syncs.read(stream, symbols=["A"], expect_failure=True)
    assert words in output.text
    assert output.status(stream) == "INCOMPLETE"
    assert output.records(stream) == []


def test_an_event_of_the_older_spelling(syncs: Syncs, sandbox: Sandbox) -> None:
    event = '{"date":"2022-06-09","event_type":"merger"}'
    body = f'{{"status":"OK","results":{{"events":[{event}]}}}}'
    sandbox.faults.add(Fault.status(200, body, path="/vX/reference/tickers/A", times=None))
    (row,) = syncs.read("ticker_events", symbols=["A"]).records("ticker_events")
    assert row == {
        "ticker": "A",
        "date": "2022-06-09",
        "type": "merger",
        "event_type": "merger",
        "new_ticker": "",
    }


@pytest.mark.parametrize(
    "body",
    [
        "404 page not found",
        '{"status":"ERROR","error":"Not found."}',
        '{"status":"NOT_FOUND","message":"Moved to /v4/reference/tickers."}',
    ],
)
def test_a_404_that_is_not_about_the_symbol_fails(
    syncs: Syncs, sandbox: Sandbox, body: str
) -> None:
    sandbox.faults.add(Fault.status(404, body, path="/v3/reference/tickers/AAPL", times=None))
    output = syncs.read("ticker_details", symbols=["AAPL", "MSFT"], expect_failure=True)
    assert output.status("ticker_details") == "INCOMPLETE"
    assert "has no /v3/reference/tickers/AAPL (HTTP 404). Check base_url." in output.text
    assert [row["ticker"] for row in output.records("ticker_details")] == ["MSFT"]


def test_a_product_that_is_refused_is_not_asked_for_symbol_after_symbol(
    syncs: Syncs, sandbox: Sandbox, world: World
) -> None:
    sandbox.plan = Plan.unlimited(refused=("/benzinga",))
    symbols = [str(row["ticker"]) for row in world.tickers("stocks")[:12]]
    output = syncs.read(
        "benzinga_consensus_ratings",
        "ticker_details",
        symbols=symbols,
        num_workers=2,
        expect_failure=True,
    )
    assert output.status("benzinga_consensus_ratings") == "INCOMPLETE"
    assert output.status("ticker_details") == "COMPLETE"
    asked = [path for path in syncs.paths() if path.startswith("/benzinga")]
    assert 3 <= len(asked) <= 5
    assert "3 symbols of stocks were refused and none was served" in output.text

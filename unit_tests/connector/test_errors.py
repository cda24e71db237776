"""What the vendor answers, in a sync: what is accepted, asked again, and reported."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
import requests_mock as rm
from source_polygon.vendor import questions
from source_polygon.vendor.answers import (
    judge,
)

from unit_tests.connector.scripted_answers import (
    BAR,
    DAY,
    EMPTY,
    GOOD,
    KEY,
    NOT_ENTITLED,
    TIMEFRAME,
    TOO_EARLY,
    UNKNOWN_KEY,
    URL,
    Answer,
    check,
    read,
    session,
)


@pytest.fixture(autouse=True)
def _clock(clock: Callable[[str], None]) -> None:
    clock("2026-11-21T12:00:00Z")


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize(
    "empty",
    [EMPTY, {**EMPTY, "results": []}, {**EMPTY, "results": None}, {"status": "DELAYED"}],
)
def test_an_empty_day_is_asked_for_again_and_then_passed_over(
    vendor: Any, naps: list[float], empty: Answer
) -> None:
    blank = vendor.get(DAY + "2026-11-19", json=empty)
    vendor.get(DAY + "2026-11-20", json=GOOD)
    output = read()
    assert blank.call_count == 4
    assert [nap for nap in naps if nap >= 1] == [2, 4, 8]
    assert "session 2026-11-19 has no bars, asked 4 times. That is believed now." in output.text
    assert "Empty answers that were believed: 1, see above." in output.text
    assert [r["date"] for r in output.records("grouped_daily")] == ["2026-11-20"]
    assert session(output.states("grouped_daily")[-1]) == "2026-11-20T21:00:00.000Z"


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"text": '{"status":"OK","results":[{"T":"AA'}, "not complete JSON (34 bytes"),
        ({"text": "<html>busy</html>"}, "not complete JSON (17 bytes"),
        ({"text": ""}, "not complete JSON (0 bytes"),
        ({"json": [GOOD]}, "not an object"),
        ({"json": {"results": [BAR]}}, "status is 'None'"),
        ({"json": {"status": "ERROR", "error": "try later"}}, "status is 'ERROR': try later"),
        ({"json": {**GOOD, "resultsCount": 2}}, "`resultsCount` is 2, the number of rows 1"),
        ({"json": {**GOOD, "results": {"T": "A"}}}, "`results` is not a list"),
        ({"status_code": 500, "json": {"error": "internal"}}, "HTTP 500 internal"),
        ({"status_code": 503, "text": "down"}, "HTTP 503"),
        ({"exc": requests.exceptions.ConnectTimeout}, "no answer in time"),
        ({"exc": requests.exceptions.ConnectionError}, "no connection (ConnectionError)"),
        ({"exc": requests.exceptions.ChunkedEncodingError}, "broke in the middle of the body"),
    ],
)
def test_a_broken_answer_is_asked_for_again_and_then_fails_without_moving_the_state(
    vendor: Any, naps: list[float], answer: Answer, reason: str
) -> None:
    vendor.get(DAY + "2026-11-19", json=GOOD)
    broken = vendor.get(DAY + "2026-11-20", **answer)
    output = read(expect_failure=True)
    assert broken.call_count == 6
    assert [nap for nap in naps if nap >= 1] == [1, 2, 4, 8, 16]
    assert any(reason in error for error in output.errors), output.errors
    assert "transient_error" in output.failure_types
    assert len(output.records("grouped_daily")) == 1
    assert session(output.states("grouped_daily")[-1]) == "2026-11-19T21:00:00.000Z"
    assert output.status("grouped_daily") == "INCOMPLETE"


@pytest.mark.usefixtures("both_ways")
def test_a_broken_answer_that_heals_costs_nothing(vendor: Any, naps: list[float]) -> None:
    vendor.get(DAY + "2026-11-19", json=GOOD)
    vendor.get(DAY + "2026-11-20", [{"text": "<html>"}, {"status_code": 502}, {"json": GOOD}])
    output = read()
    assert len(output.records("grouped_daily")) == 2
    assert output.status("grouped_daily") == "COMPLETE"


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize(
    ("header", "nap"), [({}, 61), ({"Retry-After": "7"}, 8), ({"Retry-After": "soon"}, 61)]
)
def test_429_waits_for_the_window_and_goes_on(
    vendor: Any, naps: list[float], header: dict[str, str], nap: float
) -> None:
    limited = {"status_code": 429, "headers": header, "text": ""}
    vendor.get(DAY + "2026-11-19", json=GOOD)
    vendor.get(DAY + "2026-11-20", [limited, limited, {"json": GOOD}])
    output = read(requests_per_minute=5000)
    assert naps.count(nap) == 2
    assert len(output.records("grouped_daily")) == 2


def test_429_without_end_fails_as_transient(vendor: Any, naps: list[float]) -> None:
    vendor.get(DAY + "2026-11-19", status_code=429)
    output = read(expect_failure=True)
    assert any("still answers 429" in error for error in output.errors)
    assert "transient_error" in output.failure_types
    assert naps.count(61) == 10


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("status", [200, 403])
def test_a_day_that_is_not_over_ends_the_sync_cleanly(vendor: Any, status: int) -> None:
    vendor.get(DAY + "2026-11-19", json=GOOD)
    vendor.get(DAY + "2026-11-20", **{**TOO_EARLY, "status_code": status})
    output = read()
    assert session(output.states("grouped_daily")[-1]) == "2026-11-19T21:00:00.000Z"
    assert output.status("grouped_daily") == "COMPLETE"
    assert output.errors == []


@pytest.mark.usefixtures("both_ways")
def test_a_timeframe_refusal_of_the_latest_day_means_a_future_day(vendor: Any) -> None:
    vendor.get(DAY + "2026-11-19", json=GOOD)
    vendor.get(DAY + "2026-11-20", **TIMEFRAME)
    output = read()
    assert session(output.states("grouped_daily")[-1]) == "2026-11-19T21:00:00.000Z"
    assert output.errors == []


@pytest.mark.usefixtures("both_ways")
def test_a_timeframe_refusal_between_served_days_is_not_taken_for_the_plans_start(
    vendor: Any,
) -> None:
    vendor.get(DAY + "2026-11-18", json=GOOD)
    vendor.get(DAY + "2026-11-19", **TIMEFRAME)
    vendor.get(DAY + "2026-11-20", json=GOOD)
    output = read(expect_failure=True, start_date="2026-11-18")
    assert any("although it served 2026-11-18" in error for error in output.errors)
    assert session(output.states("grouped_daily")[-1]) == "2026-11-18T21:00:00.000Z"


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (UNKNOWN_KEY, "config_error", "does not accept this API key: Unknown API Key. Copy"),
        (NOT_ENTITLED, "config_error", "not entitled to this data. Upgrade the plan, or take the"),
        ({**NOT_ENTITLED, "status_code": 200}, "config_error", "does not cover /v2/aggs/grouped"),
        (
            {"status_code": 403, "text": "<html>", "headers": {"Content-Type": "text/html; x=y"}},
            "config_error",
            "with HTTP 403: no reason (text/html). If that is not an answer of Polygon.io,",
        ),
        (
            {"status_code": 403, "json": {"status": "ERROR", "error": "IP blocked"}},
            "config_error",
            "2026-11-19 with HTTP 403: IP blocked. If that",
        ),
        ({"status_code": 404, "text": "404 page not found"}, "config_error", "Check base_url"),
        ({"status_code": 400, "json": {"error": "bad date"}}, "system_error", "bad date"),
        (
            {"status_code": 302, "headers": {"Location": "https://evil.example/x"}},
            "config_error",
            "answers with a redirect, which is not followed",
        ),
    ],
)
def test_a_final_answer_fails_at_once_with_the_fix(
    vendor: Any, answer: Answer, kind: str, words: str
) -> None:
    asked = vendor.get(DAY + "2026-11-19", **answer)
    vendor.get(DAY + "2026-11-20", json=GOOD)
    output = read(expect_failure=True, num_workers=1)
    assert asked.call_count == 1
    assert any(words in error for error in output.errors), output.errors
    assert kind in output.failure_types
    assert output.states("grouped_daily") in ([], [{}], [{"states": []}])


@pytest.mark.usefixtures("both_ways")
def test_one_market_without_entitlement_does_not_stop_the_others(
    vendor: Any, naps: list[float]
) -> None:
    vendor.get(DAY + "2026-11-19", **NOT_ENTITLED)
    vendor.get(DAY + "2026-11-20", **NOT_ENTITLED)
    crypto = URL + "/v2/aggs/grouped/locale/global/market/crypto/"
    vendor.get(crypto + "2026-11-19", json={**GOOD, "results": [{**BAR, "T": "X:BTCUSD"}]})
    vendor.get(crypto + "2026-11-20", json=EMPTY)
    output = read(expect_failure=True, markets=["stocks", "crypto"])
    assert [r["ticker"] for r in output.records("grouped_daily")] == ["X:BTCUSD"]
    (state,) = output.states("grouped_daily")[-1]["states"]
    assert state["partition"] == {"market": "crypto", "adjusted": False}


def test_a_symbol_that_comes_twice_is_emitted_once(vendor: Any) -> None:
    vendor.get(
        DAY + "2026-11-19",
        json={**GOOD, "resultsCount": 2, "results": [BAR, {**BAR, "c": 2.5}]},
    )
    vendor.get(DAY + "2026-11-20", json=EMPTY)
    (record,) = read().records("grouped_daily")
    assert record["close"] == 2.5


@pytest.mark.usefixtures("both_ways")
def test_a_bar_without_a_required_field_is_an_error_and_not_a_gap(vendor: Any) -> None:
    cut = {key: value for key, value in BAR.items() if key != "c"}
    vendor.get(DAY + "2026-11-19", json={**GOOD, "results": [cut]})
    vendor.get(DAY + "2026-11-20", json=GOOD)
    output = read(expect_failure=True)
    assert any(
        "A stocks bar of 2026-11-19 (AAPL) is malformed: c is missing." in error
        for error in output.errors
    )
    assert output.states("grouped_daily") in ([], [{}], [{"states": []}])


def test_the_fields_of_a_bar(vendor: Any, naps: list[float]) -> None:
    full = {**BAR, "T": "KIMpL", "vw": 1.25, "n": 7, "otc": True}
    vendor.get(DAY + "2026-11-19", json={**GOOD, "resultsCount": 2, "results": [BAR, full]})
    vendor.get(DAY + "2026-11-20", json=EMPTY)
    plain, rich = read(include_otc=True).records("grouped_daily")
    # The CDK leaves nulls out of the messages.
    assert plain == {
        "market": "stocks",
        "date": "2026-11-19",
        "ticker": "AAPL",
        "open": 1,
        "high": 3,
        "low": 0.5,
        "close": 2,
        "volume": 10.5,
        "otc": False,
        "adjusted": False,
        "timestamp": 1795208400000,
        "last_updated_utc": "2026-11-20T21:00:00.000Z",
    }
    assert rich == {**plain, "ticker": "KIMpL", "vwap": 1.25, "transactions": 7, "otc": True}
    assert vendor.request_history[0].qs == {"adjusted": ["false"], "include_otc": ["true"]}


def test_crypto_is_asked_without_the_otc_parameter(vendor: Any) -> None:
    vendor.get(rm.ANY, json=EMPTY)
    read(markets=["crypto"], include_otc=True, adjusted=True)
    assert {str(request.query) for request in vendor.request_history} == {"adjusted=true"}


def test_the_key_is_in_the_header_and_in_no_message(vendor: Any, naps: list[float]) -> None:
    vendor.get(DAY + "2026-11-19", json=GOOD)
    vendor.get(DAY + "2026-11-20", status_code=500, json={"error": f"failed for {KEY}"})
    output = read(expect_failure=True)
    assert KEY not in output.text
    assert any("failed for ****" in error for error in output.errors)
    vendor.get(DAY + "2026-11-19", status_code=401, json={"error": f"Unknown key {KEY}"})
    assert check()[1].startswith("Polygon.io does not accept this API key: Unknown key ****. Copy")
    for request in vendor.request_history:
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        assert KEY not in request.url


@pytest.mark.parametrize("answer", [TOO_EARLY, TIMEFRAME])
@pytest.mark.parametrize(
    ("stream", "asked", "fix"),
    [
        ("exchanges", "/v3/reference/exchanges", "leave the stream out"),
        ("market_holidays", "/v1/marketstatus/upcoming", "leave the stream out"),
        ("splits", "/stocks/v1/splits", "leave the stream out"),
        ("tickers", "/v3/reference/tickers (market stocks)", "take the market out of `markets`"),
    ],
)
def test_a_refused_list_is_never_an_empty_one(
    vendor: Any, answer: Answer, stream: str, asked: str, fix: str
) -> None:
    vendor.get(rm.ANY, **answer)
    output = read(stream=stream, expect_failure=True)
    assert any(f"does not cover {asked}: " in error for error in output.errors), output.errors
    assert any(fix in error for error in output.errors)
    assert "config_error" in output.failure_types
    assert output.records(stream) == []


def test_a_bare_list_that_is_none_is_named(vendor: Any, naps: list[float]) -> None:
    vendor.get(rm.ANY, json={"status": "OK"})
    output = read(stream="market_holidays", expect_failure=True)
    assert any("in 6 attempts: the body is not a list. If" in error for error in output.errors)


def test_a_session_without_bars_is_pointed_out(
    vendor: Any, naps: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    vendor.get(rm.ANY, json=EMPTY)
    assert read().errors == []
    assert "grouped_daily stocks: session 2026-11-19 has no bars, asked 4 times." in caplog.text


def test_an_answer_is_judged_once(vendor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []

    def counted(response: requests.Response, **how: bool) -> Any:
        judged.append(response.request.path_url.partition("?")[0])
        return judge(response, **how)

    monkeypatch.setattr(questions, "judge", counted)
    vendor.get(DAY + "2026-11-18", **TIMEFRAME)
    vendor.get(DAY + "2026-11-19", json=GOOD)
    vendor.get(DAY + "2026-11-20", json=GOOD)
    read(start_date="2026-11-18", num_workers=1)
    asked = [request.path for request in vendor.request_history]
    assert sorted(judged) == sorted(asked)
    assert [path[-10:] for path in judged].count("2026-11-18") == 1

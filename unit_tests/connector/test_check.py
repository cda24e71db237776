"""The connection check: what the key covers, at the cost of a few requests."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests_mock as rm
from airbyte_cdk.models import Status
from polygon_sandbox import Plan
from source_polygon import SourcePolygon, check

from unit_tests.connector.syncing import Syncs

URL = "https://api.massive.com"
GOOD = {"status": "OK", "results": []}
NOT_ENTITLED = {"status": "NOT_AUTHORIZED", "message": "You are not entitled to this data."}
BARS = URL + "/v2/aggs/grouped/locale/us/market/stocks/2026-11-19"


@pytest.fixture
def vendor(clock: Any) -> Iterator[rm.Mocker]:
    with rm.Mocker() as mocker:
        mocker.get(rm.ANY, json=GOOD)
        yield mocker


def found(plans: Mapping[str, str], **config: Any) -> tuple[bool, str]:
    """Check as if the streams there are needed `plans`, by name."""
    given = {"api_key": "k-0123456789", "start_date": "2026-11-02", **config}
    source = SourcePolygon(config=given)
    streams = {}
    for name, plan in plans.items():
        stream = source.manifest.market_wide[name]
        streams[name] = {**stream, "retriever": {**stream["retriever"], "plan": plan}}
    status = check.status(source.manifest.usable_config, streams, source.vendor)
    return status.status is Status.SUCCEEDED, status.message or ""


def paths(vendor: rm.Mocker) -> list[str]:
    return [str(request.path_url) for request in vendor.request_history]


def refuse(vendor: rm.Mocker, *addresses: str) -> None:
    for address in addresses:
        vendor.get(address, status_code=403, json=NOT_ENTITLED)


SHORT = URL + "/stocks/v1/short-interest"
PLANS = {"short_interest": "Advanced", "short_volume": "Advanced", "splits": "every plan"}


def test_what_everybody_has_is_not_asked_for_and_a_plan_is_asked_for_once(
    vendor: rm.Mocker,
) -> None:
    assert found(PLANS) == (True, "")
    assert paths(vendor) == [
        "/v2/aggs/grouped/locale/us/market/stocks/2026-11-19?adjusted=false&include_otc=false",
        "/stocks/v1/short-interest?limit=1",
    ]


def test_what_the_plan_lacks_is_listed_and_the_rest_is_enough(vendor: rm.Mocker) -> None:
    refuse(vendor, SHORT)
    assert found(PLANS) == (
        True,
        "The plan of this API key does not cover short_interest: You are not entitled to this "
        "data. Needed: Advanced. Upgrade the plan, or leave the stream out. Most likely it lacks "
        "short_volume too.",
    )


def test_a_market_that_the_plan_lacks_does_not_fail_the_others(vendor: rm.Mocker) -> None:
    refuse(vendor, BARS)
    assert found({}, markets=["stocks", "crypto"]) == (
        True,
        "The plan of this API key does not cover "
        "/v2/aggs/grouped/locale/us/market/stocks/2026-11-19: You are not entitled to this data. "
        "Upgrade the plan, or take the market out of `markets`.",
    )
    assert found({})[0] is False
    assert found(PLANS)[0] is True  # partner data alone is worth a connection


def test_nothing_readable_fails_with_all_of_it(vendor: rm.Mocker) -> None:
    refuse(vendor, BARS, SHORT)
    succeeded, text = found(PLANS)
    assert not succeeded
    assert "/market/stocks/" in text
    assert "Needed: Advanced." in text


def test_no_more_is_asked_than_the_pace_lets_through_at_once(
    vendor: rm.Mocker, naps: list[float]
) -> None:
    plans = {
        "short_interest": "A",
        "short_volume": "B",
        "splits": "C",
        "dividends": "D",
        "exchanges": "E",
        "ticker_types": "E",
    }
    assert found(plans, requests_per_minute=3) == (
        True,
        "Not asked, to stay within the pace: splits, dividends, exchanges, ticker_types. The first "
        "sync shows whether the key covers them.",
    )
    assert len(paths(vendor)) == 3
    assert found(plans, requests_per_minute=600) == (True, "")
    assert len(paths(vendor)) == 3 + 6
    assert naps == []


def test_a_product_that_only_symbols_name_is_asked_for(vendor: rm.Mocker) -> None:
    symbols = ["AAPL", "O:*", "O:SPY251219C00650000", "O:A", "I:SPX", "X:BTCUSD"]
    refuse(vendor, URL + "/v2/aggs/ticker/I%3ASPX/range/1/day/2026-11-06/2026-11-13")
    assert found({}, symbols=symbols) == (
        True,
        "The plan of this API key does not cover "
        "/v2/aggs/ticker/I%3ASPX/range/1/day/2026-11-06/2026-11-13: You are not entitled to this "
        "data. Upgrade the plan, or take the symbol out of `symbols`.",
    )
    days = "range/1/day/2026-11-06/2026-11-13?limit=1"
    assert paths(vendor)[1:] == [
        f"/v2/aggs/ticker/{symbol}/{days}"
        for symbol in ("O%3ASPY251219C00650000", "I%3ASPX", "X%3ABTCUSD")
    ]


def test_a_market_of_which_only_tickers_are_read_says_nothing_of_its_symbols(
    vendor: rm.Mocker,
) -> None:
    assert found({}, markets=["indices"], symbols=["I:SPX"]) == (True, "")
    assert paths(vendor) == [
        "/v3/reference/tickers?market=indices&limit=1",
        "/v2/aggs/ticker/I%3ASPX/range/1/day/2026-11-06/2026-11-13?limit=1",
    ]


def test_a_question_about_a_plan_that_fails_is_told_and_does_not_fail_the_check(
    vendor: rm.Mocker, naps: list[float]
) -> None:
    plans = {"short_interest": "A", "short_volume": "B", "splits": "C"}
    vendor.get(SHORT, status_code=404)
    vendor.get(URL + "/stocks/v1/short-volume", status_code=503)
    assert found(plans, requests_per_minute=600) == (
        True,
        "Whether the key covers short_interest is not known: api.massive.com has no "
        "/stocks/v1/short-interest (HTTP 404). Check base_url. "
        "Whether the key covers short_volume is not known: api.massive.com gave no usable answer "
        "in 6 attempts: HTTP 503. If that lasts, check the network and base_url. "
        "Not asked: splits. The first sync shows whether the key covers them.",
    )


@pytest.mark.usefixtures("both_ways")
def test_a_stream_that_the_plan_lacks_fails_alone_with_the_plan_it_needs(syncs: Syncs) -> None:
    syncs.sandbox.plan = Plan.unlimited(refused=("/stocks/v1/short-interest",))
    output = syncs.read("short_interest", "short_volume", "splits", expect_failure=True)
    names = ("short_interest", "short_volume", "splits")
    assert [output.status(name) for name in names] == ["INCOMPLETE", "COMPLETE", "COMPLETE"]
    assert syncs.tables["short_volume"]
    assert "short_interest" not in syncs.tables
    stream, whole = output.traces("error")
    assert stream["stream_descriptor"]["name"] == "short_interest"
    assert (stream["failure_type"], whole["failure_type"]) == ("config_error", "config_error")
    plan = SourcePolygon().manifest.market_wide["short_interest"]["retriever"]["plan"]
    assert stream["message"] == (
        "The plan of this API key does not cover /stocks/v1/short-interest: You are not entitled "
        f"to this data. Please upgrade your plan at https://polygon.io/pricing. Needed: {plan}. "
        "Upgrade the plan, or leave the stream out."
    )

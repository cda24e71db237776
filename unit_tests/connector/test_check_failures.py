"""The connection check where the vendor refuses or is not there, and what it costs."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
import requests_mock as rm
from source_polygon import SourcePolygon
from source_polygon.vendor.questions import needed

from unit_tests.connector.scripted_answers import (
    CONFIG,
    DAY,
    EMPTY,
    NOT_ENTITLED,
    TIMEFRAME,
    TOO_EARLY,
    UNKNOWN_KEY,
    Answer,
    check,
)


@pytest.fixture(autouse=True)
def _clock(clock: Callable[[str], None]) -> None:
    clock("2026-11-21T12:00:00Z")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"json": EMPTY}, ""),
        (TOO_EARLY, ""),
        (UNKNOWN_KEY, "does not accept this API key: Unknown API Key. Copy the key"),
        (NOT_ENTITLED, "does not cover /v2/aggs/grouped/locale/us/market/stocks/2026-11-19"),
        (TIMEFRAME, "serves no stocks bars of 2026-11-19, a recent session"),
        ({"exc": requests.exceptions.ConnectionError}, "api.massive.com gave no usable answer"),
    ],
)
def test_check_tells_failures_apart(
    vendor: Any, naps: list[float], answer: Answer, words: str
) -> None:
    vendor.get(rm.ANY, **NOT_ENTITLED)
    vendor.get(DAY + "2026-11-19", **answer)
    status, text = check()
    assert status == ("FAILED" if words else "SUCCEEDED")
    assert words in text


def test_check_costs_one_request_per_market(vendor: Any) -> None:
    vendor.get(rm.ANY, json=EMPTY)
    status, _ = check(markets=["stocks", "otc", "crypto", "fx", "indices"])
    assert status == "SUCCEEDED"
    assert [request.path for request in vendor.request_history][:5] == [
        "/v2/aggs/grouped/locale/us/market/stocks/2026-11-19",
        "/v3/reference/tickers",
        "/v2/aggs/grouped/locale/global/market/crypto/2026-11-19",
        "/v2/aggs/grouped/locale/global/market/fx/2026-11-19",
        "/v3/reference/tickers",
    ]
    # More only of plans that not everybody has, and never more than the pace lets through.
    streams = SourcePolygon(config=CONFIG).manifest.market_wide.values()
    plans = {plan for each in streams if needed(plan := each["retriever"]["plan"])}
    assert len(vendor.request_history) == 5 + len(plans) < 20


def test_check_names_every_wrong_field_without_a_request(vendor: Any) -> None:
    status, text = check(start_date="2026-13-01", end_date="2026-11-31", num_workers=0)
    assert status == "FAILED"
    assert "num_workers: 0 is less than 1" in text
    assert vendor.request_history == []


def test_check_of_a_dead_host_does_not_ask_for_every_market(vendor: Any, naps: list[float]) -> None:
    vendor.get(rm.ANY, exc=requests.exceptions.ConnectionError)
    status, text = check(markets=["stocks", "otc", "crypto", "fx", "indices"])
    assert (status, vendor.call_count) == ("FAILED", 6)
    assert text == (
        "api.massive.com gave no usable answer in 6 attempts: no connection (ConnectionError). "
        "If that lasts, check the network and base_url."
    )

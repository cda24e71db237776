"""Answers of the vendor to order, and a sync or a check that gets them."""

import logging
from typing import Any

from airbyte_cdk.test import entrypoint_wrapper
from source_polygon import SourcePolygon

from unit_tests.connector import syncing
from unit_tests.connector.syncing import Output, catalog

KEY = "k-0123456789-secret"


CONFIG = {
    "api_key": KEY,
    "start_date": "2026-11-19",
    "end_date": "2026-11-20",
    "requests_per_minute": 6000,
}


URL = "https://api.massive.com"


DAY = URL + "/v2/aggs/grouped/locale/us/market/stocks/"


BAR = {"T": "AAPL", "o": 1, "h": 3, "l": 0.5, "c": 2, "v": 10.5, "t": 1795208400000}


GOOD = {"status": "OK", "adjusted": False, "queryCount": 1, "resultsCount": 1, "results": [BAR]}


EMPTY = {"status": "OK", "adjusted": True, "queryCount": 0, "resultsCount": 0}


Answer = dict[str, Any]


UNKNOWN_KEY: Answer = {
    "status_code": 401,
    "json": {"status": "ERROR", "request_id": "1", "error": "Unknown API Key"},
}


NOT_ENTITLED: Answer = {
    "status_code": 403,
    "json": {"status": "NOT_AUTHORIZED", "message": "You are not entitled to this data."},
}


TOO_EARLY: Answer = {
    "status_code": 403,
    "json": {
        "status": "NOT_AUTHORIZED",
        "message": "Attempted to request today's data before end of day. Please upgrade",
    },
}


TIMEFRAME: Answer = {
    "status_code": 403,
    "json": {
        "status": "NOT_AUTHORIZED",
        "message": "Your plan doesn't include this data timeframe. Please upgrade your plan",
    },
}


def read(*, expect_failure: bool = False, stream: str = "grouped_daily", **config: Any) -> Output:
    given = {**CONFIG, **config}
    chosen = catalog(stream)
    source = SourcePolygon(chosen, given, [], syncing.LEAVING)
    return Output(
        entrypoint_wrapper.read(source, given, chosen, expecting_exception=expect_failure)
    )


def check(**config: Any) -> tuple[str, str]:
    given = {**CONFIG, **config}
    status = SourcePolygon(config=given).check(logging.getLogger("airbyte"), given)
    return status.status.value, status.message or ""


def session(state: dict[str, Any]) -> str:
    return str(state["states"][0]["cursor"]["last_updated_utc"])

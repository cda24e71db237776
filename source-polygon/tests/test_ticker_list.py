"""One list of tickers: what is asked for, and that rows without a stamp are never lost."""

import json
from collections.abc import Mapping
from typing import Any, Literal, cast

import pytest
import requests
from airbyte_cdk.sources.declarative.requesters.requester import Requester
from source_polygon.listings import Row
from source_polygon.ticker_list import TickerList

BASE = "https://api.polygon.io"
PAGE = 1000

Undated = Literal["lowest", "highest", "last"]


def row(n: int, second: int | None) -> Row:
    """Return a row stamped `second` seconds after six o'clock, or without a stamp."""
    plain = {"ticker": f"T{n:05d}", "active": True}
    if second is None:
        return plain
    minutes, seconds = divmod(second, 60)
    return {**plain, "last_updated_utc": f"2026-11-20T06:{minutes:02d}:{seconds:02d}.5Z"}


class Vendor:
    """Answers list requests from `rows`; notes the order of each first page asked for."""

    def __init__(self, rows: list[Row], undated: Undated) -> None:
        self.rows = rows
        self.undated = undated
        self.asked: list[str] = []

    def send_request(
        self, *, path: str = "", request_params: Mapping[str, Any] | None = None
    ) -> requests.Response:
        if request_params:
            order, start = f"{request_params['sort']} {request_params['order']}", 0
            self.asked.append(order)
        else:
            order, _, text = path.partition("cursor=")[2].replace("+", " ").rpartition(" ")
            start = int(text)
        ordered = self._in(order)
        body = {"status": "OK", "results": ordered[start : start + PAGE]}
        if len(ordered) > start + PAGE:
            body["next_url"] = f"{BASE}/x?cursor={order.replace(' ', '+')}+{start + PAGE}"
        response = requests.Response()
        response.status_code = 200
        response._content = json.dumps(body).encode()
        return response

    def _in(self, order: str) -> list[Row]:
        field, _, direction = order.partition(" ")
        if field == "ticker":
            return sorted(self.rows, key=lambda r: r["ticker"])
        dated = sorted((r for r in self.rows if field in r), key=lambda r: r[field])
        bare = [r for r in self.rows if field not in r]
        rising = bare + dated if self.undated == "lowest" else dated + bare
        if direction == "asc":
            return rising
        return dated[::-1] + bare if self.undated == "last" else rising[::-1]


def read(vendor: Vendor, since: str, undated: int = 0) -> set[str]:
    vendor.asked.clear()
    tickers = TickerList(cast(Requester, vendor), BASE, "stocks", active=True)
    return {r["ticker"] for r in tickers.rows(since, undated)}


SINCE = "2026-11-20T06:40:00.000000000Z"


@pytest.mark.parametrize("undated", ["lowest", "highest"])
def test_a_new_row_without_a_stamp_is_found_at_either_end(undated: Undated) -> None:
    vendor = Vendor([row(n, n) for n in range(2500)] + [row(9000, None)], undated)
    found = read(vendor, SINCE)
    assert {"T02400", "T02499", "T09000"} <= found
    assert vendor.asked == ["last_updated_utc desc", "last_updated_utc asc"]


def test_rows_out_of_reach_are_noticed_by_their_number() -> None:
    vendor = Vendor([row(n, n) for n in range(2500)] + [row(9000, None)], "last")
    assert "T09000" in read(vendor, SINCE, undated=1)
    assert vendor.asked[-1] == "ticker asc"


def test_more_changes_than_a_page_are_read_in_the_order_that_stands_still() -> None:
    vendor = Vendor([row(n, n) for n in range(2500)], "lowest")
    assert len(read(vendor, "2026-11-20T06:10:00.000000000Z")) == 2500
    assert vendor.asked == ["last_updated_utc desc", "ticker asc"]


def test_a_page_of_nothing_but_undated_rows_is_not_trusted() -> None:
    rows = [row(n, n) for n in range(2500)] + [row(9000 + n, None) for n in range(1001)]
    vendor = Vendor(rows, "lowest")
    assert len(read(vendor, SINCE)) == 3501
    assert vendor.asked[-1] == "ticker asc"


def test_a_short_list_is_one_request() -> None:
    vendor = Vendor([row(n, n) for n in range(1000)], "lowest")
    assert len(read(vendor, SINCE)) == 1000
    assert vendor.asked == ["last_updated_utc desc"]

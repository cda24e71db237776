"""One list of tickers: what is asked for, and that rows without a stamp are never lost."""

import json
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, Literal, cast

import pytest
import requests
from airbyte_cdk.sources.declarative.requesters.requester import Requester
from source_polygon.rows import Row
from source_polygon.streams.ticker_list import TickerList, active_among
from source_polygon.vendor import questions

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
        if request_params and "ticker" in request_params:
            self.asked.append(f"ticker={request_params['ticker']}")
            return self._answer([r for r in self.rows if r["ticker"] == request_params["ticker"]])
        if request_params:
            order, start = f"{request_params['sort']} {request_params['order']}", 0
            self.asked.append(order)
        else:
            order, _, text = path.partition("cursor=")[2].replace("+", " ").rpartition(" ")
            start = int(text)
        ordered = self._in(order)
        more = len(ordered) > start + PAGE
        next_url = f"{BASE}/x?cursor={order.replace(' ', '+')}+{start + PAGE}"
        return self._answer(ordered[start : start + PAGE], next_url if more else "")

    def _answer(self, rows: list[Row], next_url: str = "") -> requests.Response:
        body = {"status": "OK", "results": rows, "next_url": next_url}
        response = requests.Response()
        response.status_code = 200
        response.raw = BytesIO(json.dumps(body).encode())
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


@pytest.fixture(autouse=True)
def _clock(clock: Callable[[str], None]) -> None:
    clock("2026-11-20T22:30:00Z")


def as_asked(vendor: Vendor) -> questions.Vendor:
    """Return what asks a vendor of these tests."""
    return questions.Vendor(cast(Requester, vendor), BASE)


def read(vendor: Vendor, since: str, undated: int = 0, *, active: bool = True) -> set[str]:
    vendor.asked.clear()
    tickers = TickerList(as_asked(vendor), "stocks", active)
    return {r["ticker"] for r in tickers.read(since, undated).rows}


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


def test_a_delisted_list_with_one_constant_stamp_is_read_once() -> None:
    vendor = Vendor([row(n, 0) for n in range(2500)], "lowest")
    assert len(read(vendor, "2026-11-20T06:00:00.500000000Z", active=False)) == 2500
    assert vendor.asked == ["last_updated_utc desc"]


def test_stamps_that_are_out_of_order_within_a_second_are_not_trusted_to_end_the_reading() -> None:
    """As text, 00.5Z sorts above 00.51Z; a page may then end before it has all of its second."""
    rows = [row(n, 0 if n % 2 else 1) for n in range(2500)]
    for n in (3, 5):
        rows[n]["last_updated_utc"] = f"2026-11-20T06:00:00.{5 + n}1Z"
    assert len(read(Vendor(rows, "lowest"), "2026-11-20T06:00:00.600000000Z")) == 2500


def test_a_stamp_from_the_future_does_not_move_the_checkpoint() -> None:
    """Else nothing that changes until then would be read."""
    rows = [row(1, 1), {**row(2, 2), "last_updated_utc": "2099-01-01T00:00:00Z"}]
    vendor = as_asked(Vendor(rows, "lowest"))
    reading = TickerList(vendor, "stocks", active=True).read("", 0)
    assert reading.newest == "2026-11-20T06:00:01.500000000Z"


@pytest.mark.parametrize(
    ("number", "asked"), [(2, ["ticker=T00000", "ticker=T00001"]), (13, ["ticker asc"])]
)
def test_which_symbols_are_active_is_asked_the_cheaper_way(number: int, asked: list[str]) -> None:
    vendor = Vendor([row(n, n) for n in range(1, 2500)], "lowest")
    tickers = {f"T{n:05d}" for n in range(number)}
    found = active_among(as_asked(vendor), "stocks", tickers)
    assert found == tickers - {"T00000"}
    assert vendor.asked[: len(asked)] == asked

from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urlparse

import pytest
import requests
from polygon_sandbox import Sandbox, World
from polygon_sandbox.contract import BadRequest
from polygon_sandbox.paging import Entry, Index, Paging, decode, encode

Get = Callable[..., requests.Response]

TICKERS = "/v3/reference/tickers"


def test_cursors_hold_the_query_and_the_marker() -> None:
    cursor = encode({"market": "stocks", "ticker.gt": "A&B=C"}, ((1, "KIMpL"), ("KIMpL", 12)))
    pairs, marker = decode(cursor)
    assert dict(pairs) == {"market": "stocks", "ticker.gt": "A&B=C"}
    assert marker == ((1, "KIMpL"), ("KIMpL", 12))


@pytest.mark.parametrize("cursor", ["BCAB", "%%%", "YQ", encode({}, ((1, "A"), ("A", 1)))[:-6]])
def test_a_bad_cursor_is_a_bad_request(get: Get, cursor: str) -> None:
    with pytest.raises(BadRequest):
        decode(cursor)
    answer = get(TICKERS, params={"cursor": cursor})
    assert answer.status_code == 400
    assert answer.json()["status"] == "ERROR"


def test_a_cursor_of_another_endpoint_is_refused(get: Get) -> None:
    url = get(TICKERS, params={"limit": 5, "market": "fx"}).json()["next_url"]
    assert get(url.replace("tickers", "splits")).status_code == 400
    marker = encode({"sort": "cash_amount"}, ((1, "text"), ("A", 1)))
    assert get("/v3/reference/dividends", params={"cursor": marker}).status_code == 400


def test_next_url_names_the_host_that_was_called_and_no_key(sandbox: Sandbox) -> None:
    local = sandbox.url.replace("127.0.0.1", "localhost")
    params: Mapping[str, str] = {"apiKey": sandbox.key, "limit": "2", "sort": "name"}
    content = requests.get(local + TICKERS, params=params, timeout=30).json()
    url = urlparse(content["next_url"])
    assert content["next_url"].startswith(local + TICKERS + "?cursor=")
    (cursor,) = parse_qs(url.query)["cursor"]
    pairs, _ = decode(cursor)
    # The date is pinned, so that a list read over midnight stays the list of one day.
    assert dict(pairs) == {"limit": "2", "sort": "name", "date": "2026-11-20"}


def test_what_else_the_url_says_beside_a_cursor_is_ignored(get: Get) -> None:
    url = get(TICKERS, params={"market": "fx", "limit": 3}).json()["next_url"]
    assert get(url).json()["results"] == get(f"{url}&market=crypto&limit=5").json()["results"]


def numbers(index: Index, paging: Paging, limit: int) -> list[list[int]]:
    cut, marker = [], None
    while True:
        rows, marker = index.page(marker, limit, paging)
        cut.append([row["n"] for row in rows])
        if marker is None:
            return cut


@pytest.mark.parametrize("paging", ["keyset", "offset"])
def test_equal_values_are_cut_between_pages_without_loss(paging: Paging) -> None:
    entries = [Entry(("same",), ("T" if n % 2 else "S", n), {"n": n}) for n in range(6)]
    asc, desc = Index(entries, ["asc"], "lowest"), Index(entries, ["desc"], "lowest")
    assert numbers(asc, paging, 4) == [[0, 2, 4, 1], [3, 5]]
    assert numbers(desc, paging, 3) == [[5, 3, 1], [4, 2, 0]]


@pytest.mark.parametrize(("paging", "lost"), [("keyset", 0), ("offset", 2)])
def test_rows_that_move_between_pages_are_lost_under_offset_paging_only(
    paging: Paging, lost: int
) -> None:
    world = World(stocks=0, delisted=0, otc=0, fx=10, now="2026-11-20T22:30:00Z", paging=paging)
    for number in range(10):
        world.list_symbol(f"T{number}", "Company")
    with Sandbox(world) as sandbox:
        params = {"market": "stocks", "limit": "5", "apiKey": sandbox.key}
        first = requests.get(sandbox.url + TICKERS, params=params, timeout=30).json()
        world.delist("T0")
        world.delist("T1")
        second = requests.get(first["next_url"], params={"apiKey": sandbox.key}, timeout=30).json()
    seen = [row["ticker"] for row in first["results"] + second["results"]]
    assert len(seen) == 10 - lost


def test_a_restamp_between_pages_hides_rows_from_a_descending_reader(
    sandbox: Sandbox, get: Get
) -> None:
    params = {"market": "stocks", "sort": "last_updated_utc", "order": "desc", "limit": 20}
    first = get(TICKERS, params=params).json()
    sandbox.on_request(lambda path, query: sandbox.world.restamp())
    second = get(first["next_url"]).json()
    sandbox.on_request(None)
    # Every dated row is now newer than the marker: only the undated one is left below it.
    assert all("last_updated_utc" not in row for row in second["results"])
    assert "next_url" not in second

"""Paging: the vendor's next_url is followed on our address only, and never in a circle."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import requests_mock as rm
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from polygon_sandbox import Fault, Plan, Sandbox, World
from source_polygon import SourcePolygon
from source_polygon.vendor.answers import Data
from source_polygon.vendor.paging import along, ascending, pages, require_keys
from source_polygon.vendor.questions import PAUSES_IF_EMPTY

from unit_tests.connector.syncing import Syncs

BASE = "https://api.polygon.io"
ROW_A, ROW_B = {"ticker": "A"}, {"ticker": "B"}


class Pages:
    """A vendor that has these pages, and keeps what it was asked for."""

    def __init__(self, *answers: tuple[list[Any], str], base_url: str = BASE) -> None:
        self.base_url = base_url
        self.questions: list[dict[str, Any]] = []
        self._answers = [Data(rows, {"next_url": where}) for rows, where in answers]

    def ask(self, **question: Any) -> Data:
        self.questions.append(question)
        return self._answers.pop(0)


@pytest.mark.parametrize(
    ("base_url", "next_url", "target"),
    [
        (BASE, f"{BASE}/v3/x?cursor=a", f"{BASE}/v3/x?cursor=a"),
        (BASE, "https://API.polygon.io:443/v3/x?cursor=a", f"{BASE}/v3/x?cursor=a"),
        (BASE, "/v3/x?cursor=a", f"{BASE}/v3/x?cursor=a"),
        # The same API under its other name.
        (BASE, "https://api.massive.com/v3/x?cursor=a", f"{BASE}/v3/x?cursor=a"),
        # Never asked without encryption, whatever a proxy makes of the address.
        (BASE, "http://api.polygon.io/v3/x?cursor=a", f"{BASE}/v3/x?cursor=a"),
        # A proxy that does not rewrite bodies, and one that rewrites the host alone.
        ("https://proxy.example/polygon", f"{BASE}/v3/x?cursor=a", "https://proxy.example/polygon/v3/x?cursor=a"),
        ("https://proxy.example/polygon", "https://proxy.example/v3/x?cursor=a", "https://proxy.example/polygon/v3/x?cursor=a"),
        ("https://proxy.example/polygon", "https://proxy.example/polygon/v3/x?cursor=a", "https://proxy.example/polygon/v3/x?cursor=a"),
    ],
)  # fmt: skip
def test_next_url_is_followed_on_our_address(base_url: str, next_url: str, target: str) -> None:
    vendor: Any = Pages(([ROW_B], ""), base_url=base_url)
    assert len([*along(vendor, Data([ROW_A], {"next_url": next_url}), key=())]) == 2
    assert [question["path"] for question in vendor.questions] == [target]


@pytest.mark.parametrize(
    "next_url",
    [
        "https://evil.example/v3/x?cursor=a",
        "//evil.example/v3/x?cursor=a",
        "https://api.polygon.io:8443/v3/x?cursor=a",
        "https://api.polygon.io@evil.example/v3/x",
        "https://api.polygon.io.evil.example/v3/x",
    ],
)
def test_next_url_to_elsewhere_is_refused(next_url: str) -> None:
    vendor: Any = Pages()
    with pytest.raises(AirbyteTracedException, match="leads to another host"):
        list(along(vendor, Data([ROW_A], {"next_url": next_url}), key=()))
    assert vendor.questions == []


@pytest.mark.parametrize(("path", "of_another"), [("", {}), ("/v3/y", {"path": "/v3/y"})])
def test_the_first_page_is_asked_for_in_full_and_the_next_by_its_address(
    path: str, of_another: dict[str, str]
) -> None:
    vendor: Any = Pages(([ROW_A], "/v3/x?cursor=1"), ([ROW_B], ""))
    params = {"market": "stocks"}
    found = list(pages(vendor, params, key=["ticker"], page_size=7, complaint="None?", path=path))
    assert found == [([ROW_A], True), ([ROW_B], False)]
    first, second = vendor.questions
    asked = {"request_params": {"market": "stocks", "limit": 7}}
    assert first == {"complaint": "None?", "pauses": PAUSES_IF_EMPTY, **of_another, **asked}
    assert second.pop("complaint")
    assert second == {"path": f"{BASE}/v3/x?cursor=1"}


def test_a_list_without_rows_is_asked_for_once() -> None:
    vendor: Any = Pages(([], ""))
    assert list(pages(vendor, {}, key=["ticker"], page_size=7)) == [([], False)]
    assert len(vendor.questions) == 1


def test_pages_without_rows_are_not_the_same_page_twice() -> None:
    vendor: Any = Pages(([], "/v3/x?cursor=2"), ([ROW_A], ""))
    first = Data([], {"next_url": "/v3/x?cursor=1"})
    assert [rows for rows, _ in along(vendor, first, key=["ticker"])] == [[], [], [ROW_A]]


def test_a_list_is_sorted_where_the_vendor_lets_one_choose() -> None:
    assert ascending("", "asc") == {}
    assert ascending("date", "") == {"sort": "date.asc"}
    assert ascending("date", "asc") == {"sort": "date", "order": "asc"}


def test_each_row_has_its_whole_key_of_the_right_type() -> None:
    require_keys([{"t": 1, "n": 0}], ["t", "n"], "there", of=int)
    for row in ({"t": 1}, {"t": 1, "n": None}):
        with pytest.raises(AirbyteTracedException, match="A row has no n: "):
            require_keys([{"t": 1, "n": 2}, row], ["t", "n"], "there")
    with pytest.raises(AirbyteTracedException, match="A row has no t: "):
        require_keys([{"t": "1"}], ["t"], "there", of=int)


def test_what_is_shown_of_a_long_row_or_address_is_its_beginning() -> None:
    with pytest.raises(AirbyteTracedException) as caught:
        require_keys(["x" * 500], ["t"], "there")
    assert str(caught.value.message).endswith(f"A row is not an object: {'x' * 80}.")
    row = {"n": "x" * 500}
    with pytest.raises(AirbyteTracedException) as caught:
        require_keys([row], ["t"], "there")
    assert str(caught.value.message).endswith(f"A row has no t: {str(row)[:200]}.")
    vendor: Any = Pages()
    with pytest.raises(AirbyteTracedException) as caught:
        list(along(vendor, Data([ROW_A], {"next_url": ["x" * 500]}), key=["ticker"]))
    assert str(caught.value.internal_message).endswith(f"is not a text. {repr(['x' * 500])[:100]}")


def test_a_foreign_next_url_gets_no_request_and_fails_the_stream(
    large: Syncs,
) -> None:
    with Sandbox(World(stocks=5), plan=Plan.unlimited()) as elsewhere:
        large.sandbox.faults.add(Fault.foreign_next_url(elsewhere.url, path="tickers", times=None))
        output = large.read("tickers", expect_failure=True)
        assert elsewhere.requests == []
    assert any("leads to another host" in error for error in output.errors)
    assert "system_error" in output.failure_types


def test_a_repeated_cursor_is_an_error_and_not_a_loop(large: Syncs) -> None:
    large.sandbox.faults.add(Fault.repeated_next_url(path="tickers", times=None))
    output = large.read("tickers", expect_failure=True)
    assert any("goes in a circle" in error for error in output.errors)
    assert len(large.sandbox.requests) < 6


def test_a_row_without_its_key_is_an_error(large: Syncs) -> None:
    with rm.Mocker() as vendor:
        vendor.get(rm.ANY, json={"status": "OK", "results": [{"ticker": "A"}, {"name": "B"}]})
        output = large.read("tickers", expect_failure=True)
    assert any("A row has no ticker" in error for error in output.errors)


@pytest.mark.parametrize(
    ("next_urls", "words"),
    [
        ([f"{BASE}/v3/x?cursor={n}" for n in range(9)], "The same page comes twice"),
        ([5], "next_url is not a text"),
    ],
)
@pytest.mark.parametrize("as_written", [False, True])
def test_paging_that_leads_nowhere_is_an_error(
    next_urls: list[Any],
    words: str,
    as_written: bool,
    clock: Callable[[str], None],
    naps: list[float],
) -> None:
    """Fresh cursors that bring the same page would never end."""
    config = {"api_key": "k-0123456789", "start_date": "2026-11-19", "requests_per_minute": 6000}
    tickers = SourcePolygon(config=config).vendor("tickers")
    with rm.Mocker() as vendor:
        rows = [{"ticker": "A"}]
        vendor.get(
            rm.ANY,
            [{"json": {"status": "OK", "results": rows, "next_url": url}} for url in next_urls],
        )
        vendor_as_asked = replace(tickers, as_written=as_written)
        with pytest.raises(AirbyteTracedException, match=words):
            list(pages(vendor_as_asked, {}, key=["ticker"], page_size=1000))
        assert vendor.call_count <= 2


def test_a_first_page_without_rows_that_leads_on_is_asked_for_again(
    clock: Callable[[str], None], naps: list[float]
) -> None:
    config = {"api_key": "k-0123456789", "start_date": "2026-11-19", "requests_per_minute": 6000}
    tickers = SourcePolygon(config=config).vendor("tickers")
    good: dict[str, Any] = {"status": "OK", "results": [{"ticker": "A"}]}
    more = {**good, "next_url": f"{BASE}/v3/x?cursor=1"}
    with rm.Mocker() as vendor:
        answers = [{**more, "results": []}, more, {**good, "results": [{"ticker": "B"}]}]
        vendor.get(rm.ANY, [{"json": answer} for answer in answers])
        found = [list(rows) for rows, _ in pages(tickers, {}, key=["ticker"], page_size=1000)]
    assert found == [[{"ticker": "A"}], [{"ticker": "B"}]]

import time
from collections.abc import Callable

import pytest
import requests
from polygon_sandbox import Fault, Plan, Sandbox

Get = Callable[..., requests.Response]

STOCKS = "/v2/aggs/grouped/locale/us/market/stocks/2026-11-19"
TICKERS = "/v3/reference/tickers"


def test_faults_skip_strike_and_end(sandbox: Sandbox, get: Get) -> None:
    sandbox.faults.add(Fault.status(503, path="grouped", times=2, skip=1))
    assert [get(STOCKS).status_code for _ in range(5)] == [200, 503, 503, 200, 200]
    assert get(TICKERS).status_code == 200


def test_a_fault_without_an_end_lasts_until_cleared(sandbox: Sandbox, get: Get) -> None:
    sandbox.faults.add(Fault.status(500, times=None))
    assert {get(STOCKS).status_code for _ in range(5)} == {500}
    sandbox.faults.clear()
    assert get(STOCKS).status_code == 200


def test_the_pattern_sees_path_and_query(sandbox: Sandbox, get: Get) -> None:
    sandbox.faults.add(Fault.status(500, path=r"tickers\?.*active=false", times=None))
    assert get(TICKERS, params={"active": "false"}).status_code == 500
    assert get(TICKERS, params={"active": "true"}).status_code == 200


def test_requests_refused_by_the_rate_limit_do_not_use_up_a_fault(
    sandbox: Sandbox, get: Get
) -> None:
    sandbox.plan = Plan(requests_per_minute=0)
    sandbox.faults.add(Fault.status(500))
    assert get(STOCKS).status_code == 429
    sandbox.plan = Plan.unlimited()
    assert get(STOCKS).status_code == 500


def test_a_status_may_have_its_own_body_and_headers(sandbox: Sandbox, get: Get) -> None:
    sandbox.faults.add(Fault.status(429, body="", headers={"Retry-After": "3"}))
    answer = get(STOCKS)
    assert (answer.status_code, answer.text, answer.headers["Retry-After"]) == (429, "", "3")


def test_html(sandbox: Sandbox, get: Get) -> None:
    sandbox.faults.add(Fault.html(path="/v2/aggs/grouped"))
    answer = get(STOCKS)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.text.startswith("<!DOCTYPE html>")


def test_truncated_json_is_a_complete_message(sandbox: Sandbox, get: Get) -> None:
    whole = len(get(STOCKS).content)
    sandbox.faults.add(Fault.truncated_json())
    answer = get(STOCKS)
    assert answer.status_code == 200
    assert int(answer.headers["Content-Length"]) == len(answer.content) == whole // 2
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_a_cut_body_breaks_the_connection(sandbox: Sandbox, get: Get) -> None:
    sandbox.faults.add(Fault.cut_body())
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        get(STOCKS)
    assert get(STOCKS).status_code == 200


def test_a_reset_comes_before_any_byte(sandbox: Sandbox, get: Get) -> None:
    sandbox.faults.add(Fault.reset())
    with pytest.raises(requests.ConnectionError, match="reset"):
        get(STOCKS)
    assert get(STOCKS).status_code == 200
    assert [request.status for request in sandbox.requests] == [0, 200]


def test_errors_with_status_200(sandbox: Sandbox, get: Get) -> None:
    sandbox.faults.add(Fault.error_status())
    sandbox.faults.add(Fault.not_authorized_200(skip=1))
    sandbox.faults.add(Fault.missing_status(skip=2))
    answers = [get(STOCKS) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [answer.json().get("status") for answer in answers] == ["ERROR", "NOT_AUTHORIZED", None]
    assert ["results" in answer.json() for answer in answers] == [False, False, True]


def test_a_foreign_next_url_keeps_path_and_cursor(sandbox: Sandbox, get: Get) -> None:
    honest = get(TICKERS, params={"limit": 5}).json()["next_url"]
    sandbox.faults.add(Fault.foreign_next_url("https://evil.example", times=2))
    foreign = get(TICKERS, params={"limit": 5}).json()["next_url"]
    assert foreign == honest.replace(sandbox.url, "https://evil.example")
    on_last_page = get(TICKERS, params={"limit": 1000}).json()["next_url"]
    assert on_last_page.startswith("https://evil.example/v3/reference/tickers?cursor=")


def test_a_repeated_next_url_never_ends(sandbox: Sandbox, get: Get) -> None:
    sandbox.faults.add(Fault.repeated_next_url(times=None))
    content = get(TICKERS, params={"limit": 30}).json()
    seen = []
    for _ in range(4):
        seen.append(content["next_url"])
        content = get(content["next_url"]).json()
        assert content["count"] == 30
    assert len(set(seen)) == 1
    only_page = get(TICKERS, params={"limit": 1000}).json()
    assert get(only_page["next_url"]).json()["results"] == only_page["results"]


def test_a_delay_and_another_fault_can_meet(sandbox: Sandbox, get: Get) -> None:
    sandbox.faults.add(Fault.delay(0.1))
    sandbox.faults.add(Fault.status(502))
    start = time.monotonic()
    assert get(STOCKS).status_code == 502
    assert time.monotonic() - start >= 0.1


def test_a_redirect(sandbox: Sandbox, get: Get) -> None:
    sandbox.faults.add(Fault.redirect("https://evil.example/"))
    answer = get(STOCKS)
    assert (answer.status_code, answer.headers["Location"]) == (302, "https://evil.example/")

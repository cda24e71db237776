import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import requests
from polygon_sandbox import Plan, Sandbox, World
from polygon_sandbox.plan import BEFORE_END_OF_DAY, NOT_ENTITLED, TIMEFRAME, RateLimiter

Get = Callable[..., requests.Response]

STOCKS = "/v2/aggs/grouped/locale/us/market/stocks/"
FX = "/v2/aggs/grouped/locale/global/market/fx/"


def refused(answer: requests.Response, text: str) -> bool:
    content = answer.json()
    return (
        answer.status_code == 403
        and content["status"] == "NOT_AUTHORIZED"
        and content["message"].startswith(text)
        and "results" not in content
    )


def test_the_free_plan_refuses_today_until_new_york_sleeps(
    sandbox: Sandbox, world: World, get: Get
) -> None:
    sandbox.plan = Plan.free(requests_per_minute=None)
    assert refused(get(STOCKS + "2026-11-20"), BEFORE_END_OF_DAY)
    assert get(STOCKS + "2026-11-19").status_code == 200
    world.advance("2026-11-21T04:59:00Z")
    assert refused(get(STOCKS + "2026-11-20"), BEFORE_END_OF_DAY)
    world.advance("2026-11-21T05:00:00Z")
    assert get(STOCKS + "2026-11-20").status_code == 200


def test_history_and_the_future_have_the_same_refusal(sandbox: Sandbox, get: Get) -> None:
    sandbox.plan = Plan.free(requests_per_minute=None)
    assert refused(get(STOCKS + "2024-11-19"), TIMEFRAME)
    assert get(STOCKS + "2024-11-20").status_code == 200
    assert refused(get("/v3/reference/tickers?date=2024-11-19"), TIMEFRAME)
    sandbox.plan = Plan.unlimited()
    assert refused(get(STOCKS + "2026-11-21"), TIMEFRAME)
    assert get(STOCKS + "2003-09-10").json()["resultsCount"] > 0
    assert get(STOCKS + "2003-09-09").json()["resultsCount"] == 0


def test_markets_outside_the_plan_are_refused(sandbox: Sandbox, get: Get) -> None:
    sandbox.plan = Plan.unlimited(markets=frozenset({"stocks"}))
    assert refused(get(FX + "2026-11-19"), NOT_ENTITLED)
    assert get(STOCKS + "2026-11-19").status_code == 200


def test_a_history_start_may_be_a_date() -> None:
    plan = Plan(history_start=date(2026, 1, 2))
    today = date(2026, 11, 20)
    assert plan.refusal_of_history(date(2026, 1, 1), today) == TIMEFRAME
    assert plan.refusal_of_history(date(2026, 1, 2), today) is None
    assert Plan.free().history_start == timedelta(days=730)


def limiter(now: list[float], **plan: Any) -> RateLimiter:
    return RateLimiter(
        Plan(requests_per_minute=2, window_seconds=60, monotonic=lambda: now[0], **plan)
    )


def test_the_window_slides() -> None:
    now = [100.0]
    counter = limiter(now)
    assert counter.wait_seconds("/v2") == 0
    now[0] = 130
    assert counter.wait_seconds("/v2") == 0
    now[0] = 150
    assert counter.wait_seconds("/v2") == 10
    now[0] = 160
    assert counter.wait_seconds("/v2") == 0
    assert counter.wait_seconds("/v2") == 30


BARS = "/v2/aggs/ticker/%s/range/1/day/2026-11-02/2026-11-03"


def test_products_are_counted_together_or_each_on_its_own() -> None:
    paths = [STOCKS + "2026-11-19", *(BARS % symbol for symbol in ("O:SPY", "X%3ABTCUSD", "AAPL"))]
    together = limiter([0.0])
    assert [together.wait_seconds(path) for path in paths] == [0, 0, 60, 60]
    apart = limiter([0.0], a_count_a_product=True)
    assert [apart.wait_seconds(path) for path in paths * 2] == [0, 0, 0, 0, 60, 0, 0, 60]
    paid = limiter([0.0], a_count_a_product=True, unlimited_products=frozenset({"stocks"}))
    assert [paid.wait_seconds(path) for path in paths * 3][-4:] == [0, 60, 60, 0]


def test_requests_beyond_the_limit_get_429(sandbox: Sandbox, get: Get) -> None:
    sandbox.plan = Plan.free(window_seconds=0.3)
    statuses = [get(STOCKS + "2026-11-19").status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    answer = get(STOCKS + "2026-11-19")
    assert answer.json()["status"] == "ERROR"
    assert answer.json()["error"].startswith("You've exceeded the maximum requests per minute")
    assert "Retry-After" not in answer.headers
    time.sleep(0.3)
    assert get(STOCKS + "2026-11-19").status_code == 200


def test_a_429_may_be_empty_and_may_say_when_to_come_back(sandbox: Sandbox, get: Get) -> None:
    sandbox.plan = Plan(requests_per_minute=0, empty_429_body=True, retry_after=True)
    answer = get(STOCKS + "2026-11-19")
    assert (answer.status_code, answer.content) == (429, b"")
    assert answer.headers["Retry-After"] == "61"


@pytest.mark.parametrize(
    ("headers", "params", "status", "error"),
    [
        ({}, {}, 401, "API Key was not provided"),
        ({"Authorization": "Bearer wrong"}, {}, 401, "Unknown API Key"),
        ({}, {"apiKey": "wrong"}, 401, "Unknown API Key"),
        ({}, {"apiKey": "sandbox-key-0123456789"}, 200, None),
        ({"Authorization": "Bearer sandbox-key-0123456789"}, {}, 200, None),
    ],
)
def test_keys(
    sandbox: Sandbox,
    headers: dict[str, str],
    params: dict[str, str],
    status: int,
    error: str | None,
) -> None:
    url = sandbox.url + "/v3/reference/exchanges"
    answer = requests.get(url, params=params, headers=headers, timeout=30)
    assert answer.status_code == status
    assert answer.json().get("error") == error
    (request,) = sandbox.requests
    assert request.authorized == (status == 200)
    assert request.key_in_url == ("apiKey" in params)
    assert "apiKey" not in request.query


def test_a_revoked_key_is_unknown(sandbox: Sandbox, get: Get) -> None:
    sandbox.plan = Plan(key_known=False)
    assert get("/v3/reference/exchanges").status_code == 401


def test_unknown_paths_get_plain_text(get: Get) -> None:
    answer = get("/v9/nothing")
    assert (answer.status_code, answer.text) == (404, "404 page not found")
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_requests_are_recorded_in_order(sandbox: Sandbox, get: Get) -> None:
    get("/v3/reference/splits", params={"limit": 1})
    get("/v3/reference/splits", params={"limit": 0})
    assert [(r.path, r.query, r.status) for r in sandbox.requests] == [
        ("/v3/reference/splits", {"limit": "1"}, 200),
        ("/v3/reference/splits", {"limit": "0"}, 400),
    ]
    assert abs(sandbox.requests[0].at - time.time()) < 5
    sandbox.clear_requests()
    assert sandbox.requests == []


def test_latency_delays_every_answer(world: World) -> None:
    with Sandbox(world, latency_ms=60) as sandbox:
        start = time.monotonic()
        requests.get(sandbox.url + "/v3/reference/exchanges", timeout=30)
        assert time.monotonic() - start >= 0.06


def test_a_sandbox_can_be_entered_again_on_its_port(world: World) -> None:
    sandbox = Sandbox(world)
    with sandbox:
        first = sandbox.url
        requests.get(first + "/v9", timeout=30)
    with pytest.raises(requests.ConnectionError):
        requests.get(first + "/v9", timeout=30)
    with sandbox:
        assert sandbox.url == first
        assert requests.get(first + "/v9", timeout=30).status_code == 404


def test_a_port_in_use_is_reported(world: World, sandbox: Sandbox) -> None:
    port = int(sandbox.url.rsplit(":", 1)[1])
    with pytest.raises(OSError, match="in use"), Sandbox(world, port=port):
        pass

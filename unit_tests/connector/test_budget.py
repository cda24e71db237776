"""The pace: one of each product, and what happens where the vendor counts otherwise."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import requests
from airbyte_cdk.sources.declarative.models.declarative_component_schema import HTTPAPIBudget
from airbyte_cdk.sources.declarative.parsers.model_to_component_factory import (
    ModelToComponentFactory,
)
from airbyte_cdk.sources.streams.call_rate import (
    HttpAPIBudget,
    LimiterSession,
    MovingWindowCallRatePolicy,
)
from polygon_sandbox import Plan, Sandbox
from polygon_sandbox.contract.facts import contract
from polygon_sandbox.plan import product_of as product_in_the_sandbox
from pyrate_limiter import TimeClock
from source_polygon.vendor.budget import Budget, pace_of
from source_polygon.vendor.products import product_of, product_of_symbol
from source_polygon.vendor.tally import Tally

from unit_tests.connector.cloud_syncing import CLOUD
from unit_tests.connector.syncing import Syncs

HOST = "https://api.massive.com"


@pytest.mark.parametrize(
    ("path", "product"),
    [
        ("/v2/aggs/ticker/AAPL/range/1/day/2026-11-02/2026-11-03", "stocks"),
        ("/v2/aggs/ticker/O:SPY251219C00650000/range/1/day/1/2", "options"),
        ("/v2/aggs/ticker/O%3ASPY251219C00650000/range/1/day/1/2", "options"),
        ("/v2/aggs/ticker/I:SPX/range/1/day/1/2", "indices"),
        ("/v2/aggs/ticker/X%3aBTCUSD/range/1/day/1/2", "crypto"),
        ("/v2/aggs/ticker/C:EURUSD/range/1/day/1/2", "fx"),
        ("/futures/v1/aggs/ESZ6", "futures"),
        ("/futures/v1/products", "futures"),
        ("/v2/aggs/grouped/locale/us/market/stocks/2026-11-19", "stocks"),
        ("/v2/aggs/grouped/locale/global/market/crypto/2026-11-19", "crypto"),
        ("/v2/aggs/grouped/locale/global/market/fx/2026-11-19", "fx"),
        ("/v3/snapshot/options/AAPL", "options"),
        ("/v3/snapshot/options/I%3ASPX", "options"),
        ("/v3/reference/options/contracts", "options"),
        ("/v3/reference/tickers/X:BTCUSD", "crypto"),
        ("/v3/reference/tickers?market=crypto", "stocks"),
        ("/v3/reference/tickers?ticker=X:BTCUSD", "stocks"),
        ("/stocks/v1/splits", "stocks"),
        ("/fed/v1/inflation", "stocks"),
        ("/benzinga/v1/ratings", "stocks"),
    ],
)
def test_a_request_counts_for_the_product_of_its_path(path: str, product: str) -> None:
    assert product_of(HOST + path) == product
    assert product_of("http://127.0.0.1:8787/proxy" + path) == product


SYMBOLS = {
    "optionsTicker": "O:A",
    "indicesTicker": "I:A",
    "cryptoTicker": "X:A",
    "forexTicker": "C:A",
}


def cloud_budget(**config: Any) -> HttpAPIBudget:
    budget = ModelToComponentFactory().create_component(HTTPAPIBudget, CLOUD["api_budget"], config)
    assert isinstance(budget, HttpAPIBudget)
    return budget


def cloud_weight(budget: HttpAPIBudget, path: str) -> tuple[int, int]:
    request = requests.Request("GET", HOST + path).prepare()
    policy = budget.get_matching_policy(request)
    assert isinstance(policy, MovingWindowCallRatePolicy)
    (rate,) = policy._bucket.rates
    return policy.get_weight(request), rate.limit


@pytest.mark.parametrize(
    ("symbol", "product"),
    [
        ("AAPL", "stocks"),
        ("O", "stocks"),
        ("O:SPY261218C00500000", "options"),
        ("I:SPX", "indices"),
        ("X:BTC*", "crypto"),
        ("C:EURUSD", "fx"),
        ("*", "stocks"),
    ],
)
def test_a_symbol_tells_its_product(symbol: str, product: str) -> None:
    assert product_of_symbol(symbol) == product


def test_both_editions_and_the_sandbox_agree_on_the_product_of_every_path() -> None:
    numbers = {"stocks": 64, "options": 32, "indices": 16, "crypto": 8, "fx": 4, "futures": 2}
    budget = cloud_budget(requests_per_minute=1, requests_per_minute_by_product=numbers)
    seen = Counter[str]()
    for path in contract():
        if path.startswith(("/v1/historic", "/v1/last", "/v1/conversion", "/v1/open-close/crypto")):
            continue  # deprecated, or of single trades; no stream reads them
        for name, symbol in SYMBOLS.items():
            path = path.replace("{" + name + "}", symbol)
        weight, limit = cloud_weight(budget, path)
        product = product_of(HOST + path)
        assert (product_in_the_sandbox(path), limit // weight) == (product, numbers[product]), path
        seen[product] += 1
    assert seen.keys() == numbers.keys()


def test_the_cloud_edition_keeps_each_number_in_one_budget() -> None:
    stocks, options = "/stocks/v1/splits", "/v3/snapshot/options/AAPL"
    free = cloud_budget()
    assert [cloud_weight(free, path) for path in (stocks, options)] == [(1, 5), (1, 5)]
    paid = cloud_budget(requests_per_minute_by_product={"stocks": 3000})
    assert [cloud_weight(paid, path) for path in (stocks, options)] == [(1, 3000), (600, 3000)]
    odd = cloud_budget(requests_per_minute=600, requests_per_minute_by_product={"options": 7})
    assert cloud_weight(odd, options) == (86, 600)  # never more than asked for: 6 times 86


def test_each_product_has_its_own_number_or_that_of_all() -> None:
    config = {"requests_per_minute": 5, "requests_per_minute_by_product": {"stocks": 3000}}
    assert [pace_of(config, product) for product in ("stocks", "options")] == [3000, 5]
    assert pace_of({"requests_per_minute": 7}, "fx") == 7


def virtual() -> float:
    """Return the time of the budget's clock, which the fixture `naps` moves on, in seconds."""
    return float(TimeClock().now()) / 1000  # type: ignore[no-untyped-call]


def plan(**counted: Any) -> Plan:
    return Plan(requests_per_minute=5, monotonic=virtual, **counted)


GROUPED = "/v2/aggs/grouped/locale/"
PATHS = [
    GROUPED + "us/market/stocks/2026-11-19",
    GROUPED + "global/market/crypto/2026-11-19",
    GROUPED + "global/market/fx/2026-11-19",
]


def sent(sandbox: Sandbox, **config: Any) -> tuple[Counter[int], int]:
    """Ask for each path 12 times, in turn, one at a time; return the statuses and the minutes."""
    session = LimiterSession(api_budget=Budget({"requests_per_minute": 5, **config}))
    session.headers["Authorization"] = f"Bearer {sandbox.key}"
    began, statuses = virtual(), Counter[int]()
    for path in PATHS * 12:
        while True:
            status = session.get(sandbox.url + path).status_code
            statuses[status] += 1
            if status == 200:
                break
            time.sleep(61)
    return statuses, round((virtual() - began) / 62)


@pytest.mark.usefixtures("naps")
def test_products_are_paced_each_on_its_own(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.plan = plan(a_count_a_product=True)
    assert sent(sandbox) == ({200: 36}, 2)
    assert "share" not in caplog.text


@pytest.mark.usefixtures("naps")
def test_a_number_of_its_own_frees_a_product_from_the_pace_of_the_others(sandbox: Sandbox) -> None:
    sandbox.plan = plan(a_count_a_product=True, unlimited_products=frozenset({"stocks", "fx"}))
    paid = {"stocks": 3000, "fx": 3000}
    assert sent(sandbox, requests_per_minute_by_product=paid) == ({200: 36}, 2)
    assert sent(sandbox, requests_per_minute_by_product={**paid, "crypto": 2}) == ({200: 36}, 5)


@pytest.mark.usefixtures("naps")
def test_where_the_vendor_counts_per_key_the_products_share_one_pace_after_one_429(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.plan = plan()
    assert sent(sandbox) == ({200: 36, 429: 1}, 7)  # 35 // 5
    (warning,) = [line.getMessage() for line in caplog.records if line.levelname == "WARNING"]
    assert warning == (
        "The vendor answers 429 for fx, though no more than 5 requests a minute are sent for it. "
        "It may count all products of the key together: from here on those without a number of "
        "their own share 5 requests a minute."
    )


@pytest.mark.usefixtures("naps", "both_ways")
@pytest.mark.parametrize("a_count_a_product", [True, False])
def test_a_sync_of_several_products_succeeds_however_the_vendor_counts(
    syncs: Syncs, a_count_a_product: bool
) -> None:
    markets: dict[str, Any] = {"markets": ["stocks", "crypto", "fx"], "start_date": "2026-11-05"}
    syncs.read("grouped_daily", **markets)
    whole = dict(syncs.tables["grouped_daily"])
    slow = Syncs(syncs.sandbox)
    slow.sandbox.plan = plan(a_count_a_product=a_count_a_product)
    output = slow.read("grouped_daily", requests_per_minute=5, **markets)
    assert output.status("grouped_daily") == "COMPLETE"
    assert slow.tables["grouped_daily"] == whole


def test_time_waited_is_counted_while_the_wait_lasts(clock: Callable[[str], None]) -> None:
    now = [10.0]
    tally = Tally(lambda: now[0])
    with tally.waiting("stocks"):
        now[0] = 13.0
        assert tally.waited() == {"stocks": 3.0}
        with tally.waiting("options"):
            now[0] = 14.0
    now[0] = 20.0
    assert tally.waited() == {"stocks": 4.0, "options": 1.0}


def test_a_429_for_the_only_product_changes_no_pace(caplog: pytest.LogCaptureFixture) -> None:
    budget = Budget({"requests_per_minute": 5})
    request = requests.Request("GET", HOST + "/stocks/v1/splits").prepare()
    response = requests.Response()
    response.status_code = 429
    with caplog.at_level(logging.WARNING):
        budget.acquire_call(request)
        before = budget.get_matching_policy(request)
        budget.update_from_response(request, response)
    assert budget.get_matching_policy(request) is before
    assert caplog.text == ""

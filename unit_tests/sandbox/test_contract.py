from collections.abc import Callable

import pytest
import requests
from polygon_sandbox import Sandbox, World
from polygon_sandbox.contract import BadRequest, Endpoint, endpoint, parse

Get = Callable[..., requests.Response]

TICKERS = endpoint("/v3/reference/tickers")
SPLITS = endpoint("/v3/reference/splits")
DIVIDENDS = endpoint("/v3/reference/dividends")


@pytest.mark.parametrize(
    ("endpoint", "name", "value"),
    [
        (TICKERS, "market", "shares"),
        (TICKERS, "type", "ETFS"),
        (TICKERS, "active", "yes"),
        (TICKERS, "limit", "0"),
        (TICKERS, "limit", "1001"),
        (TICKERS, "limit", "ten"),
        (TICKERS, "order", "down"),
        (TICKERS, "sort", "price"),
        (TICKERS, "date", "2026-1-1"),
        (TICKERS, "ticker", ""),
        (TICKERS, "market.gt", "fx"),
        (TICKERS, "tickr", "A"),
        (SPLITS, "execution_date", "20.11.2026"),
        (SPLITS, "ticker.like", "A"),
        (DIVIDENDS, "frequency", "3"),
        (DIVIDENDS, "cash_amount.gt", "much"),
        (DIVIDENDS, "dividend_type", "XX"),
    ],
)
def test_bad_parameters_are_refused(endpoint: Endpoint, name: str, value: str) -> None:
    with pytest.raises(BadRequest):
        parse(endpoint, [(name, value)])


def test_refusals_name_what_is_allowed(get: Get) -> None:
    answer = get("/v3/reference/tickers", params={"market": "shares"})
    assert answer.status_code == 400
    assert answer.json()["status"] == "ERROR"
    assert "stocks, crypto, fx, otc, indices" in answer.json()["error"]


def test_a_repeated_parameter_is_refused(get: Get) -> None:
    assert get("/v3/reference/tickers?ticker=A&ticker=AA").status_code == 400


def test_defaults_are_those_of_the_spec() -> None:
    assert (parse(TICKERS, []).sort, parse(TICKERS, []).limit) == ("ticker", 100)
    assert (parse(SPLITS, []).sort, parse(SPLITS, []).limit) == ("execution_date", 10)
    assert (parse(DIVIDENDS, []).sort, parse(DIVIDENDS, []).limit) == ("ex_dividend_date", 10)


def test_unknown_parameters_pass_when_not_strict(world: World) -> None:
    with Sandbox(world, strict=False) as sandbox:
        params = {"apiKey": sandbox.key, "locale": "us"}
        url = sandbox.url + "/v2/aggs/grouped/locale/us/market/stocks/2026-11-19"
        assert requests.get(url, params=params, timeout=30).status_code == 200
        # On later pages too: the cursor carries them.
        params = {**params, "limit": "5"}
        first = requests.get(sandbox.url + TICKERS.path, params=params, timeout=30).json()
        login = {"Authorization": f"Bearer {sandbox.key}"}
        assert requests.get(first["next_url"], headers=login, timeout=30).status_code == 200

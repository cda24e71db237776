"""The lists that are made up from the contract: every one of them, by one set of rules."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import requests
from polygon_sandbox import DatasetSize, Plan, Sandbox, World
from polygon_sandbox.contract import Field, endpoint, fields
from polygon_sandbox.datasets import Datasets, dataset_paths
from polygon_sandbox.ticks import CONDITIONS

Get = Callable[..., requests.Response]
Pages = Callable[..., list[dict[str, Any]]]
Row = dict[str, Any]

SHORT_INTEREST = "/stocks/v1/short-interest"
YIELDS = "/fed/v1/treasury-yields"
STATEMENTS = "/stocks/financials/v1/balance-sheets"
NEWS = "/v2/reference/news"
IPOS = "/v1/reference/ipos"
RATINGS = "/benzinga/v1/ratings"
JSON_TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}
# The last parts of the paths of every market-wide dataset.
WANTED = {
    *("short-interest", "short-volume", "float", "news", "balance-sheets", "income-statements"),
    *("cash-flow-statements", "ratios", "index", "sections", "text", "13-F", "form-3", "form-4"),
    *("risk-factors", "treasury-yields", "inflation", "inflation-expectations", "labor-market"),
    *("conditions", "ipos", "contracts", "products", "schedules", "analyst-insights", "analysts"),
    *("bulls-bears-say", "earnings", "firms", "guidance", "ratings", "analytics", "constituents"),
    *("fund-flows", "profiles", "taxonomies", "corporate-events", "merchant-aggregates"),
    *("merchant-hierarchy", "exchanges"),
}


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """One world for the tests that only read."""
    world = World(stocks=30, delisted=5, now="2026-11-20T22:30:00Z")
    with Sandbox(world) as sandbox:
        yield sandbox


def read(sandbox: Sandbox, path: str, **params: str | int) -> list[Row]:
    login = {"Authorization": f"Bearer {sandbox.key}"}
    url: str | None = sandbox.url + path
    rows: list[Row] = []
    while url:
        answer = requests.get(url, params=params, headers=login, timeout=30)
        assert answer.status_code == 200, answer.text
        rows += answer.json()["results"]
        url, params = answer.json().get("next_url"), {}
    return rows


def test_every_market_wide_list_is_served() -> None:
    assert {path.rpartition("/")[2] for path in dataset_paths()} >= WANTED


@pytest.mark.parametrize("path", sorted(dataset_paths()))
def test_rows_are_those_of_the_contract_and_the_truth(shared: Sandbox, path: str) -> None:
    truth = shared.world.dataset(path).rows()
    rows = read(shared, path, limit=7)
    assert sorted(map(str, rows)) == sorted(map(str, truth))
    assert len({str(row) for row in rows}) == len(rows)
    assert 10 <= len(rows) <= 60
    facts = endpoint(path)
    # Where the vendor's example has a null, other optional fields may have one.
    nulls = any("null" in field.types for field in fields(path).values())
    seen = set()
    for row in rows:
        for name, value in row.items():
            types = tuple(JSON_TYPES[kind] for kind in fields(path)[name].types)
            optional = nulls and not facts.row[name].required
            assert isinstance(value, types) or (optional and value is None), (name, value)
            seen.add(name)
            if value is not None and facts.row[name].format == "date":
                date.fromisoformat(value)
            if facts.row[name].choices:
                assert value in facts.row[name].choices
        assert all(name in row for name, field in facts.row.items() if field.required)
    assert seen == set(facts.row)


def test_nested_rows_have_their_fields(shared: Sandbox) -> None:
    def check(value: Any, field: Field) -> None:
        if field.fields is not None:
            assert set(value) == set(field.fields)
            for name, part in field.fields.items():
                check(value[name], part)
        elif field.items is not None:
            for item in value:
                check(item, field.items)
        else:
            assert isinstance(value, JSON_TYPES[field.type])

    for row in shared.world.dataset(NEWS).rows():
        for name in ("publisher", "insights"):
            if name in row:
                check(row[name], endpoint(NEWS).row[name])


def test_a_seed_gives_the_same_rows_and_another_gives_others() -> None:
    one, same, other = (World(seed=s, now="2026-11-20T22:30:00Z") for s in (1, 1, 2))
    assert one.dataset(SHORT_INTEREST).rows() == same.dataset(SHORT_INTEREST).rows()
    assert one.dataset(SHORT_INTEREST).rows() != other.dataset(SHORT_INTEREST).rows()


def test_the_conditions_of_its_trades_are_no_others_on_any_day() -> None:
    """Bars are built of trades by them: one made up under the same number would change bars."""
    path = "/v3/reference/conditions"
    known = {row["id"]: row["update_rules"] for row in CONDITIONS}
    for number in range(60):
        day = date(2026, 11, 1) + timedelta(days=number)
        rows = Datasets(7, ["AAPL"], DatasetSize(), lambda day=day: day).at(path).rows()  # type: ignore[misc]
        assert len(rows) == 60
        found = [(row["id"], row["update_rules"]) for row in rows if row["id"] in known]
        assert found == list(known.items())


def test_symbols_are_those_of_the_world(world: World) -> None:
    known = {row["ticker"] for active in (True, False) for row in world.tickers("stocks", active)}
    rows = world.dataset(SHORT_INTEREST).rows()
    assert {row["ticker"] for row in rows} <= known
    for row in world.dataset(STATEMENTS).rows():
        assert set(row["tickers"]) <= known
    keys = [(row["ticker"], row["settlement_date"]) for row in rows]
    assert len(set(keys)) == len(keys)


def test_a_dataset_grows_by_a_day_whether_it_was_read_before_or_not() -> None:
    size = DatasetSize(days=5, rows_a_day=4)
    read_early = World(now="2026-11-20T22:30:00Z", datasets=size)
    first = read_early.dataset(SHORT_INTEREST).rows()
    days = [str(date(2026, 11, 16) + timedelta(days=n)) for n in range(5)]
    assert sorted({row["settlement_date"] for row in first}) == days
    assert len(first) == 20
    assert len(read_early.dataset(YIELDS).rows()) == 5
    read_late = World(now="2026-11-20T22:30:00Z", datasets=size)
    for world in (read_early, read_late):
        world.advance("2026-11-22T15:00:00Z")
    grown = read_early.dataset(SHORT_INTEREST).rows()
    assert grown[:20] == first
    assert {row["settlement_date"] for row in grown[20:]} == {"2026-11-21", "2026-11-22"}
    assert read_late.dataset(SHORT_INTEREST).rows() == grown


def test_a_day_may_have_more_rows_than_the_world_has_symbols() -> None:
    size = DatasetSize(days=3, rows_a_day=100)
    world = World(stocks=7, delisted=0, now="2026-11-20T22:30:00Z", datasets=size)
    for path, dated in ((SHORT_INTEREST, True), ("/stocks/vX/float", False)):
        rows = world.dataset(path).rows()
        assert len(rows) == 300
        keys = {(row["ticker"], row["settlement_date"] if dated else None) for row in rows}
        assert len(keys) == 300
        assert {row["ticker"] for row in world.tickers("stocks")} <= {key for key, _ in keys}


def test_ranges_lists_and_sorting_by_several_columns(shared: Sandbox) -> None:
    truth = shared.world.dataset(SHORT_INTEREST).rows()
    two = sorted({row["ticker"] for row in truth})[:2]
    rows = read(
        shared,
        SHORT_INTEREST,
        limit=4,
        sort="settlement_date.desc,ticker.asc",
        **{"ticker.any_of": ",".join(two), "settlement_date.gt": "2026-11-05"},
    )
    wanted = [r for r in truth if r["ticker"] in two and r["settlement_date"] > "2026-11-05"]
    wanted.sort(key=lambda row: str(row["ticker"]))
    wanted.sort(key=lambda row: str(row["settlement_date"]), reverse=True)
    assert rows == wanted
    assert len(rows) == 30
    big = read(shared, SHORT_INTEREST, **{"avg_daily_volume.gte": 500_000})
    assert sorted(map(str, big)) == sorted(
        str(row) for row in truth if row["avg_daily_volume"] >= 500_000
    )


def test_conditions_on_arrays_and_on_their_largest_element(shared: Sandbox) -> None:
    truth = shared.world.dataset(STATEMENTS).rows()
    ticker = truth[0]["tickers"][0]
    having = [row for row in truth if ticker in row["tickers"]]
    order = {"sort": "filing_date.asc"}
    assert read(shared, STATEMENTS, **order, tickers=ticker) == having
    assert read(shared, STATEMENTS, **order, **{"tickers.all_of": ticker}) == having
    above = [row for row in truth if max(row["tickers"]) > ticker]
    assert read(shared, STATEMENTS, **order, **{"max_ticker.gt": ticker}) == above
    assert 0 < len(above) < len(truth)
    news = shared.world.dataset(NEWS).rows()
    found = read(shared, NEWS, ticker=ticker, order="asc")
    assert found == sorted(
        (row for row in news if ticker in row["tickers"]), key=lambda r: str(r["published_utc"])
    )


def test_instants_may_be_dates_stamps_or_whole_numbers(shared: Sandbox) -> None:
    truth = shared.world.dataset(RATINGS).rows()
    newer = sorted(str(row) for row in truth if row["last_updated"] >= "2026-11-10")
    for instant in ("2026-11-10", "2026-11-10T00:00:00Z", "1794268800"):
        rows = read(shared, RATINGS, **{"last_updated.gte": instant})
        assert sorted(map(str, rows)) == newer
    assert 0 < len(newer) < len(truth)
    ipos = shared.world.dataset(IPOS).rows()
    rows = read(shared, IPOS, **{"listing_date.lt": "1794268800000000000"})
    assert sorted(map(str, rows)) == sorted(
        str(row) for row in ipos if row["listing_date"] < "2026-11-10"
    )


def test_what_the_contract_does_not_know_is_refused(get: Get) -> None:
    for path, wrong in (
        (SHORT_INTEREST, {"limit": "50001"}),
        (SHORT_INTEREST, {"settlement_date": "2026-11-1"}),
        (SHORT_INTEREST, {"date": "2026-11-10"}),
        (SHORT_INTEREST, {"days_to_cover.gt": "many"}),
        (STATEMENTS, {"sort": "tickers.asc"}),
        (NEWS, {"sort": "title"}),
        (RATINGS, {"last_updated.gt": "yesterday"}),
        (IPOS, {"ipo_status": "soon"}),
        ("/stocks/v1/exchanges", {"sort": "id.asc"}),
    ):
        answer = get(path, params=wrong)
        assert answer.status_code == 400, (path, wrong)
        assert answer.json()["status"] == "ERROR"


def test_rows_are_corrected_entered_late_and_taken_out(world: World, pages: Pages) -> None:
    dataset = world.dataset(SHORT_INTEREST)
    before = pages(SHORT_INTEREST, limit=50)
    row = before[5]
    where = {name: row[name] for name in ("ticker", "settlement_date")}
    assert dataset.change(where, short_interest=-1) == 1
    late = dataset.insert(ticker=row["ticker"], settlement_date="2026-10-01")
    gone = {name: before[9][name] for name in where}
    assert dataset.remove(gone) == 1
    after = pages(SHORT_INTEREST, limit=50)
    expected = [{**r, "short_interest": -1} if r == row else r for r in before if r != before[9]]
    assert sorted(map(str, after)) == sorted(map(str, [*expected, late]))
    assert set(late) <= set(fields(SHORT_INTEREST))
    assert dataset.remove({"ticker": "not there"}) == 0
    with pytest.raises(KeyError, match="has no field short"):
        dataset.insert(short=1)
    with pytest.raises(KeyError, match="is not a dataset"):
        world.dataset("/v3/reference/tickers")


def test_rows_that_change_between_pages_do_not_move_the_others(world: World, get: Get) -> None:
    params = {"limit": 10, "sort": "settlement_date.asc,ticker.desc"}
    first = get(SHORT_INTEREST, params=params).json()
    seen = first["results"]
    world.dataset(SHORT_INTEREST).remove({"ticker": seen[0]["ticker"]})
    left = world.dataset(SHORT_INTEREST).rows()
    rest, url = [], first["next_url"]
    while url:
        content = get(url).json()
        rest += content["results"]
        url = content.get("next_url")
    assert sorted(map(str, rest)) == sorted(str(row) for row in left if row not in seen)


def test_products_are_refused_one_by_one(sandbox: Sandbox, get: Get) -> None:
    sandbox.plan = Plan.unlimited(refused=("/benzinga", "/stocks/financials"))
    assert get(RATINGS).status_code == get(STATEMENTS).status_code == 403
    assert "not entitled" in get(RATINGS).json()["message"]
    assert get(YIELDS).status_code == get(SHORT_INTEREST).status_code == 200


def test_answers_have_the_envelope_of_their_generation(get: Get) -> None:
    assert set(get(YIELDS).json()) == {"results", "status", "request_id"}
    assert set(get(NEWS).json()) == {"results", "status", "request_id", "count", "next_url"}
    assert set(get("/v3/snapshot").json()) == {"results", "status", "request_id", "next_url"}

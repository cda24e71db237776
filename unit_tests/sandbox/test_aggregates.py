"""Bars of one ticker: over REST, and the same ones on the stream."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from polygon_sandbox import Plan, Sandbox, StreamSandbox, World
from websockets.asyncio.client import connect

Get = Callable[..., requests.Response]

START = 1795444200000  # 2026-11-23 14:30 UTC


@pytest.fixture
def world() -> World:
    return World(seed=7, stocks=50, delisted=80, now="2026-11-23T15:00:00Z")


@pytest.fixture
def ticker(world: World) -> str:
    return str(world.tickers("stocks")[0]["ticker"])


def _path(ticker: str, span: str, start: object, end: object) -> str:
    return f"/v2/aggs/ticker/{ticker}/range/{span}/{start}/{end}"


def test_bars_start_in_the_range_and_have_the_fields_of_the_spec(get: Get, ticker: str) -> None:
    content = get(_path(ticker, "1/second", START + 1, START + 3000)).json()
    assert content["ticker"] == ticker
    assert content["status"] == "OK"
    assert content["adjusted"] is True
    assert content["queryCount"] == content["resultsCount"] == 3
    assert [bar["t"] for bar in content["results"]] == [START + 1000 * n for n in (1, 2, 3)]
    for bar in content["results"]:
        assert set(bar) == {"v", "vw", "o", "c", "h", "l", "t", "n"}
        assert 0 < bar["l"] <= min(bar["o"], bar["c"]) <= bar["vw"] <= bar["h"]
        assert bar["v"] > 0


def test_a_minute_is_what_its_seconds_add_up_to(get: Get, ticker: str) -> None:
    (minute,) = get(_path(ticker, "1/minute", START, START)).json()["results"]
    seconds = get(_path(ticker, "1/second", START, START + 59_999)).json()["results"]
    assert len(seconds) == 60
    assert minute["o"] == seconds[0]["o"]
    assert minute["c"] == seconds[-1]["c"]
    assert minute["h"] == max(bar["h"] for bar in seconds)
    assert minute["l"] == min(bar["l"] for bar in seconds)
    assert minute["v"] == sum(bar["v"] for bar in seconds)
    assert minute["n"] == sum(bar["n"] for bar in seconds)
    (five,) = get(_path(ticker, "5/minute", START, START)).json()["results"]
    minutes = get(_path(ticker, "1/minute", START, START + 299_999)).json()["results"]
    assert len(minutes) == 5
    assert five["v"] == sum(bar["v"] for bar in minutes)


def test_the_same_seed_gives_the_same_bars(world: World, ticker: str) -> None:
    twin, other = (
        World(seed=seed, stocks=50, delisted=80, now="2026-11-23T15:00:00Z") for seed in (7, 8)
    )
    span = (ticker, 60, START, START + 600_000)
    assert list(twin.intraday(*span)) == list(world.intraday(*span))
    assert list(other.intraday(*span)) != list(world.intraday(*span))


@pytest.mark.parametrize("sort", ["asc", "desc"])
def test_pages_join_without_a_seam(get: Get, ticker: str, sort: str) -> None:
    params = {"sort": sort, "limit": 4, "adjusted": "false"}
    content = get(_path(ticker, "1/second", START, START + 9_000), params=params).json()
    times = [bar["t"] for bar in content["results"]]
    pages = 1
    while "next_url" in content:
        content = get(content["next_url"]).json()
        assert content["adjusted"] is False
        times += [bar["t"] for bar in content["results"]]
        pages += 1
    wanted = [START + 1000 * n for n in range(10)]
    assert times == (wanted if sort == "asc" else wanted[::-1])
    assert pages == 3


def test_dates_are_days_of_new_york_and_bars_in_progress_are_left_out(
    get: Get, ticker: str, world: World
) -> None:
    params = {"limit": 50_000}
    content = get(_path(ticker, "1/minute", "2026-11-20", "2026-11-20"), params=params).json()
    assert content["resultsCount"] == 1440
    assert content["results"][0]["t"] == 1795150800000  # midnight, 5:00 UTC
    content = get(_path(ticker, "1/minute", START, START + 86_400_000)).json()
    assert content["results"][-1]["t"] == round(world.now.timestamp() * 1000) - 60_000


def test_what_is_unknown_has_no_results(get: Get, ticker: str) -> None:
    content = get(_path("NOTATICKER", "1/minute", START, START)).json()
    assert (content["status"], content["resultsCount"]) == ("OK", 0)
    assert "results" not in content


@pytest.mark.parametrize(
    "path",
    [
        "1/fortnight/1/2",
        "0/minute/1/2",
        "x/minute/1/2",
        "1/minute/2/1",
        "1/minute/20261120/yesterday",
    ],
)
def test_bad_ranges_are_refused(get: Get, path: str) -> None:
    assert get(f"/v2/aggs/ticker/A/range/{path}").status_code == 400


@pytest.mark.parametrize("query", ["limit=50001", "limit=0", "sort=up", "cursor=_", "limits=1"])
def test_bad_parameters_are_refused(get: Get, query: str) -> None:
    assert get(f"{_path('A', '1/minute', START, START)}?{query}").status_code == 400


def test_the_plan_decides(get: Get, ticker: str, sandbox: Sandbox) -> None:
    path = _path(ticker, "1/minute", START, START)
    sandbox.plan = Plan.unlimited(delayed=True)
    assert get(path).json()["status"] == "DELAYED"
    sandbox.plan = Plan.free()
    assert get(path).status_code == 403


async def test_the_stream_sends_what_rest_gives_afterwards() -> None:
    world = World(seed=7)
    symbols = [str(row["ticker"]) for row in world.tickers("stocks")[:3]]

    async def listen(url: str) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        async with connect(f"{url}/stocks", proxy=None) as socket:
            for ask in ({"action": "auth", "params": "sandbox-key-0123456789"},
                        {"action": "subscribe", "params": "A.*"}):  # fmt: skip
                await socket.send(json.dumps(ask))
            while len(events) < 9:
                frame = json.loads(await asyncio.wait_for(socket.recv(), 10))
                events += [event for event in frame if event["ev"] == "A"]
        return events

    with StreamSandbox(symbols, clocked=True, seed=7) as server:
        events = await listen(server.url)
    assert [event["n"] for event in events] == list(range(1, 10))
    assert {event["sym"] for event in events} == set(symbols)
    for event in events:
        assert event["e"] - event["s"] == 1000
        assert 0 <= time.time() * 1000 - event["e"] < 20_000
        (bar,) = world.intraday(event["sym"], 1, event["s"], event["s"])
        row = bar.row()
        assert {name: event[name] for name in "voclh"} == {name: row[name] for name in "voclh"}
        assert (event["vw"], event["s"]) == (row["vw"], row["t"])
    one = [event for event in events if event["sym"] == symbols[0]]
    assert one[1]["av"] - one[0]["av"] == one[1]["v"]

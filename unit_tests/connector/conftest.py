"""A sandbox, a clock that agrees with it, and syncs against it."""

import time
from collections.abc import Callable, Iterator

import pytest
import requests_mock as rm
from airbyte_cdk.test import entrypoint_wrapper
from polygon_sandbox import Plan, Sandbox, World
from pyrate_limiter import TimeClock
from source_polygon.engine.output import in_pages

from unit_tests.connector import syncing
from unit_tests.connector.syncing import Syncs

NOW = "2026-11-20T22:30:00Z"


@pytest.fixture
def clock(clock: Callable[[str], None]) -> Callable[[str], None]:
    """Set what time it is; a Friday evening at first."""
    clock(NOW)
    return clock


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let waits pass at once, note how long each would have been, and move the rate window on."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    monkeypatch.setattr(TimeClock, "now", lambda _: int(1000 * (time.time() + sum(slept))))
    return slept


@pytest.fixture
def vendor() -> Iterator[rm.Mocker]:
    """Return what answers for the vendor; a request that nothing is said of fails."""
    with rm.Mocker() as mocker:
        yield mocker


@pytest.fixture
def world() -> World:
    return World(seed=7, stocks=60, delisted=90, otc=10, crypto=8, fx=8, indices=5, now=NOW)


@pytest.fixture
def stock(world: World) -> str:
    """A symbol of that world."""
    return str(world.tickers("stocks")[0]["ticker"])


@pytest.fixture
def sandbox(world: World) -> Iterator[Sandbox]:
    with Sandbox(world, plan=Plan.unlimited()) as running:
        yield running


@pytest.fixture
def syncs(sandbox: Sandbox, clock: Callable[[str], None]) -> Syncs:
    return Syncs(sandbox)


@pytest.fixture
def large(clock: Callable[[str], None]) -> Iterator[Syncs]:
    """A connection to a market whose lists take several pages each."""
    world = World(seed=11, stocks=1300, delisted=2200, otc=0, crypto=0, fx=0, indices=0, now=NOW)
    with Sandbox(world, plan=Plan.unlimited()) as running:
        yield Syncs(running)


@pytest.fixture(params=["one by one", "in pages"])
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test for each way in which records leave: PyAirbyte's, and the command's."""
    if request.param == "in pages":
        monkeypatch.setattr(syncing, "LEAVING", in_pages)
        monkeypatch.setattr(entrypoint_wrapper, "AirbyteEntrypoint", syncing.PagesUnpacked)

"""A small market with flat files, and syncs that read them."""

from collections.abc import Callable, Iterator

import pytest
from polygon_sandbox import Plan, Sandbox, World
from polygon_sandbox.flat_files import FilesSize, FlatFiles

from unit_tests.connector.flat.bucket import NOW, FlatSyncs


@pytest.fixture
def world() -> World:
    return World(seed=7, stocks=4, delisted=0, otc=0, crypto=2, fx=2, indices=2, now=NOW)


@pytest.fixture
def files(world: World) -> FlatFiles:
    return FlatFiles(world, FilesSize(days=40, tickers=2, bar_minutes=9, tick_seconds=1))


@pytest.fixture
def syncs(world: World, files: FlatFiles, clock: Callable[[str], None]) -> Iterator["FlatSyncs"]:
    with Sandbox(world, plan=Plan.unlimited(), flat_files=files) as running:
        yield FlatSyncs(running)

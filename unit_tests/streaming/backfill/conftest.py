"""ClickHouse itself, embedded, with empty tables; a sandbox with files."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from polygon_sandbox import Sandbox, World
from polygon_sandbox.flat_files import FilesSize, FlatFiles
from polygon_streaming import clickhouse

from unit_tests.streaming.flat_files import TABLES, Connect


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of the engine: a process can have but one at a time."""
    return f"chdb:{tmp_path_factory.mktemp('backfill')}"


@pytest.fixture
def connect(address: str) -> Iterator[Connect]:
    """Makes clients of a database of the test's own."""
    name = f"market_{uuid.uuid4().hex[:8]}"
    first = clickhouse.connect(address, "")
    first.command(f"CREATE DATABASE {name}")

    def another() -> Any:
        client = clickhouse.connect(address, "")
        client.command(f"USE {name}")
        client.database = name
        return client

    yield another
    first.command(f"DROP DATABASE {name}")
    first.close()


@pytest.fixture
def client(connect: Connect) -> Iterator[Any]:
    """A client with the three tables, empty."""
    client = connect()
    for kind, table in TABLES.items():
        client.command(clickhouse.table_statement(table, kind))
    yield client
    client.close()


@pytest.fixture(scope="session")
def world() -> World:
    return World(stocks=3, delisted=0, otc=0, now="2026-11-21T18:00:00Z")


@pytest.fixture
def sandbox(world: World, clock: Callable[[str], None]) -> Iterator[Sandbox]:
    """The vendor's files up to Friday the 20th; it is Saturday, and they are all published."""
    clock("2026-11-21T18:00:00Z")
    files = FlatFiles(world, FilesSize(days=20, bar_minutes=3, tick_seconds=3))
    with Sandbox(world, flat_files=files) as running:
        yield running


@pytest.fixture
def given(sandbox: Sandbox) -> dict[str, Any]:
    """What settings say of the sandbox's files."""
    return {
        "flat_files_endpoint": sandbox.url,
        "flat_files_access_key_id": sandbox.flat_files.access_key_id,
        "flat_files_secret_access_key": sandbox.key,
        "clickhouse": "chdb:",
    }

"""A database for each test that wants one, and one with a million bars."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from deploy.clickhouse.migrate import migrate
from deploy.clickhouse.statements import migrations

MILLION = 1_000_000
SYMBOLS = 100

# Bars of a second from 14:30:00 on. Every figure follows from the row's number, so that tests can
# compute what must come out; the seconds of a symbol all differ.
GENERATE = f"""
INSERT INTO stock_aggregates
    (event_type, market, symbol, window_start, window_end, open, high, low, close, vwap, volume,
     accumulated_volume, received_at, ingested_at)
SELECT
    'A', 'stocks', 'SYM' || toString(number % {SYMBOLS}) AS symbol,
    toDateTime64('2026-11-02 14:30:00', 3, 'UTC') + intDiv(number, {SYMBOLS}) AS start, start + 1,
    100 + intDiv(number, {SYMBOLS}) % 60, 200 + intDiv(number, {SYMBOLS}) % 60,
    50 - intDiv(number, {SYMBOLS}) % 40, 101 + intDiv(number, {SYMBOLS}) % 60, 120, 10,
    10 * (1 + intDiv(number, {SYMBOLS})), start + 1, '2026-11-02 20:00:00'
FROM numbers({MILLION})
"""


@pytest.fixture
def database(engine: Callable[..., Any]) -> Iterator[Any]:
    """A client with an empty database."""
    yield from own_database(engine)


@pytest.fixture
def migrated(database: Any) -> Any:
    """A client with a database that has all tables and views, empty."""
    migrate(database, migrations(), None, lambda _: None)
    return database


@pytest.fixture(scope="module")
def filled(engine: Callable[..., Any]) -> Iterator[Any]:
    """A client with a database that has a million bars; for reading only."""
    for client in own_database(engine):
        migrate(client, migrations(), None, lambda _: None)
        client.command(GENERATE)
        client.command("OPTIMIZE TABLE stock_aggregates FINAL")
        yield client


def own_database(engine: Callable[..., Any]) -> Iterator[Any]:
    client = engine()
    name = f"market_{uuid.uuid4().hex[:8]}"
    client.command(f"CREATE DATABASE {name}")
    client.command(f"USE {name}")
    yield client
    client.command(f"DROP DATABASE {name}")
    client.close()

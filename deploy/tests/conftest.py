"""ClickHouse itself, embedded (chDB). A process can have but one engine, so all tests share it."""

from collections.abc import Callable
from typing import Any

import pytest
from polygon_streaming import clickhouse


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Connects to the engine."""
    address = f"chdb:{tmp_path_factory.mktemp('clickhouse')}"
    return lambda: clickhouse.connect(address, "")

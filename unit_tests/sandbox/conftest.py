"""A small world on a Friday evening, and a sandbox that serves it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from polygon_sandbox import Sandbox, World

FRIDAY_EVENING = "2026-11-20T22:30:00Z"

Get = Callable[..., requests.Response]
Pages = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def world() -> World:
    return World(seed=7, stocks=50, delisted=80, otc=10, crypto=8, fx=8, now=FRIDAY_EVENING)


@pytest.fixture
def sandbox(world: World) -> Iterator[Sandbox]:
    with Sandbox(world) as running:
        yield running


@pytest.fixture
def get(sandbox: Sandbox) -> Iterator[Get]:
    """Ask the sandbox for a path or a whole URL, with the key in the header."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {sandbox.key}"

        def ask(url: str, **options: Any) -> requests.Response:
            url = url if url.startswith("http") else sandbox.url + url
            return session.get(url, timeout=30, allow_redirects=False, **options)

        yield ask


@pytest.fixture
def pages(get: Get) -> Pages:
    """All rows of a list endpoint, page after page."""

    def read(path: str, **params: str | int) -> list[dict[str, Any]]:
        content = get(path, params=params).json()
        rows: list[dict[str, Any]] = content["results"]
        while "next_url" in content:
            content = get(content["next_url"]).json()
            rows += content["results"]
        return rows

    return read

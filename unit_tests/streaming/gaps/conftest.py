import logging
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import structlog

from unit_tests.streaming.rest_look_alike import RestLookAlike


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """What is logged, as structlog has it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    with structlog.testing.capture_logs() as captured:
        yield captured


@pytest.fixture
def rest() -> Iterator[tuple[str, type[RestLookAlike]]]:
    handler = type("Handler", (RestLookAlike,), {"asked": [], "keys": [], "odd": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    server.server_close()

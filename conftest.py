"""The clock of the tests, the sandbox of acceptance-test-config.yml, and what holds for all tests.

They are at the root because `airbyte-cdk connector test` runs a suite of its own from a folder that
it writes: the root is the one place whose conftest.py pytest loads for both that suite and ours.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from hypothesis import settings
from polygon_sandbox import Plan, Sandbox, World
from source_polygon.sessions import last_finished

# How long an example takes is the machine's business: under load a deadline fails right code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

INTEGRATION = Path(__file__).parent / "integration_tests"
GENERATED = INTEGRATION / "generated"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Set what time it is, as often as a test wants; it begins as it is.

    Time goes on from there, in this process and in Python processes that are started later:
    `other_days/sitecustomize.py` moves those. DuckDB and ClickHouse keep the real time.
    """
    with ExitStack() as travels:

        def set_to(moment: str) -> None:
            travels.close()
            now = datetime.fromisoformat(moment.replace("Z", "+00:00"))
            travels.enter_context(time_machine.travel(now))
            ahead = now.timestamp() - time_machine.escape_hatch.time.time()
            folders = [str(INTEGRATION / "other_days"), os.environ.get("PYTHONPATH", "")]
            monkeypatch.setenv("TRAVEL_SECONDS", str(ahead))
            monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, folders)))

        yield set_to


@pytest.fixture(scope="session")
def acceptance_sandbox() -> Iterator[Sandbox]:
    """A sandbox in real time, with the configurations of the acceptance tests written for it."""
    with Sandbox(World(), Plan.unlimited()) as sandbox:
        config = {
            "api_key": sandbox.key,
            "start_date": str(last_finished("stocks") - timedelta(days=400)),
            "base_url": sandbox.url,
            "requests_per_minute": 6000,
        }
        GENERATED.mkdir(exist_ok=True)
        (GENERATED / "config.json").write_text(json.dumps(config))
        (GENERATED / "wrong_key.json").write_text(json.dumps({**config, "api_key": "wrong"}))
        yield sandbox


@pytest.fixture(autouse=True)
def _acceptance_sandbox(request: pytest.FixtureRequest) -> None:
    if request.path.name == "test_airbyte_standards.py":
        request.getfixturevalue("acceptance_sandbox")


@pytest.fixture(autouse=True)
def _logs_of_the_cdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the loggers of CDK and connector be heard: PyAirbyte takes those of their names over."""
    for name in ("airbyte", "airbyte.source-polygon"):
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)

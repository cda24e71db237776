import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.kafka.kafka_broker import Broker, fetch_jars
from integration_tests.kafka.stages import Stage


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    fetch_jars()
    with Broker(tmp_path_factory.mktemp("kafka")) as started:
        yield started


@pytest.fixture
def topics(broker: Broker) -> dict[str, str]:
    """Topics and group of one test alone, in the form of the commands' flags."""
    run = uuid.uuid4().hex[:6]
    kinds = ("raw", "filtered", "trades", "quotes", "dead_letter", "gaps")
    names = {f"{kind}_topic": f"{kind}-{run}" for kind in kinds}
    broker.create(*names.values())
    return {"bootstrap_servers": broker.address, **names}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture(autouse=True)
def _nothing_runs_on() -> Iterator[None]:
    yield
    for stage in Stage.started:
        if stage.running:
            stage.kill()
    Stage.started.clear()

import logging
from collections.abc import Iterator

import pytest
import structlog
from confluent_kafka import Producer
from polygon_sandbox import StreamSandbox


@pytest.fixture(scope="session")
def mock_kafka() -> Iterator[str]:
    """librdkafka's mock broker: enough to see what is produced, not to prove transactions."""
    owner = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0})
    brokers = owner.list_topics(timeout=10).brokers.values()
    yield ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
    del owner


@pytest.fixture
def server() -> Iterator[StreamSandbox]:
    with StreamSandbox(symbols=["AAPL", "MSFT"], rate=400, events_per_frame=4) as started:
        yield started


@pytest.fixture(autouse=True)
def _quiet_logs() -> None:
    logging.getLogger("librdkafka").setLevel(logging.CRITICAL)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        cache_logger_on_first_use=False,
    )

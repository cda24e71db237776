import socket
from collections.abc import Iterator

import pytest
import urllib3
from polygon_streaming.errors import ConfigError
from polygon_streaming.process.heartbeat import Heartbeat
from polygon_streaming.process.status import StatusServer


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    return number


@pytest.fixture
def problems() -> list[str]:
    return []


class FakeStage:
    def __init__(self, found: list[str]) -> None:
        self.heartbeat = Heartbeat()
        self.found = found

    def problems(self) -> list[str]:
        return self.found


@pytest.fixture
def stage(problems: list[str], port: int) -> Iterator[FakeStage]:
    stage = FakeStage(problems)
    with StatusServer("127.0.0.1", port, "feed", stage):
        yield stage


def _get(port: int, path: str) -> tuple[int, str]:
    answer = urllib3.request("GET", f"http://127.0.0.1:{port}{path}", retries=False)
    return answer.status, answer.data.decode()


def test_ready_tells_the_problems(stage: FakeStage, port: int, problems: list[str]) -> None:
    assert _get(port, "/readyz") == (200, "ok\n")
    problems.append("stocks: not subscribed")
    assert _get(port, "/readyz") == (503, "stocks: not subscribed\n")
    assert _get(port, "/healthz") == (200, "ok\n")


def test_a_stuck_loop_is_not_healthy(
    stage: FakeStage, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage.heartbeat, "stuck_seconds", lambda: 61.0)
    assert _get(port, "/healthz") == (503, "main loop stuck for 61 s\n")


def test_metrics_carry_the_version_and_readiness(
    stage: FakeStage, port: int, problems: list[str]
) -> None:
    status, text = _get(port, "/metrics")
    assert status == 200
    assert 'polygon_stream_build_info{stage="feed",version="' in text
    assert "\npolygon_stream_ready 1.0\n" in text
    problems.append("kafka: it is away")
    assert "\npolygon_stream_ready 0.0\n" in _get(port, "/metrics")[1]
    assert _get(port, "/nowhere")[0] == 404


def test_a_taken_port_is_named(stage: FakeStage, port: int) -> None:
    with pytest.raises(ConfigError, match=f"http_port: 127.0.0.1:{port} cannot be served"):
        StatusServer("127.0.0.1", port, "feed", stage).__enter__()

import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from polygon_streaming.process import logs


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before, level = list(logging.root.handlers), logging.root.level
    configured = structlog.get_config()
    yield
    logging.root.handlers[:] = before
    logging.root.setLevel(level)
    structlog.configure(**configured)


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_of_a_state_there_is_a_line_a_minute_and_it_counts_those_between() -> None:
    now = 0.0
    states = logs.States(lambda: now)
    said = {}
    for tenth in range(1250):
        now = tenth / 10
        left_out = states.due("kafka _TRANSPORT")
        if left_out is not None:
            said[now] = left_out
    assert said == {0.0: 0, 60.0: 599, 120.0: 599}


def test_each_state_has_minutes_of_its_own() -> None:
    states = logs.States(lambda: 7.0)
    assert [states.due(name) for name in ("a", "b", "a", "b")] == [0, 0, None, None]


def test_what_happened_once_is_always_said_and_a_state_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.set_up("json", "info")
    log = structlog.get_logger()
    for number in range(3):
        log.warning("gap", number=number)
        log.warning("retrying", number=number, state="retrying")
    assert [(line["event"], line["number"]) for line in _lines(capsys)] == [
        ("gap", 0),
        ("retrying", 0),
        ("gap", 1),
        ("gap", 2),
    ]


def test_lines_of_libraries_are_states_of_theirs(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("json", "info")
    rdkafka, other = logging.getLogger("librdkafka"), logging.getLogger("urllib3")
    rdkafka.setLevel(logging.DEBUG)
    for port in (9092, 9093, 9094):
        rdkafka.error("FAIL [thrd:broker-%d]: refused (after %dms)", port, port)
        rdkafka.warning("TERMINATE [thrd:main]: %d waits", port)
        other.warning("try %d of 6", port)
        other.warning("try %d of 6: gave up", port)
    assert [line["event"] for line in _lines(capsys)] == [
        "FAIL [thrd:broker-9092]: refused (after 9092ms)",
        "TERMINATE [thrd:main]: 9092 waits",
        "try 9092 of 6",
        "try 9092 of 6: gave up",
    ]

"""The sink's table on chDB, in a process of its own, and what becomes of inserts that fail."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from polygon_streaming.errors import ConfigError, StreamError
from polygon_streaming.settings import SinkSettings
from polygon_streaming.sink.clickhouse import connect
from polygon_streaming.sink.clients import connect as connect_all
from polygon_streaming.sink.commits import Commits
from polygon_streaming.sink.sink import Sink

from unit_tests.streaming.clickhouse_server import ClickHouseServer, Failure
from unit_tests.streaming.fake_consumer import FakeConsumer

_SCRIPT = """
import json, sys
import clickhouse_connect
from polygon_streaming.sink.clickhouse import connect, table_statement
client = connect("chdb:" + sys.argv[1], "")
client.command(table_statement("stock_aggregates"))
row = json.loads(sys.argv[2])
for close in (1.5, 2.5):
    line = json.dumps({**row, "close": close}).encode()
    client.raw_insert("stock_aggregates", insert_block=line, fmt="JSONEachRow",
                      settings={"input_format_skip_unknown_fields": 1})
found = client.query(
    "SELECT toString(window_start), close, volume, vwap, otc FROM stock_aggregates FINAL")
print(json.dumps([list(row) for row in found.result_rows]))
"""

RECORD = {
    "event_type": "A", "market": "stocks", "symbol": "BRK.B",
    "window_start": "2026-11-23 14:30:00.000", "window_end": "2026-11-23 14:30:01.000",
    "open": 1.0, "high": 3.0, "low": 1.0, "close": 2.0, "vwap": None, "volume": 33.5,
    "accumulated_volume": None, "official_open": None, "day_vwap": None,
    "average_trade_size": None, "otc": False, "received_at": "2026-11-23 14:30:01.234",
    "healed": False, "unknown": 1,
}  # fmt: skip


def test_a_bar_sent_again_replaces_the_earlier_one_and_times_are_right(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(tmp_path / "db"), json.dumps(RECORD)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert json.loads(done.stdout) == [["2026-11-23 14:30:00.000", 2.5, 33.5, None, False]]


SECRET = "pass-9f2c"
BAD_ROW = Failure(400, 27, 'Code: 27. DB::Exception: Cannot parse input: "volume" (at row 2)')
TOO_MANY_PARTS = Failure(500, 252, "Code: 252. DB::Exception: Too many parts (300)")
WRONG_USER = Failure(403, 516, "Code: 516. DB::Exception: default: Authentication failed")
GATEWAY = Failure(502, None, "<html>Bad Gateway</html>")


@pytest.fixture
def server() -> Iterator[ClickHouseServer]:
    with ClickHouseServer() as started:
        yield started


@pytest.fixture
def settings(mock_kafka: str, server: ClickHouseServer, tmp_path: Path) -> SinkSettings:
    """A sink with five records before it, on one partition."""
    run = tmp_path.name
    given = SinkSettings.model_validate(
        {
            "bootstrap_servers": mock_kafka,
            "filtered_topic": f"filtered-{run}",
            "trades_topic": f"trades-{run}",
            "quotes_topic": f"quotes-{run}",
            "group": f"sink-{run}",
            "clickhouse": server.address,
            "clickhouse_password": SECRET,
            "batch_seconds": 0.2,
        }
    )
    producer = Producer({"bootstrap.servers": mock_kafka})
    for number in range(5):
        value = json.dumps({**RECORD, "volume": number})
        producer.produce(given.filtered_topic, value, partition=0)
    assert producer.flush(10) == 0
    return given


def _committed(settings: SinkSettings) -> int:
    consumer = Consumer(
        {"bootstrap.servers": settings.bootstrap_servers, "group.id": settings.group}
    )
    (place,) = consumer.committed([TopicPartition(settings.filtered_topic, 0)], timeout=10)
    consumer.close()
    return max(0, place.offset)


def _run_until(settings: SinkSettings, done: Callable[[], bool], pause: float = 0.02) -> None:
    """Run a sink until a condition holds; what ends the sink earlier is raised."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        sink = Sink(settings, connect_all(settings, answer_seconds=1), [pause] * 5)
        running = pool.submit(sink.run, stop)
        deadline = time.monotonic() + 30
        while not (done() or running.done() or time.monotonic() > deadline):
            time.sleep(0.02)
        stop.set()
        running.result(20)


def _volumes(server: ClickHouseServer) -> list[int]:
    return sorted(row["volume"] for row in server.rows)


def test_what_passes_by_itself_is_tried_again_and_nothing_is_lost(
    settings: SinkSettings, server: ClickHouseServer
) -> None:
    server.failures.extend(
        [GATEWAY, TOO_MANY_PARTS, Failure(503), Failure(kind="silence"), Failure(kind="cut")]
    )
    _run_until(settings, lambda: bool(server.rows))
    assert server.inserts == 6
    assert _volumes(server) == [0, 1, 2, 3, 4]
    assert _committed(settings) == 5


def test_each_kind_goes_to_its_own_table(settings: SinkSettings, server: ClickHouseServer) -> None:
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers})
    for topic, count in ((settings.trades_topic, 3), (settings.quotes_topic, 2)):
        for number in range(count):
            producer.produce(topic, json.dumps({"sequence_number": number}), partition=0)
    assert producer.flush(10) == 0
    server.failures.append(GATEWAY)
    _run_until(settings, lambda: len(server.rows) == 10)
    assert server.tables == {"stock_aggregates": 5, "trades": 3, "quotes": 2}
    assert _committed(settings) == 5


def test_a_clickhouse_that_stays_away_ends_the_sink_with_its_offsets_behind(
    settings: SinkSettings, server: ClickHouseServer
) -> None:
    server.failures.extend([GATEWAY] * 6)
    with pytest.raises(StreamError, match=r"does not take 5 records, from .*@0 to .*@4") as caught:
        _run_until(settings, lambda: False)
    assert "Bad Gateway" in str(caught.value)
    assert caught.value.exit_status == 1
    assert (server.inserts, server.rows, _committed(settings)) == (6, [], 0)
    _run_until(settings, lambda: bool(server.rows))
    assert _volumes(server) == [0, 1, 2, 3, 4]
    assert _committed(settings) == 5


@pytest.mark.parametrize("failure", [BAD_ROW, WRONG_USER], ids=["bad row", "password changed"])
def test_a_refusal_is_not_tried_again_and_says_what_is_refused(
    settings: SinkSettings, server: ClickHouseServer, failure: Failure
) -> None:
    server.failures.append(failure)
    with pytest.raises(StreamError, match=r"refuses 5 records, from .*\[0\]@0 to .*@4") as caught:
        _run_until(settings, lambda: False)
    assert failure.words[:30] in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.exit_status == 1
    assert (server.inserts, server.rows, _committed(settings)) == (1, [], 0)


def test_a_stop_does_not_wait_for_the_next_try(
    settings: SinkSettings, server: ClickHouseServer
) -> None:
    server.failures.extend([GATEWAY] * 6)
    with pytest.raises(StreamError, match="not committed; the next start reads them again"):
        _run_until(settings, lambda: server.inserts == 1, pause=3600)
    assert (server.inserts, _committed(settings)) == (1, 0)


@pytest.mark.parametrize(
    ("start", "failure", "status", "words"),
    [
        ("SELECT version()", WRONG_USER, 2, "Authentication failed"),
        ("SELECT version()", GATEWAY, 1, "HTTP status 502"),
        ("CREATE TABLE", Failure(403, 497, "Code: 497. Not enough privileges"), 2, "privileges"),
        ("CREATE TABLE", Failure(503), 1, "HTTP status 503"),
    ],
)
def test_what_ends_the_start_says_whether_a_restart_helps(
    settings: SinkSettings,
    server: ClickHouseServer,
    start: str,
    failure: Failure,
    status: int,
    words: str,
) -> None:
    server.refuse[start] = failure
    with pytest.raises(StreamError, match=words) as caught:
        Sink(settings, connect_all(settings))
    assert caught.value.exit_status == status
    assert SECRET not in str(caught.value)


def test_a_clickhouse_that_is_down_is_worth_a_restart() -> None:
    with pytest.raises(StreamError, match=r"clickhouse: .*Connection refused") as caught:
        connect("http://127.0.0.1:1/default", SECRET)
    assert caught.value.exit_status == 1


@pytest.mark.parametrize(
    "address",
    [f"user:{SECRET}@host", f"tcp://user:{SECRET}@host:9000", f"http://user:{SECRET}#x@host:1/d"],
)
def test_an_address_of_another_form_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(ConfigError, match="Give http://user@host:port/database") as caught:
        connect(address, "")
    assert SECRET[:4] not in str(caught.value)


def _member(*owned: int) -> Any:
    """Return a member that is asked to commit; the test gives the brokers' answers."""
    consumer = FakeConsumer()
    consumer.incremental_assign([TopicPartition("filtered", number) for number in owned])
    return consumer


class Read:
    """A record of one partition."""

    def __init__(self, partition: int, offset: int) -> None:
        self.place = partition, offset

    def topic(self) -> str:
        return "filtered"

    def partition(self) -> int:
        return self.place[0]

    def offset(self) -> int:
        return self.place[1]


def _places(offsets: dict[int, int]) -> list[TopicPartition]:
    return [TopicPartition("filtered", number, offset) for number, offset in offsets.items()]


@pytest.mark.parametrize(
    "code", [KafkaError._WAIT_COORD, KafkaError._TIMED_OUT, KafkaError.ILLEGAL_GENERATION]
)
def test_a_commit_that_fails_is_made_again_with_all_that_is_due(code: int) -> None:
    commits, consumer = Commits(), _member(0, 1)
    commits.inserted(cast("Any", [Read(0, 4), Read(1, 8), Read(0, 5)]))
    commits.ask(consumer)
    commits.ask(consumer)  # one question at a time
    commits.answered(KafkaError(code), _places({0: 6, 1: 9}))
    commits.inserted(cast("Any", [Read(0, 6)]))
    commits.ask(consumer)
    commits.inserted(cast("Any", [Read(1, 9)]))
    commits.answered(None, _places({0: 7, 1: 9}))
    commits.ask(consumer)
    commits.answered(None, _places({1: 10}))
    commits.ask(consumer)
    assert consumer.asked == [{0: 6, 1: 9}, {0: 7, 1: 9}, {1: 10}]


def test_what_went_to_another_member_is_not_committed() -> None:
    commits, consumer = Commits(), _member(1)
    commits.inserted(cast("Any", [Read(0, 4), Read(1, 8)]))
    commits.ask(consumer)
    assert consumer.asked == [{1: 9}]


def test_a_refused_commit_ends_the_sink() -> None:
    commits, consumer = Commits(), _member(0)
    commits.inserted(cast("Any", [Read(0, 4)]))
    commits.ask(consumer)
    commits.answered(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED), _places({0: 5}))
    with pytest.raises(KafkaException, match="GROUP_AUTHORIZATION_FAILED"):
        commits.ask(consumer)


def test_offsets_that_wait_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("polygon_streaming.sink.commits.time.monotonic", lambda: now)
    commits, consumer = Commits(), _member(0)
    commits.inserted(cast("Any", [Read(0, 4)]))
    now += 4
    assert commits.problems() == []
    commits.ask(consumer)
    now += 8
    assert commits.problems() == ["kafka: offsets have not been committed for 12 s"]
    commits.answered(None, _places({0: 5}))
    assert commits.problems() == []

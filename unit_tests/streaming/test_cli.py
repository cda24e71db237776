import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from polygon_sandbox import StreamSandbox
from polygon_streaming.stamps import from_text

from integration_tests.servers import Server
from unit_tests.streaming.clickhouse_server import ClickHouseServer, Failure
from unit_tests.streaming.topics import values_of

COMMAND = str(Path(sys.executable).with_name("polygon-stream"))
VERSION = (Path(__file__).parents[2] / "VERSION").read_text().strip()
NO_KAFKA = ["--bootstrap-servers", "127.0.0.1:1"]


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("POLYGON_")}
    return subprocess.run(
        [COMMAND, *arguments], capture_output=True, text=True, env={**clean, **environment},
        check=False, timeout=60,
    )  # fmt: skip


def test_help_names_every_command_and_each_explains_itself() -> None:
    overview = _run("--help")
    assert overview.returncode == 0
    for name in ("feed", "filter", "sink", "heal", "backfill", "verify", "doctor"):
        assert f"polygon-stream {name}" in overview.stdout
        done = _run(name, "--help")
        assert done.returncode == 0
        assert done.stdout.startswith(f"usage: polygon-stream {name} ")
        of_files = name in ("backfill", "verify")
        assert ("--bootstrap-servers" in done.stdout) is not of_files
        assert ("--directory" in done.stdout) is of_files
    assert _run("--version").stdout == f"polygon-stream {VERSION}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["fed"],
            "'fed' is not a command. Give one of feed, filter, sink, heal, backfill, verify, "
            "doctor. Did you mean",
        ),
        (["feed"], "api_key: is missing. Give --api-key or POLYGON_API_KEY."),
        (["feed", "--api-key", "k", "--subscriptions", "none.csv"], "none.csv cannot be read"),
        (["filter", "--rules", "none.yaml"], "none.yaml cannot be read"),
        (["filter", "--kafka", "nonsense=1"], 'No such configuration property: "nonsense"'),
        (["backfill"], "start: is missing. Give --start or POLYGON_STREAM_START."),
        (["backfill", "--start", "yesterday"], "start: Input should be a valid date"),
        (["backfill", "--start", "2026-11-02"], "There is no key for flat files. Set POLYGON_FLAT"),
        (["backfill", "--start", "2026-11-02", "--markets", "stock"], "'stock' is not a market"),
        (["verify"], "day: is missing. Give DAY or POLYGON_STREAM_DAY."),
        (["verify", "20261102"], "day: String should match pattern"),
        (["verify", "2026-11-02", "x"], "x is not a flag of verify"),
        (["verify", "2026-11-02", "--directory", "none"], "none is not a directory"),
        (["doctor", "--table", "no table"], "table: String should match pattern"),
        (["sink", "--clickhouse", "localhost:8123"], "clickhouse: the address has an unknown form"),
        (
            ["sink", "--clickhouse", "chdb:/proc/none"],
            "/proc/none cannot be a directory for the emb",
        ),
        (["sink", "--clickhouse", "chdb:/dev/null"], "/dev/null cannot be a directory for the emb"),
        (["sink", "--clickhouse", "chdb:"], "chdb: names no directory"),
        (["filter", "--rulz", "x"], "--rulz is not a flag of filter. Did you mean '--rules'?"),
    ],
)
def test_wrong_usage_is_a_sentence_and_status_2(arguments: list[str], words: str) -> None:
    done = _run(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "Stack trace" not in done.stderr


@pytest.mark.parametrize("text", ["markets: [stocks", "- stocks"])
def test_a_settings_file_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    done = _run("filter", POLYGON_STREAM_CONFIG=str(path))
    assert done.returncode == 2
    assert f"POLYGON_STREAM_CONFIG: {path} is not YAML of settings" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_clickhouse_that_is_down_is_status_1() -> None:
    done = _run("sink", "--clickhouse", "http://127.0.0.1:1/x")
    assert done.returncode == 1
    assert "clickhouse: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("name", "problem"), [("kafka", "nonsense"), ("clickhouse", "privileges")])
def test_the_doctor_has_words_for_what_raises_elsewhere(name: str, problem: str) -> None:
    with ClickHouseServer() as server:
        server.refuse["EXISTS"] = Failure(403, 497, "Code: 497. Not enough privileges")
        done = _run("doctor", "--kafka", "nonsense=1", "--clickhouse", server.address)
    lines = {line.split()[1]: line for line in done.stdout.splitlines()}
    assert done.returncode == 1
    assert lines[name].startswith("WRONG")
    assert problem in lines[name]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_healing_stops_in_order(tmp_path: Path, number: signal.Signals) -> None:
    healing = Server([COMMAND, "heal", "--api-key", "k", *NO_KAFKA], tmp_path / "log")
    healing.start(lambda: "librdkafka" in healing.said())  # it waits 45 s for its partitions
    assert healing.end(number, 20) == 1
    assert healing.said().splitlines()[-1].startswith("polygon-stream heal: Stopped.")


def test_what_the_kafka_library_logs_is_json_too(tmp_path: Path) -> None:
    with ClickHouseServer() as server:
        command = [COMMAND, "sink", "--clickhouse", server.address, *NO_KAFKA]
        with Server(command, tmp_path / "log") as sink:
            sink.start(lambda: "librdkafka" in sink.said())
            assert sink.end(seconds=20) == 0
    lines = [json.loads(line) for line in sink.said().splitlines()]
    (first, *_) = [line for line in lines if line.get("logger") == "librdkafka"]
    assert first["level"] == "error"
    assert "127.0.0.1:1" in first["event"]
    assert lines[-1]["event"] == "stopped"


def test_a_feed_without_kafka_waits_says_so_and_still_stops(
    server: StreamSandbox, tmp_path: Path
) -> None:
    with _feed(tmp_path, server, *NO_KAFKA) as feed:
        feed.start(lambda: "progress not known yet" in feed.said())
        assert feed.end(seconds=20) == 0
    lines = [json.loads(line) for line in feed.said().splitlines()]
    assert len(server.connections) == 0, "it would not know what is missing before"
    assert lines[-1]["event"] == "stopped"
    assert "librdkafka" in {line.get("logger") for line in lines}
    assert len(lines) < 20


def test_sigterm_drains_and_exits_0(mock_kafka: str, server: StreamSandbox, tmp_path: Path) -> None:
    flags = ["--bootstrap-servers", mock_kafka, "--raw-topic", "raw-sigterm"]
    # At which the WebSocket library would log the key.
    with _feed(tmp_path, server, *flags, "--log-level", "debug") as feed:
        feed.start(lambda: server.sent >= 200, 30)
        assert feed.end(seconds=20) == 0
    text = feed.said()
    assert '"undelivered": 0' in text
    assert server.key not in text


def test_after_a_standstill_the_gap_begins_before_it(
    mock_kafka: str, server: StreamSandbox, tmp_path: Path
) -> None:
    flags = ["--bootstrap-servers", mock_kafka, "--raw-topic", "raw-still"]
    with _feed(tmp_path, server, *flags, "--gaps-topic", "gaps-still") as feed:
        feed.start(lambda: server.sent > 200, 30)
        stopped_ms = time.time() * 1000
        os.kill(feed.pid, signal.SIGSTOP)
        time.sleep(6)  # longer than the feed takes for a hiccup
        server.cut()
        os.kill(feed.pid, signal.SIGCONT)
        _wait(lambda: bool(values_of(mock_kafka, "gaps-still")))
        assert feed.end(seconds=20) == 0
    (gap,) = values_of(mock_kafka, "gaps-still")
    assert gap["reason"] == "disconnected: closed 1006"
    assert from_text(gap["from"]) <= stopped_ms
    assert from_text(gap["to"]) >= stopped_ms + 6_000


def _feed(folder: Path, server: StreamSandbox, *flags: str) -> Server:
    """Prepare a feed of all stocks."""
    subscriptions = folder / "subscriptions.csv"
    subscriptions.write_text("market,channel,symbol\nstocks,A,*\n")
    command = [COMMAND, "feed", "--feed", server.host, "--no-tls", *flags]
    return Server(
        [*command, "--subscriptions", str(subscriptions)],
        folder / "log",
        variables={"POLYGON_API_KEY": server.key},
    )


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "not within 30 s"
        time.sleep(0.05)


def test_the_doctor_says_what_is_wrong(tmp_path: Path) -> None:
    subscriptions = tmp_path / "subscriptions.csv"
    subscriptions.write_text("market,channel,symbol\nstocks,A,AAPL\nnowhere,A,X\n")
    done = _run("doctor", "--subscriptions", str(subscriptions), "--bootstrap-servers",
                "127.0.0.1:1")  # fmt: skip
    assert done.returncode == 1
    lines = {line.split()[1]: line for line in done.stdout.splitlines()}
    assert lines["key"].startswith("WRONG")
    assert "Set POLYGON_API_KEY" in lines["key"]
    assert "Row 3: market 'nowhere' is unknown" in lines["subscriptions"]
    assert lines["rules"].startswith("ok")
    assert "127.0.0.1:1 cannot be asked" in lines["kafka"]
    assert lines["clickhouse"].startswith("ok")

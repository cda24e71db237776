"""The doctor: bounded, concurrent, and it looks at what each command needs."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError
from confluent_kafka import Producer
from polygon_streaming import doctor
from polygon_streaming.settings import DoctorSettings
from polygon_streaming.sink import clickhouse


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    subscriptions = tmp_path / "subscriptions.csv"
    subscriptions.write_text("market,channel,symbol\nstocks,A,AAPL\n")
    return {"subscriptions": str(subscriptions), "bootstrap_servers": "127.0.0.1:1"}


def _findings(settings: dict[str, Any], seconds: float = 15) -> dict[str, tuple[bool, str, float]]:
    began = time.monotonic()
    given = DoctorSettings.model_validate(settings)
    return {
        name: (good, found, time.monotonic() - began)
        for name, good, found in doctor.examine(given, seconds)
    }


def test_what_does_not_answer_is_given_up_and_hides_nothing(
    settings: dict[str, Any], silent: str
) -> None:
    found = _findings(
        {**settings, "api_key": "k", "rest_url": f"http://{silent}",
         "bootstrap_servers": silent, "clickhouse": f"http://{silent}/x"}, 2
    )  # fmt: skip
    assert list(found)[:2] in (["subscriptions", "rules"], ["rules", "subscriptions"])
    for name in ("subscriptions", "rules"):
        good, _, seconds = found[name]
        assert good
        assert seconds < 2, "told before the silent ones are given up"
    for name, place in (("key", f"http://{silent}"), ("kafka", silent), ("clickhouse", silent)):
        good, words, _ = found[name]
        assert not good
        assert f"{place}" in words
        assert "has not answered within 2 s" in words


def test_rest_is_asked_once(settings: dict[str, Any]) -> None:
    found = _findings({**settings, "api_key": "k", "rest_url": "http://127.0.0.1:1"})
    good, words, seconds = found["key"]
    assert not good
    assert "Connection refused" in words
    assert seconds < 5


def test_missing_topics_are_named_with_who_needs_them(
    settings: dict[str, Any], mock_kafka: str
) -> None:
    wanted = {f"{name}_topic": f"doctor-{name}" for name in
              ("raw", "filtered", "trades", "quotes", "dead_letter", "gaps")}  # fmt: skip
    given = {**settings, "bootstrap_servers": mock_kafka, **wanted}
    good, words, _ = _findings(given)["kafka"]
    assert not good
    assert "doctor-raw (feed and heal write, filter reads)" in words
    assert "doctor-trades (filter writes, sink reads)" in words
    assert "doctor-gaps (feed and filter write, heal reads)" in words
    producer = Producer({"bootstrap.servers": mock_kafka})
    for topic in wanted.values():
        producer.list_topics(topic, timeout=10)  # the mock creates what it is asked about
    good, words, _ = _findings(given)["kafka"]
    assert good
    for topic in wanted.values():
        assert f"{topic} has 4" in words


@pytest.mark.parametrize(
    ("change", "good"), [("", True), ("close Float64", False), ("conditions Array", False)]
)
def test_a_table_that_lacks_columns_is_wrong(
    settings: dict[str, Any], tmp_path: Path, change: str, good: bool
) -> None:
    statement = clickhouse.table_statement("bars")
    if "conditions" in change:
        statement = clickhouse.table_statement("trades", "trades")
    if change:
        statement = "\n".join(line for line in statement.split("\n") if change not in line)
    directory = tmp_path / "table.chdb"
    # A process may have one engine only, and it keeps its directory to itself.
    code = (
        "import clickhouse_connect, sys\n"
        "clickhouse_connect.get_client(interface='chdb', path=sys.argv[1]).command(sys.argv[2])"
    )
    subprocess.run([sys.executable, "-c", code, directory, statement], check=True)
    done = subprocess.run(
        [Path(sys.executable).with_name("polygon-stream"), "doctor", "--clickhouse",
         f"chdb:{directory}", "--table", "bars", "--bootstrap-servers", "127.0.0.1:1",
         "--subscriptions", settings["subscriptions"]],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    (line,) = [line for line in done.stdout.splitlines() if line.split()[1] == "clickhouse"]
    assert line.startswith("ok" if good else "WRONG")
    broken = "trades has no conditions" if "conditions" in change else "bars has no close"
    assert ("table bars is there" if good else f"table {broken}. Add the") in line


def test_the_engine_s_words_are_kept_short() -> None:
    error = ClickHouseError("Code: 36. It will not do., Stack trace (when copying): 0. std::x")
    assert clickhouse.in_short(error) == "Code: 36. It will not do."

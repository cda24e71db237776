"""The command as a platform runs it: its own process, files in, messages on stdout, exit status."""

import fcntl
import json
import signal
import subprocess
import sys
import termios
import time
from array import array
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from polygon_sandbox import Fault, Plan, Sandbox, World
from source_polygon.sessions import last_finished, sessions

COMMAND = [sys.executable, "-m", "source_polygon"]
CATALOGS = Path(__file__).parent
VERSION = (CATALOGS.parent / "VERSION").read_text().strip()
LAST = last_finished("stocks")
DAYS = sessions("stocks", LAST - timedelta(days=500), LAST)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(World(stocks=300, delisted=400), Plan.unlimited()) as running:
        yield running


@pytest.fixture
def config(sandbox: Sandbox, tmp_path: Path) -> Path:
    return write_config(tmp_path, sandbox)


def write_config(folder: Path, sandbox: Sandbox, **overrides: Any) -> Path:
    config = {
        "api_key": sandbox.key,
        "start_date": str(DAYS[-10]),
        "base_url": sandbox.url,
        "requests_per_minute": 6000,
        **overrides,
    }
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return path


def run(*args: str | Path) -> tuple[int, list[dict[str, Any]], str]:
    """Run the command; return its exit status, its messages and all it printed."""
    done = subprocess.run([*COMMAND, *map(str, args)], capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return done.returncode, [json.loads(line) for line in lines], done.stdout + done.stderr


def of(messages: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [message for message in messages if message["type"] == kind]


def test_spec_has_a_titled_described_and_ordered_form() -> None:
    status, messages, _ = run("spec")
    (spec,) = of(messages, "SPEC")
    form = spec["spec"]["connectionSpecification"]
    assert status == 0
    assert form["required"] == ["api_key", "start_date"]
    assert form["properties"]["api_key"]["airbyte_secret"] is True
    fields = form["properties"].values()
    assert [field["order"] for field in fields] == list(range(len(fields)))
    assert all(field["title"] and field["description"] for field in fields)


def test_check_succeeds_and_a_failed_check_is_no_failed_run(
    config: Path, sandbox: Sandbox, tmp_path: Path
) -> None:
    status, messages, _ = run("check", "--config", config)
    assert (status, of(messages, "CONNECTION_STATUS")[0]["connectionStatus"]["status"]) == (
        0,
        "SUCCEEDED",
    )
    wrong = write_config(tmp_path, sandbox, markets=["nyse"], num_workers="two")
    status, messages, _ = run("check", "--config", wrong)
    (answer,) = of(messages, "CONNECTION_STATUS")
    assert (status, answer["connectionStatus"]["status"]) == (0, "FAILED")
    assert answer["connectionStatus"]["message"].startswith("markets: 'nyse' is not one of")
    assert "num_workers: 'two' is not of type integer" in answer["connectionStatus"]["message"]


def test_discover_lists_keys_cursors_and_typed_fields(config: Path) -> None:
    status, messages, _ = run("discover", "--config", config)
    (catalog,) = of(messages, "CATALOG")
    streams = {stream["name"]: stream for stream in catalog["catalog"]["streams"]}
    assert status == 0
    found = {
        name: (stream.get("default_cursor_field"), *stream.get("source_defined_primary_key", []))
        for name, stream in streams.items()
    }
    expected = {
        "grouped_daily": (["last_updated_utc"], ["market"], ["date"], ["ticker"], ["adjusted"]),
        "tickers": (["last_updated_utc"], ["market"], ["ticker"], ["listing_end"]),
        "splits": (None, ["id"]),
        "dividends": (None, ["id"]),
        "short_interest": (["settlement_date"], ["ticker"], ["settlement_date"]),
        "short_volume": (["date"], ["ticker"], ["date"]),
        "news": (["published_utc"], ["id"]),
        "float": (["snapshot_date"], ["snapshot_date"], ["ticker"]),
        "holdings_13f": (["filing_date"],),  # the vendor gives no key
        "ipos": (None,),
        "exchanges": (None, ["asset_class"], ["locale"], ["id"], ["name"]),
        "ticker_types": (None, ["asset_class"], ["locale"], ["code"]),
        "market_holidays": (None, ["date"], ["exchange"]),
    }
    assert {name: found.get(name) for name in expected} == expected
    for stream in streams.values():
        assert all(
            field["type"] and field["description"]
            for field in stream["json_schema"]["properties"].values()
        )


def test_two_reads_with_the_state_between_them(
    config: Path, sandbox: Sandbox, tmp_path: Path
) -> None:
    catalog = CATALOGS / "incremental_catalog.json"
    sandbox.clear_requests()
    status, messages, text = run("read", "--config", config, "--catalog", catalog)
    assert status == 0
    records = of(messages, "RECORD")
    days = {
        r["record"]["data"]["date"] for r in records if r["record"]["stream"] == "grouped_daily"
    }
    assert days == {str(day) for day in DAYS[-10:]}
    assert f"Requests sent, retries included: {len(sandbox.requests)}," in text
    assert sandbox.key not in text

    last = {
        m["state"]["stream"]["stream_descriptor"]["name"]: m["state"] for m in of(messages, "STATE")
    }
    state = tmp_path / "state.json"
    state.write_text(json.dumps(list(last.values())))
    sandbox.clear_requests()
    status, messages, _ = run("read", "--config", config, "--catalog", catalog, "--state", state)
    asked = [r.path[-10:] for r in sandbox.requests if "grouped" in r.path]
    assert status == 0
    assert sorted(asked) == [str(day) for day in DAYS[-5:]]


def test_a_future_state_reads_nothing(config: Path, sandbox: Sandbox) -> None:
    status, messages, _ = run(
        "read", "--config", config, "--catalog", CATALOGS / "incremental_catalog.json",
        "--state", CATALOGS / "future_state.json",
    )  # fmt: skip
    undated = {
        r["ticker"]
        for a in (True, False)
        for r in sandbox.world.tickers("stocks", a)
        if "last_updated_utc" not in r
    }
    assert status == 0
    # Rows without a stamp cannot tell whether they have changed, so they always come.
    of_a_cursor = [
        r["record"]["data"]["ticker"]
        for r in of(messages, "RECORD")
        if r["record"]["stream"] not in ("splits", "dividends")  # these are read in full
    ]
    assert set(of_a_cursor) <= undated


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--config", "missing.json"), "--config missing.json cannot be read"),
        (("--config", CATALOGS / "test_command.py"), "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(args: tuple[str], words: str) -> None:
    status, messages, text = run("check", *args)
    (trace,) = of(messages, "TRACE")
    assert status == 1
    assert words in trace["trace"]["error"]["message"]
    assert trace["trace"]["error"]["failure_type"] == "config_error"
    assert "Traceback" not in text


def test_a_failed_read_exits_with_1_and_a_readable_reason(
    config: Path, sandbox: Sandbox, tmp_path: Path
) -> None:
    wrong = write_config(tmp_path, sandbox, api_key="some-other-key-123")
    status, messages, text = run(
        "read", "--config", wrong, "--catalog", CATALOGS / "incremental_catalog.json"
    )
    reasons = {
        m["trace"]["error"]["message"] for m in of(messages, "TRACE") if "error" in m["trace"]
    }
    assert status == 1
    assert any("does not accept this API key: Unknown API Key." in reason for reason in reasons)
    assert "some-other-key-123" not in text
    assert "Traceback" not in "".join(m["log"]["message"] for m in of(messages, "LOG"))


def catalog_of(folder: Path, *names: str) -> Path:
    path = folder / "catalog.json"
    chosen = [
        {
            "sync_mode": "full_refresh",
            "destination_sync_mode": "overwrite",
            "stream": {"name": n, "json_schema": {}, "supported_sync_modes": ["full_refresh"]},
        }
        for n in names
    ]
    path.write_text(json.dumps({"streams": chosen}))
    return path


def test_streams_that_do_not_exist_fail_the_read_by_name_and_the_others_are_read(
    config: Path, tmp_path: Path
) -> None:
    catalog = catalog_of(tmp_path, "exchange", "exchanges", "weather")
    status, messages, _ = run("read", "--config", config, "--catalog", catalog)
    errors = [m["trace"]["error"] for m in of(messages, "TRACE") if "error" in m["trace"]]
    statuses = [
        (s["stream_descriptor"]["name"], s["status"])
        for m in of(messages, "TRACE")
        if (s := m["trace"].get("stream_status"))
    ]
    assert status == 1
    assert {record["record"]["stream"] for record in of(messages, "RECORD")} == {"exchanges"}
    assert ("exchanges", "COMPLETE") in statuses
    assert {("exchange", "INCOMPLETE"), ("weather", "INCOMPLETE")} <= set(statuses)
    assert [error["message"] for error in errors] == [
        "This connector has no stream 'exchange'. Did you mean exchanges?",
        "This connector has no stream 'weather'. `discover` prints those it has.",
        "Not read, since this connector has no such stream: exchange, weather. Refresh the schema "
        "of the connection, or correct the catalog.",
    ]
    assert {error["failure_type"] for error in errors} == {"config_error"}


@pytest.mark.parametrize(
    ("names", "words"),
    [(("quotes",), "no such stream: quotes."), ((), "The catalog names no stream.")],
)
def test_a_catalog_without_a_stream_of_ours_is_an_error(
    config: Path, tmp_path: Path, names: tuple[str, ...], words: str
) -> None:
    catalog = catalog_of(tmp_path, *names)
    status, messages, text = run("read", "--config", config, "--catalog", catalog)
    *_, last = [m["trace"]["error"] for m in of(messages, "TRACE") if "error" in m["trace"]]
    assert status == 1
    assert words in last["message"]
    assert "Traceback" not in text


def test_help_and_version() -> None:
    assert run("--version")[2].strip() == f"source-polygon {VERSION}"
    status, _, text = run("--help")
    assert status == 0
    assert "source-polygon read --config config.json --catalog catalog.json" in text
    assert run()[0] == 2


def test_sigterm_ends_the_read_at_once_with_whole_lines(
    config: Path, sandbox: Sandbox, tmp_path: Path
) -> None:
    slow = write_config(tmp_path, sandbox, start_date=str(DAYS[-60]))
    sandbox.faults.add(Fault.delay(0.3, path="grouped", times=None))
    process = subprocess.Popen(
        [*COMMAND, "read", "--config", slow, "--catalog", CATALOGS / "incremental_catalog.json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if '"STATE"' in line:
            process.send_signal(signal.SIGTERM)
            break
    lines += process.stdout.read().splitlines()
    process.stdout.close()
    assert process.wait(timeout=10) == -signal.SIGTERM
    sandbox.faults.clear()
    assert [json.loads(line)["type"] for line in lines]
    assert any("Stopped by SIGTERM" in line for line in lines)


def test_sigterm_ends_a_read_whose_parent_ignores_it(sandbox: Sandbox, tmp_path: Path) -> None:
    slow = write_config(tmp_path, sandbox, start_date=str(DAYS[-60]))
    sandbox.faults.add(Fault.delay(0.3, path="grouped", times=None))
    catalog = CATALOGS / "incremental_catalog.json"
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        process = subprocess.Popen(
            [*COMMAND, "read", "--config", slow, "--catalog", catalog], stdout=subprocess.PIPE
        )
    finally:
        signal.signal(signal.SIGTERM, before)
    assert process.stdout is not None
    assert process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.stdout.read()
    process.stdout.close()
    assert process.wait(timeout=10) == -signal.SIGTERM


def test_sigterm_ends_a_read_whose_output_nobody_takes(sandbox: Sandbox, tmp_path: Path) -> None:
    long = write_config(tmp_path, sandbox, start_date=str(DAYS[-60]))
    process = subprocess.Popen(
        [*COMMAND, "read", "--config", long, "--catalog", CATALOGS / "incremental_catalog.json"],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    pipe = process.stdout.fileno()
    full = fcntl.fcntl(pipe, 1032)  # F_GETPIPE_SZ, which Python 3.10 does not name
    waiting = array("i", [0])
    until = time.monotonic() + 60
    while waiting[0] < full - 4096 and time.monotonic() < until:  # no room for another page
        fcntl.ioctl(pipe, termios.FIONREAD, waiting)
        time.sleep(0.05)
    assert waiting[0] >= full - 4096
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == -signal.SIGTERM
    process.stdout.close()


def test_memory_does_not_grow_with_the_number_of_sessions(sandbox: Sandbox, tmp_path: Path) -> None:
    def peak(first: int) -> int:
        """Return the peak memory in KiB of a read from the session at index `first`."""
        config = write_config(tmp_path, sandbox, start_date=str(DAYS[first]))
        catalog = tmp_path / "catalog.json"
        (stream, *_) = json.loads((CATALOGS / "incremental_catalog.json").read_text())["streams"]
        catalog.write_text(json.dumps({"streams": [stream]}))
        read = [*COMMAND, "read"]
        code = (
            "import resource, subprocess, sys;"
            "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, *read, "--config", config, "--catalog", catalog],
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout)

    few, many = peak(-25), peak(-250)
    # Ten times the sessions; 10 MiB is noise of the allocator.
    assert many < few + 10_240

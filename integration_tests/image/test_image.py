"""The image as Airbyte runs it: not root, nothing writable but /tmp, files mounted to read."""

import json
import shlex
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.utils.yaml_loader import safe_load_yaml
from polygon_sandbox import Fault, Sandbox
from source_polygon.sessions import last_finished, sessions

Command = Callable[..., tuple[int, list[dict[str, Any]]]]
Docker = Callable[..., str]

pytestmark = pytest.mark.image_tests
ROOT = Path(__file__).parents[2]
METADATA = safe_load_yaml((ROOT / "metadata.yaml").read_text())["data"]
LAST = last_finished("stocks")
DAYS = sessions("stocks", LAST - timedelta(days=90), LAST)
CONFIG = ("--config", "/config/config.json")
READ = ("read", *CONFIG, "--catalog", "/config/catalog.json")
# Ours, without the base: 190 MB when this was written.
LIMIT_MB = 230


@pytest.fixture
def files(mount: Path, sandbox: Sandbox) -> Path:
    """The mounted folder, with a configuration and a catalog."""
    write_config(mount, sandbox)
    catalog = (ROOT / "integration_tests" / "incremental_catalog.json").read_text()
    (mount / "catalog.json").write_text(catalog)
    return mount


def write_config(mount: Path, sandbox: Sandbox, **overrides: Any) -> None:
    config = {
        "api_key": sandbox.key,
        "start_date": str(DAYS[-10]),
        "base_url": sandbox.url,
        "requests_per_minute": 6000,
        **overrides,
    }
    (mount / "config.json").write_text(json.dumps(config))


def only(messages: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """Return the content of the one message of a kind."""
    (found,) = [message for message in messages if message["type"] == kind]
    return found


def records(messages: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    """Return the records, in no order, without the time of their reading."""
    return Counter(
        (m["record"]["stream"], json.dumps(m["record"]["data"], sort_keys=True))
        for m in messages
        if m["type"] == "RECORD"
    )


def states(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the last state of each stream."""
    streams = [message["state"]["stream"] for message in messages if message["type"] == "STATE"]
    return {
        stream["stream_descriptor"]["name"]: {"type": "STREAM", "stream": stream}
        for stream in streams
    }


def test_docker_and_the_platform_run_the_same_command_as_airbyte(
    docker: Docker, image: str
) -> None:
    config = json.loads(docker("image", "inspect", "--format", "{{json .Config}}", image))
    environment = dict(entry.split("=", 1) for entry in config["Env"])
    assert config["Entrypoint"] == shlex.split(environment["AIRBYTE_ENTRYPOINT"])
    assert Path(config["Entrypoint"][0]).is_absolute()
    assert config["User"] == "airbyte"
    assert docker("run", "--rm", "--entrypoint=id", image, "-u") == "1000"
    assert docker("run", "--rm", image, "--version").split()[1] == METADATA["dockerImageTag"]


def test_labels_say_what_metadata_says(docker: Docker, image: str) -> None:
    labels = json.loads(docker("image", "inspect", "--format", "{{json .Config.Labels}}", image))
    assert labels["io.airbyte.name"] == METADATA["dockerRepository"]
    assert labels["io.airbyte.version"] == METADATA["dockerImageTag"]
    assert labels["org.opencontainers.image.version"] == METADATA["dockerImageTag"]
    assert labels["org.opencontainers.image.licenses"] == METADATA["license"]


def test_size_without_the_base_is_bounded(
    docker: Docker, image: str, base: str, report: Callable[[str], None]
) -> None:
    size, base_size = (
        int(docker("image", "inspect", "--format", "{{.Size}}", name)) // 1_000_000
        for name in (image, base)
    )
    report(f"{image}: {size} MB, of which the base is {base_size} MB")
    assert size - base_size < LIMIT_MB


def test_nothing_of_the_build_or_the_checkout_is_left(
    docker: Docker, image: str, canary: str, tmp_path: Path
) -> None:
    saved = tmp_path / "image.tar"
    docker("save", "--output", str(saved), image)
    with saved.open("rb") as layers:  # they are uncompressed
        tail = b""
        while chunk := layers.read(1 << 24):
            assert canary.encode() not in tail + chunk
            tail = chunk[-len(canary) :]
    search = "find /opt /airbyte /build 2>/dev/null; true"
    paths = docker("run", "--rm", "--entrypoint=sh", image, "-c", search).splitlines()
    assert any(path.endswith("/source_polygon/manifest.yaml") for path in paths)
    unwanted = ("/build", ".whl", "/site-packages/pip", "/hatchling", "/tests", "/unit_tests")
    assert [path for path in paths if path.endswith(unwanted)] == []


def test_spec_is_the_one_of_this_checkout(in_image: Command, in_process: Command) -> None:
    status, messages = in_image("spec")
    assert status == 0
    assert only(messages, "SPEC") == only(in_process("spec")[1], "SPEC")


def test_check(in_image: Command, files: Path, sandbox: Sandbox) -> None:
    status, messages = in_image("check", *CONFIG)
    answer = only(messages, "CONNECTION_STATUS")["connectionStatus"]
    assert (status, answer["status"]) == (0, "SUCCEEDED")
    write_config(files, sandbox, api_key="some-other-key-123")
    status, messages = in_image("check", *CONFIG)
    answer = only(messages, "CONNECTION_STATUS")["connectionStatus"]
    assert (status, answer["status"]) == (0, "FAILED")
    assert "Unknown API Key" in answer["message"]


@pytest.mark.usefixtures("files")
def test_discover_finds_the_catalog_of_this_checkout(
    in_image: Command, in_process: Command
) -> None:
    status, messages = in_image("discover", *CONFIG)
    assert status == 0
    assert only(messages, "CATALOG") == only(in_process("discover", *CONFIG)[1], "CATALOG")


def test_two_reads_with_the_state_between_them_equal_those_of_this_checkout(
    in_image: Command, in_process: Command, files: Path, sandbox: Sandbox
) -> None:
    status, messages = in_image(*READ)
    _, expected = in_process(*READ)
    assert status == 0
    assert {stream for stream, _ in records(messages)} == {
        "grouped_daily", "tickers", "splits", "dividends",
    }  # fmt: skip
    assert records(messages) == records(expected)
    assert states(messages) == states(expected)

    (files / "state.json").write_text(json.dumps(list(states(messages).values())))
    sandbox.clear_requests()
    status, messages = in_image(*READ, "--state", "/config/state.json")
    asked = sorted(r.path[-10:] for r in sandbox.requests if "grouped" in r.path)
    assert status == 0
    assert asked == [str(day) for day in DAYS[-5:]]
    assert records(messages) == records(in_process(*READ, "--state", "/config/state.json")[1])


def test_flat_files_are_read_by_compiled_code_as_by_this_checkout(
    docker: Docker,
    image: str,
    in_image: Command,
    in_process: Command,
    mount: Path,
    sandbox: Sandbox,
) -> None:
    code = "from source_polygon.streams.flat.compiled import SPEEDUPS; print(SPEEDUPS.__file__)"
    python = "--entrypoint=/opt/source-polygon/bin/python"
    assert docker("run", "--rm", python, image, "-c", code).endswith("/flat/_speedups.abi3.so")
    flat_files = {"access_key_id": sandbox.flat_files.access_key_id}
    flat_files |= {"secret_access_key": sandbox.key, "endpoint": sandbox.url}
    write_config(mount, sandbox, start_date=str(DAYS[-3]), flat_files=flat_files)
    stream = {"name": "flat_trades", "json_schema": {}, "supported_sync_modes": ["incremental"]}
    chosen = {"sync_mode": "incremental", "destination_sync_mode": "append_dedup", "stream": stream}
    (mount / "catalog.json").write_text(json.dumps({"streams": [chosen]}))
    status, messages = in_image(*READ)
    assert status == 0
    assert "without compiled code" not in json.dumps(messages)
    assert len(records(messages)) > 100
    assert records(messages) == records(in_process(*READ)[1])


def test_a_read_that_fails_exits_with_1_and_says_why(
    in_image: Command, files: Path, sandbox: Sandbox
) -> None:
    write_config(files, sandbox, api_key="some-other-key-123")
    status, messages = in_image(*READ)
    assert status == 1
    assert "does not accept this API key" in json.dumps(messages)
    assert "some-other-key-123" not in json.dumps(messages)


def test_docker_stop_ends_a_read_at_once_with_whole_lines(
    docker: Docker, image: str, files: Path, sandbox: Sandbox
) -> None:
    write_config(files, sandbox, start_date=str(DAYS[-60]))
    sandbox.faults.add(Fault.delay(0.5, path="grouped", times=None))
    volume = f"--volume={files}:/config:ro"
    container = docker("run", "--detach", "--read-only", "--tmpfs=/tmp", volume, image, *READ)
    try:
        for _ in range(120):
            if '"STATE"' in docker("logs", container):
                break
            time.sleep(0.5)
        started = time.monotonic()
        docker("stop", "--time=10", container)
        seconds = time.monotonic() - started
        state = json.loads(docker("inspect", "--format", "{{json .State}}", container))
        lines = docker("logs", container).splitlines()
    finally:
        sandbox.faults.clear()
        subprocess.run(["docker", "rm", "--force", container], capture_output=True, check=False)
    assert seconds < 5
    assert state["ExitCode"] == 128 + 15  # ended by SIGTERM; 137 would be killed, after ten seconds
    printed = [json.loads(line) for line in lines]
    assert "STATE" in {message["type"] for message in printed}
    assert "Stopped by SIGTERM" in printed[-1]["log"]["message"]

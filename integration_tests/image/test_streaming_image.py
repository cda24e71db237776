"""The streaming image as ECS runs it: not root, nothing writable but /tmp, ended by SIGTERM."""

import json
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from polygon_sandbox.stream import StreamSandbox

from integration_tests.servers import free_ports

Docker = Callable[..., str]

pytestmark = pytest.mark.image_tests
ROOT = Path(__file__).parents[2]
IMAGE = "polygon-streaming:dev"
DOCKERFILE = ROOT / "streaming" / "Dockerfile"
# Ours, without the base: 143 MB when this was written, most of it pandas, which the calendar needs.
LIMIT_MB = 170
CONFINED = [
    "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges",
    "--network=host",
]  # fmt: skip


@pytest.fixture(scope="session")
def streaming_base(docker: Docker, base: str) -> str:
    """The base that the Dockerfile names, or the stand-in where it cannot be pulled."""
    (real,) = re.findall(r"^ARG BASE_IMAGE=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)
    pull = ["docker", "pull", "--quiet", real]
    pulled = subprocess.run(pull, capture_output=True, check=False)
    return base if pulled.returncode else real


@pytest.fixture(scope="session")
def streaming_image(
    docker: Docker, streaming_base: str, canary: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The image, built from this checkout."""
    # The classic builder looks for .dockerignore only, which is the connector's.
    ignore = DOCKERFILE.with_suffix(".dockerignore").read_text()
    context = tmp_path_factory.mktemp("context")
    named = re.findall(r"^!(\S+)$", ignore, re.MULTILINE)
    for path in named:
        target = context / path
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-r", ROOT / path, target], check=True)
    build = ["build", "--build-arg", f"BASE_IMAGE={streaming_base}", "--file", str(DOCKERFILE)]
    docker(*build, "--tag", f"{IMAGE}-builder", "--target", "builder", str(context))
    docker(*build, "--tag", IMAGE, str(context))
    return IMAGE


@pytest.fixture(scope="session")
def brokers() -> Iterator[str]:
    """The address of librdkafka's mock broker, which lives as long as its producer."""
    producer = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0})
    (broker,) = producer.list_topics(timeout=10).brokers.values()
    yield f"{broker.host}:{broker.port}"
    del producer


def answer(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def test_it_is_not_root_and_runs_the_command_itself(docker: Docker, streaming_image: str) -> None:
    config = json.loads(docker("image", "inspect", "--format", "{{json .Config}}", streaming_image))
    assert config["Entrypoint"] == ["/opt/polygon-stream/bin/polygon-stream"]
    assert config["User"] == "10001:10001"
    run = ["run", "--rm", *CONFINED]
    assert docker(*run, "--entrypoint=id", streaming_image, "-u") == "10001"
    version = docker(*run, streaming_image, "--version").split()[1]
    assert version == config["Labels"]["org.opencontainers.image.version"]
    assert "polygon-stream feed" in docker(*run, streaming_image)


def test_its_volumes_can_be_written_by_its_user(docker: Docker, streaming_image: str) -> None:
    """As on ECS, where `/rules` is filled by one container and read by another."""
    volume = "polygon-streaming-test-rules"
    run = ["run", "--rm", "--read-only", "--cap-drop=ALL", f"--volume={volume}:/rules"]
    try:
        shell = [*run, "--entrypoint=sh", streaming_image, "-c"]
        docker(*shell, "echo 'drop_otc: true' > /rules/rules.yaml && touch /tmp/can-be-written")
        assert docker(*shell, "cat /rules/rules.yaml") == "drop_otc: true"
    finally:
        docker("volume", "rm", volume)


def test_each_command_starts(docker: Docker, streaming_image: str) -> None:
    for command in ("feed", "filter", "sink", "heal", "doctor"):
        printed = docker("run", "--rm", *CONFINED, streaming_image, command, "--help")
        assert f"polygon-stream {command}" in printed


def test_size_without_the_base_is_bounded(
    docker: Docker, streaming_image: str, streaming_base: str, report: Callable[[str], None]
) -> None:
    size, base_size = (
        int(docker("image", "inspect", "--format", "{{.Size}}", name)) // 1_000_000
        for name in (streaming_image, streaming_base)
    )
    report(f"{streaming_image}: {size} MB, of which the base is {base_size} MB")
    assert size - base_size < LIMIT_MB


def test_nothing_of_the_build_is_left(docker: Docker, streaming_image: str, canary: str) -> None:
    search = f"find /opt /build 2>/dev/null; grep -r {canary} /opt /tmp; true"
    paths = docker("run", "--rm", "--entrypoint=sh", streaming_image, "-c", search).splitlines()
    assert any(path.endswith("/polygon_streaming/feed/supervisor.py") for path in paths)
    unwanted = ("/build", ".whl", "/site-packages/pip", "/hatchling", "/tests", "/unit_tests")
    assert [path for path in paths if path.endswith(unwanted) or canary in path] == []


def test_a_feed_becomes_ready_delivers_and_ends_in_order_by_sigterm(
    docker: Docker, streaming_image: str, brokers: str, tmp_path: Path
) -> None:
    listed = tmp_path / "subscriptions.csv"
    listed.write_text("market,channel,symbol\nstocks,A,*\n")
    listed.chmod(0o644)
    tmp_path.chmod(0o755)
    (port,) = free_ports(1)
    with StreamSandbox(["AAPL", "MSFT"], 100, events_per_frame=10) as server:
        container = docker(
            "run", "--detach", *CONFINED, f"--volume={tmp_path}:/lists:ro",
            "--env", f"POLYGON_API_KEY={server.key}", streaming_image, "feed",
            "--feed", server.host, "--no-tls", "--subscriptions", "/lists/subscriptions.csv",
            "--bootstrap-servers", brokers, "--http-port", str(port),
        )  # fmt: skip
        try:
            deadline = time.monotonic() + 60
            while answer(port, "/readyz")[0] != 200:
                assert time.monotonic() < deadline, docker("logs", container)
                time.sleep(0.2)
            assert answer(port, "/healthz") == (200, "ok\n")
            while "polygon_ws_events_total{" not in answer(port, "/metrics")[1]:
                assert time.monotonic() < deadline, answer(port, "/metrics")
                time.sleep(0.2)
            started = time.monotonic()
            docker("stop", "--time=30", container)
            seconds = time.monotonic() - started
            state = json.loads(docker("inspect", "--format", "{{json .State}}", container))
        finally:
            subprocess.run(["docker", "rm", "--force", container], capture_output=True, check=False)
    assert state["ExitCode"] == 0
    assert seconds < 20
    topics = AdminClient({"bootstrap.servers": brokers}).list_topics(timeout=10).topics
    assert "polygon_stream_aggregates" in topics

"""Blocks that need only this repository, run in a copy of it; the sandbox is the vendor."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from source_polygon.sessions import last_finished

from integration_tests.documents.blocks import Block, below, blocks
from integration_tests.documents.desk import Desk
from integration_tests.servers import Server, free_ports, listens


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"))


@contextmanager
def serving(desk: Desk, block: Block, port: int) -> Iterator[Server]:
    """Run a block that serves until Ctrl-C, from when it listens."""
    command = ["bash", "-euc", f"exec {block.text}"]
    log = desk.notes.with_name("log")
    with Server(command, log, folder=desk.folder, ends_on=signal.SIGINT) as server:
        server.start(lambda: listens(port))
        yield server


def with_port(block: Block, words: str, port: int) -> Block:
    assert words in block.text
    text = block.text.replace(words, f"{words.split(' --port')[0]} --port {port}")
    return Block(block.document, block.heading, block.line, block.language, text)


def test_the_connector_from_the_command_line(desk: Desk) -> None:
    read, serve = below("docs/connector.md", "From the command line")
    given = next(
        block
        for block in blocks("docs/connector.md")
        if block.heading == "From the command line" and block.language == "json"
    )
    (port,) = free_ports(1)
    start = str(last_finished("stocks") - timedelta(days=5))
    config = given.text.replace("2026-11-02", start).replace("8787", str(port))
    assert json.loads(config)["base_url"] == f"http://127.0.0.1:{port}"
    with serving(desk, with_port(serve, "serve --port 8787", port), port):
        printed = desk.run(
            [read],
            {
                "make install\n": "",
                '{"api_key": "YOUR KEY", "start_date": "2026-11-02"}\n': config,
            },
        )
    messages = [json.loads(line) for line in printed.splitlines()]
    (status,) = [m["connectionStatus"] for m in messages if m["type"] == "CONNECTION_STATUS"]
    assert status["status"] == "SUCCEEDED"
    (catalog,) = [m["catalog"] for m in messages if m["type"] == "CATALOG"]
    assert "grouped_daily" in {stream["name"] for stream in catalog["streams"]}
    days = {
        m["record"]["data"]["date"]
        for m in messages
        if m["type"] == "RECORD" and m["record"]["stream"] == "grouped_daily"
    }
    assert str(last_finished("stocks")) in days


def test_the_keys_of_snowflake(desk: Desk) -> None:
    desk.run(below("docs/deployment.md", "Set it up"))
    script = (desk.folder / "setup.sql").read_text()
    public = (desk.folder / "rsa_key.pub").read_text().splitlines()[1:-1]
    assert f"'{''.join(public)}'" in script
    assert "PUBLIC_KEY'" not in script.replace("RSA_PUBLIC_KEY", "")


def test_dagster_finds_what_its_block_sets_up(desk: Desk, tmp_path: Path) -> None:
    """Up to where it would serve for ever; `make orchestrate` is served and looked at elsewhere."""
    printed = desk.run(
        below("docs/orchestration.md", "Run it"),
        {
            "/srv/dagster": str(tmp_path / "dagster"),
            "POLYGON_API_KEY=...": "POLYGON_API_KEY=a-key",
            ".venv/bin/dagster dev ": ".venv/bin/dagster definitions validate ",
        },
    )
    assert (tmp_path / "dagster" / "dagster.yaml").exists()
    assert "Validation failed" not in printed


def test_the_variables_for_confluent_are_settings(desk: Desk) -> None:
    show = (
        "python -c 'from polygon_streaming.settings import FilterSettings, load; "
        "given = load(FilterSettings, []); print(given.bootstrap_servers, given.kafka)'"
    )
    printed = desk.run([*below("docs/streaming.md", "Settings"), show])
    properties = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "...",
        "sasl.password": "...",
    }
    assert printed == f"pkc-....confluent.cloud:9092 {properties}\n"


@pytest.mark.parametrize(
    ("heading", "command"),
    [
        ("polygon-sandbox", "serve --size small"),
        ("Streaming", "sandbox stream"),
    ],
)
def test_the_sandbox_serves(desk: Desk, heading: str, command: str) -> None:
    (block,) = [b for b in below("sandbox/README.md", heading) if not b.needs]
    (port,) = free_ports(1)
    with serving(desk, with_port(block, command, port), port) as server:
        assert server.running

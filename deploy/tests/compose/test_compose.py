import csv
import json
import re
import shutil
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
import yaml
from polygon_streaming import parse_rules, parse_subscriptions

from deploy.tests.exported import exported

DEPLOY = Path(__file__).parents[2]
COMPOSE = DEPLOY / "compose"
ENDING = {"topics", "tables", "connectors"}
BY_HAND = {"backfill"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    content = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return dict(content["services"])


def compose() -> list[str] | None:
    """Return the command of Compose: Docker's plugin, or the program of its own."""
    plugin = ["docker", "compose"]
    if shutil.which("docker"):
        asked = subprocess.run([*plugin, "version"], capture_output=True, check=False)
        if asked.returncode == 0:
            return plugin
    return ["docker-compose"] if shutil.which("docker-compose") else None


def test_compose_accepts_the_file() -> None:
    program = compose()
    if program is None:
        pytest.skip("Compose is not installed: apt-get install docker-compose")
    command = [*program, "--file", str(DEPLOY / "compose.yaml"), "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_images_are_pinned(services: dict[str, Any]) -> None:
    for name, service in services.items():
        tag = service["image"].rpartition(":")[2]
        assert tag != "latest", name
        assert re.search(r"\d", tag) or tag == "dev", name
    for dockerfile in COMPOSE.glob("*.Dockerfile"):
        assert re.search(r"^FROM \S+:\S*\d", dockerfile.read_text(), re.MULTILINE)


def test_what_stays_up_has_a_health_check_and_what_waits_waits_for_it(
    services: dict[str, Any],
) -> None:
    unwatched = {name for name, service in services.items() if "healthcheck" not in service}
    assert unwatched == ENDING | BY_HAND
    for service in services.values():
        for other, wait in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ENDING else "service_healthy"
            assert wait["condition"] == wanted


def test_nothing_is_reachable_from_outside(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_files_that_are_mounted_exist_and_are_good(services: dict[str, Any]) -> None:
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert not source.startswith(".") or (DEPLOY / source).exists()
    assert parse_rules((COMPOSE / "lists" / "rules.yaml").read_text()).drop_otc
    (listed,) = parse_subscriptions((COMPOSE / "lists" / "subscriptions.csv").read_text())
    assert listed.name == "A.*"


def test_dashboards_alerts_and_documents_name_metrics_that_exist() -> None:
    known = exported("feed") | exported("filter") | exported("sink") | exported("verify")
    known |= {name.removesuffix("_bucket") for name in known}
    with (DEPLOY / "confluent" / "topics.csv").open() as topics:
        known |= {row["topic"] for row in csv.DictReader(topics)}
    known |= {"polygon_streaming", "polygon_sandbox", "polygon_orchestration"}
    paths = [
        *(COMPOSE / "grafana" / "dashboards").glob("*.json"),
        COMPOSE / "alerts.yml",
        *(DEPLOY.parent / "docs").glob("*.md"),
        DEPLOY.parent / "README.md",
    ]
    texts = [path.read_text() for path in paths]
    used = {name for text in texts for name in re.findall(r"\bpolygon_[a-z_]+", text)}
    assert used
    assert used - known == set()


class Worker(BaseHTTPRequestHandler):
    """Stands in for Connect's REST API: busy for two requests, then it takes what comes."""

    busy: ClassVar[int] = 2
    taken: ClassVar[dict[str, Any]] = {}

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if Worker.busy:
            Worker.busy -= 1
            self.send_error(409)
            return
        Worker.taken[self.path] = json.loads(body)
        self.send_response(201)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.mark.skipif(shutil.which("curl") is None, reason="apt-get install curl")
def test_connectors_are_registered_at_a_worker_that_is_busy_at_first() -> None:
    with HTTPServer(("127.0.0.1", 0), Worker) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        command = [str(COMPOSE / "register.sh"), address, "1", str(DEPLOY / "kafka-connect")]
        subprocess.run(command, check=True)
        server.shutdown()
    wanted = {}
    for name in ("clickhouse-sink", "clickhouse-dead-letters"):
        given = json.loads((DEPLOY / "kafka-connect" / f"{name}.json").read_text())
        wanted[f"/connectors/{given['name']}/config"] = given["config"]
    # The stack has one broker.
    sink = wanted["/connectors/polygon-clickhouse-sink/config"]
    sink["errors.deadletterqueue.topic.replication.factor"] = "1"
    assert Worker.taken == wanted

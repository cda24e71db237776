"""A real Prometheus with the shipped configuration and rules, on real stages in trouble."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from polygon_sandbox.stream_faults import StreamFault

from deploy.tests.compose.prometheus import Prometheus
from deploy.tests.compose.running import LIST, RULES, Stack
from deploy.tests.compose.verified import verified

COMPOSE = Path(__file__).parents[2] / "compose"
UNREADABLE = '[{"ev":"A","sym":"SYM1","v":"many"}]'
NO_EVENT = '[{"sym":"SYM1"}]'

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None,
    reason="Prometheus is not installed: apt-get install prometheus",
)


@needs_prometheus
def test_promtool_accepts_the_configuration_and_its_rules() -> None:
    done = subprocess.run(
        ["promtool", "check", "config", str(COMPOSE / "prometheus.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "SUCCESS: 1 rule files found" in done.stdout


def test_each_job_is_a_service_that_serves_metrics_there() -> None:
    services = yaml.safe_load((COMPOSE.parent / "compose.yaml").read_text())["services"]
    config = yaml.safe_load((COMPOSE / "prometheus.yml").read_text())
    for job in config["scrape_configs"]:
        (static,) = job["static_configs"]
        assert static["targets"] == [f"{job['job_name']}:9100"]
        service = services[job["job_name"]]
        if job["job_name"] == "reports":
            assert "--collector.textfile.directory=/reports" in service["command"]
            assert service["volumes"] == ["reports:/reports:ro"]
        else:
            assert service["environment"]["POLYGON_STREAM_HTTP_PORT"] == "9100"
    mounted = [volume.split(":")[1] for volume in services["prometheus"]["volumes"]]
    assert {f"/etc/prometheus/{name}" for name in config["rule_files"]} <= set(mounted)


@pytest.fixture(scope="module")
def prometheus(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    directory = tmp_path_factory.mktemp("prometheus") / "of-the-stack"
    with verified() as port:
        ports = {**stack.ports, "reports": port}
        with Prometheus(directory, COMPOSE, ports) as running:
            yield running


@needs_prometheus
def test_a_healthy_stack_is_silent(prometheus: Prometheus) -> None:
    deadline = time.monotonic() + 25  # longer than any alert waits for
    while time.monotonic() < deadline:
        assert prometheus.alerts() == []
        time.sleep(0.5)


def of_prometheus(parts: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Name what panels or marks ask of Prometheus, with the ranges that Grafana puts in."""
    for part in parts:
        for target in part.get("targets", [part.get("target", {})]):
            if "expr" in target:
                expression = target["expr"].replace("$__range", "30m")
                name = str(part["title"] if "title" in part else part["name"])
                yield name, expression.replace("$__rate_interval", "10s")


@needs_prometheus
def test_every_panel_of_prometheus_shows_something(prometheus: Prometheus) -> None:
    asked = 0
    for path in (COMPOSE / "grafana" / "dashboards").glob("*.json"):
        board = json.loads(path.read_text())
        for name, expression in of_prometheus(board["panels"]):
            assert prometheus.query(expression), (name, expression)
            asked += 1
        for _, expression in of_prometheus(board["annotations"]["list"]):
            prometheus.query(expression)  # which has a sample only where there is something to mark
    assert asked > 20


@needs_prometheus
def test_the_first_of_each_event_is_heard_of_and_is_over_when_it_is(
    stack: Stack, prometheus: Prometheus
) -> None:
    stack.server.send(UNREADABLE)
    stack.server.send(NO_EVENT)
    prometheus.firing("DeadLetters", job="feed")
    prometheus.firing("DeadLetters", job="filter")

    stack.server.cut()
    gap = prometheus.firing(
        "GapsRecorded", market="stocks", reason="disconnected", severity="warning"
    )
    assert gap["annotations"]["summary"] == "Something of stocks is missing: disconnected"
    assert "gap" in stack.events("feed")  # which CloudWatch counts

    stack.listed.write_text("a list that is none\n")
    stack.rules.write_text("min_price: low\n")
    prometheus.firing("SubscriptionsRefused")
    prometheus.firing("RulesRefused")
    stack.listed.write_text(LIST)
    stack.rules.write_text(RULES)
    prometheus.until_silent()


@needs_prometheus
def test_a_market_that_is_refused_is_heard_of_and_the_others_are_well(
    stack: Stack, prometheus: Prometheus
) -> None:
    stack.server.faults.add(StreamFault.auth_failed(times=None))  # stocks are connected already
    stack.listed.write_text(f"{LIST}options,A,O:SPY251219C00650000\n")
    prometheus.firing("MarketRefused", market="options")
    time.sleep(15)  # longer than the others wait for
    assert {alert["labels"]["alertname"] for alert in prometheus.alerts()} == {"MarketRefused"}
    stack.server.faults.clear()
    stack.listed.write_text(LIST)
    prometheus.until_silent()


@needs_prometheus
def test_each_restart_is_heard_of(stack: Stack, prometheus: Prometheus) -> None:
    """The gap of each is counted 1 before the first scrape, as it was by the process before."""
    for _ in range(2):
        stack.kill("feed")
        stack.start("feed")
        prometheus.firing("GapsRecorded", reason="restart")
        prometheus.until_silent()


@needs_prometheus
def test_a_stage_that_is_gone_is_heard_of(stack: Stack, prometheus: Prometheus) -> None:
    stack.kill("filter")
    alert = prometheus.firing("FilterBehind")
    assert alert["annotations"]["summary"] == "The filters do not keep up, or none runs"
    stack.kill("feed")
    alert = prometheus.firing("FeedNotConnected")
    assert alert["annotations"]["summary"] == "The feed of all markets is not connected"

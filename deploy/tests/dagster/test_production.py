"""Dagster in production: files that fit each other, and what the documents add to them."""

import re
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.instance.config import dagster_instance_config

ROOT = Path(__file__).parents[3]
PRODUCTION = ROOT / "deploy" / "dagster"
OWN = ROOT / "orchestration" / "polygon_orchestration" / "dagster.yaml"


def content(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("path", [PRODUCTION / "dagster.yaml", OWN], ids=["production", "own"])
def test_dagster_accepts_the_instance(path: Path, tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text(path.read_text())
    config, _ = dagster_instance_config(str(tmp_path))
    assert config["concurrency"]["runs"]["max_concurrent_runs"] == 1
    assert config["run_monitoring"]["enabled"] is True


def test_production_differs_by_what_it_keeps_and_where() -> None:
    production, own = content(PRODUCTION / "dagster.yaml"), content(OWN)
    assert {name: production[name] for name in own} == own
    assert production.keys() - own.keys() == {"storage", "retention"}


def test_each_service_has_what_the_instance_asks_of_its_environment() -> None:
    services = content(PRODUCTION / "compose.yaml")["services"]
    asked = set(re.findall(r"env: (\w+)", (PRODUCTION / "dagster.yaml").read_text()))
    assert len(asked) == 4
    for name in ("code", "webserver", "daemon"):
        assert asked <= services[name]["environment"].keys(), name
    postgres = services["postgres"]["environment"]
    environment = services["daemon"]["environment"]
    assert environment["DAGSTER_POSTGRES_HOST"] == "postgres"
    for ours, theirs in (("USER", "USER"), ("DB", "DB"), ("PASSWORD", "PASSWORD")):
        assert environment[f"DAGSTER_POSTGRES_{ours}"] == postgres[f"POSTGRES_{theirs}"]


def test_the_workspace_is_the_service_that_serves_it() -> None:
    ((server,),) = (each.values() for each in content(PRODUCTION / "workspace.yaml")["load_from"])
    services = content(PRODUCTION / "compose.yaml")["services"]
    command = services[server["host"]]["command"]
    assert command[command.index("--port") + 1] == str(server["port"])
    assert "polygon_orchestration.definitions" in command
    for name, service in services.items():
        assert service["healthcheck"], name
        for wait in service.get("depends_on", {}).values():
            assert wait["condition"] == "service_healthy"
    assert all(port.startswith("127.0.0.1:") for port in services["webserver"]["ports"])


def test_what_the_image_copies_is_there_and_is_sent_to_the_build() -> None:
    dockerfile = (PRODUCTION / "Dockerfile").read_text()
    ignore = (PRODUCTION / "Dockerfile.dockerignore").read_text()
    sent = [line[1:] for line in ignore.splitlines() if line.startswith("!")]
    assert all((ROOT / path).exists() for path in sent)
    copied = re.findall(r"^COPY ((?:requirements|deploy)/.*) \S+$", dockerfile, re.MULTILINE)
    for path in " ".join(copied).split():
        assert any(path == one or path.startswith(f"{one}/") for one in sent), path
    # What the two packages say that they are built of.
    built = ("README.md", "LICENSE", "VERSION", "source-polygon", "manifests", "orchestration")
    assert set(built) <= set(sent)


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text()
    return dict(re.findall(r"^([\w.-]+)==([^ ]+)", text, re.MULTILINE))


def test_the_image_has_the_versions_that_are_tested_and_postgres() -> None:
    ours, tested = pins("orchestration.txt"), pins("dev.txt")
    assert ours.keys() - tested.keys() == {"dagster-postgres"}
    assert {name: tested[name] for name in ours.keys() & tested.keys()} == {
        name: version for name, version in ours.items() if name in tested
    }
    # Dagster's libraries have one number of their own.
    assert ours["dagster-postgres"] == tested["dagster-airbyte"]


def test_the_mail_of_the_documents_is_a_sensor_beside_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "not-a-secret")
    monkeypatch.setenv("POLYGON_API_KEY", "not-a-key")
    monkeypatch.setenv("POLYGON_DUCKDB_PATH", str(tmp_path / "polygon.duckdb"))
    text = (ROOT / "docs" / "orchestration.md").read_text()
    (block,) = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    found: dict[str, Any] = {}
    exec(block, found)  # noqa: S102 - the documents' own
    defs = found["defs"]
    assert isinstance(defs, dg.Definitions)
    sensors = {sensor.name: sensor for sensor in defs.sensors or []}
    assert sensors.keys() == {
        "alert_on_failure", "alert_on_failed_checks", "email_on_run_failure",
    }  # fmt: skip
    assert sensors["email_on_run_failure"].default_status.value == "RUNNING"

"""docs/deployment.md names what there is."""

import re
from pathlib import Path

from deploy.airbyte_cloud.credentials import VARIABLES
from deploy.tests.snowflake.landing import FOLDER
from deploy.tests.snowflake.script import statements

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "deployment.md").read_text()


def test_the_views_are_those_of_the_script() -> None:
    view = re.compile(r"CREATE OR REPLACE VIEW MARKET\.(\w+)")
    created = [found[1] for s in statements(FOLDER / "views.sql") if (found := view.match(s))]
    assert re.findall(r"^\| `([A-Z_]+)` \| each ", DOCS, re.MULTILINE) == created


def test_the_variables_are_those_of_the_command() -> None:
    assert [name for name in VARIABLES if f"{name}=" not in DOCS] == []


def test_the_make_targets_exist() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"\bmake ([a-z-]+)", DOCS)) <= set(targets)


def test_the_files_exist() -> None:
    made = {
        "config/catalog.json",
        "config/config.json",
        "config/state.json",
        "manifests/cloud.yaml",
    }
    paths = set(re.findall(r"\b(?:[\w-]+/)+[\w-]+\.\w+\b", DOCS)) - made
    local = {path for path in paths if path.split("/")[0] in {p.name for p in ROOT.iterdir()}}
    assert {"deploy/airbyte_cloud/settings.yaml", "deploy/snowflake/views.sql"} <= local
    assert [path for path in local if not (ROOT / path).exists()] == []

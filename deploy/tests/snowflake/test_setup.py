"""What setup.sql grants, and that its names are those of the other files."""

import re
from pathlib import Path

from airbyte_cdk.utils.yaml_loader import safe_load_yaml

from deploy.tests.snowflake.landing import FOLDER
from deploy.tests.snowflake.script import statements

ROOT = Path(__file__).parents[3]
SETUP = [re.sub(r"\s*(--[^\n]*)?\s+", " ", text) for text in statements(FOLDER / "setup.sql")]


def created(kind: str) -> list[str]:
    return [
        found[1] for s in SETUP if (found := re.match(rf"CREATE {kind} IF NOT EXISTS (\S+)", s))
    ]


def test_it_creates_what_the_settings_of_the_destination_name() -> None:
    settings = safe_load_yaml((ROOT / "deploy" / "airbyte_cloud" / "settings.yaml").read_text())
    destination = settings["destination"]
    assert destination["role"] in created("ROLE")
    assert created("USER") == [destination["username"]]
    assert created("WAREHOUSE") == [destination["warehouse"]]
    assert created("DATABASE") == [destination["database"]]
    assert f"{destination['database']}.{destination['schema']}" in created("SCHEMA")


def test_the_loader_may_do_this_and_no_more() -> None:
    assert [s for s in SETUP if s.endswith(" TO ROLE POLYGON_LOADER")] == [
        "GRANT USAGE ON WAREHOUSE POLYGON_LOADING TO ROLE POLYGON_LOADER",
        "GRANT USAGE ON DATABASE POLYGON TO ROLE POLYGON_LOADER",
        "GRANT CREATE SCHEMA ON DATABASE POLYGON TO ROLE POLYGON_LOADER",
        "GRANT USAGE ON SCHEMA POLYGON.LANDING TO ROLE POLYGON_LOADER",
        "GRANT CREATE TABLE ON SCHEMA POLYGON.LANDING TO ROLE POLYGON_LOADER",
        "GRANT CREATE STAGE ON SCHEMA POLYGON.LANDING TO ROLE POLYGON_LOADER",
        "GRANT CREATE FILE FORMAT ON SCHEMA POLYGON.LANDING TO ROLE POLYGON_LOADER",
    ]


def test_readers_see_the_views_alone() -> None:
    granted = [*SETUP, *statements(FOLDER / "views.sql")]
    assert [s for s in granted if s.endswith(" TO ROLE POLYGON_READER")] == [
        "GRANT USAGE ON DATABASE POLYGON TO ROLE POLYGON_READER",
        "GRANT USAGE ON SCHEMA POLYGON.MARKET TO ROLE POLYGON_READER",
        "GRANT SELECT ON ALL VIEWS IN SCHEMA MARKET TO ROLE POLYGON_READER",
    ]


def test_everything_may_run_again() -> None:
    again = ("USE ", "GRANT ", "ALTER USER ")
    for statement in SETUP:
        assert statement.startswith(again) or " IF NOT EXISTS " in statement, statement
    for statement in statements(FOLDER / "views.sql"):
        assert statement.startswith((*again, "CREATE OR REPLACE VIEW ")), statement


def test_the_user_has_a_key_and_no_password() -> None:
    (user,) = [s for s in SETUP if s.startswith("CREATE USER")]
    assert "TYPE = SERVICE" in user
    assert not any("PASSWORD" in s.upper() for s in SETUP)
    assert "ALTER USER POLYGON_AIRBYTE SET RSA_PUBLIC_KEY = 'PUBLIC_KEY'" in SETUP

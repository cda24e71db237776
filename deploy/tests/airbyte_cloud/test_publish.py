"""The command against a look-alike of the API: what it sends, says and leaves alone."""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.utils.yaml_loader import safe_load_yaml

from deploy.airbyte_cloud.__main__ import main
from deploy.tests.airbyte_cloud.lookalike import CLIENT, WORKSPACE, Lookalike

ROOT = Path(__file__).parents[3]
MANIFEST = Path(__file__).with_name("manifest.yaml")
KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvSECRETSECRET\n-----END PRIVATE KEY-----"
ENVIRONMENT = {
    "AIRBYTE_CLIENT_ID": CLIENT["client_id"],
    "AIRBYTE_CLIENT_SECRET": CLIENT["client_secret"],
    "POLYGON_API_KEY": "polygon-key-12345",
    "SNOWFLAKE_PRIVATE_KEY": KEY,
}
SNOWFLAKE = {
    "host": "acme-main.snowflakecomputing.com",
    "role": "POLYGON_LOADER",
    "warehouse": "POLYGON_LOADING",
    "database": "POLYGON",
    "schema": "LANDING",
    "username": "POLYGON_AIRBYTE",
}
STREAMS = [
    {
        "name": "splits",
        "syncMode": "incremental_deduped_history",
        "cursorField": ["execution_date"],
        "primaryKey": [["id"]],
    },
    {"name": "exchanges", "syncMode": "full_refresh_overwrite"},
]


class Command:
    """The command, with settings that a test may change between runs."""

    def __init__(
        self, airbyte: Lookalike, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.airbyte = airbyte
        self.settings: dict[str, Any] = {
            "workspace_id": WORKSPACE,
            "api_url": airbyte.url,
            "definition": {"name": "Polygon.io (Massive.com)"},
            "source": {"name": "Polygon.io", "configuration": {"start_date": "2025-01-02"}},
            "destination": {"name": "Snowflake", **SNOWFLAKE},
            "connection": {"name": "Polygon.io to Snowflake", "cron": "0 0 6 * * ?"},
        }
        self.manifest = safe_load_yaml(MANIFEST.read_text())
        self.files = {"--settings": folder / "settings.yaml", "--manifest": folder / "m.yaml"}
        self._capsys = capsys

    def __call__(self, *options: str) -> tuple[int | str | None, str]:
        """Run; return the exit status or message, and what was printed."""
        self.airbyte.writes.clear()
        self.files["--settings"].write_text(json.dumps(self.settings))
        self.files["--manifest"].write_text(json.dumps(self.manifest))
        paths = [str(word) for option in self.files.items() for word in option]
        status: int | str | None = 0
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["publish", *paths, *options])
            try:
                main()
            except SystemExit as end:
                status = end.code
        printed = self._capsys.readouterr()
        for secret in (*ENVIRONMENT.values(), "MIIEvSECRETSECRET"):
            if secret != CLIENT["client_id"]:
                assert secret not in f"{status}{printed}"
        return status, printed.out


@pytest.fixture
def airbyte() -> Iterator[Lookalike]:
    with Lookalike() as running:
        yield running


@pytest.fixture
def publish(
    airbyte: Lookalike,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Command:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return Command(airbyte, tmp_path, capsys)


def test_the_first_run_creates_all_four_with_exactly_these_requests(
    publish: Command, airbyte: Lookalike
) -> None:
    status, printed = publish()
    assert status == 0
    definition, source, destination, connection = [body for _, _, body in airbyte.writes]
    assert [(method, kind) for method, kind, _ in airbyte.writes] == [
        ("POST", "definitions"),
        ("POST", "sources"),
        ("POST", "destinations"),
        ("POST", "connections"),
    ]
    assert definition == {"name": "Polygon.io (Massive.com)", "manifest": publish.manifest}
    assert source == {
        "name": "Polygon.io",
        "workspaceId": WORKSPACE,
        "definitionId": airbyte.named("definitions", "Polygon.io (Massive.com)")["id"],
        "configuration": {
            "start_date": "2025-01-02",
            "requests_per_minute": 5,
            "base_url": "https://api.polygon.io",
            "api_key": "polygon-key-12345",
        },
    }
    assert destination == {
        "name": "Snowflake",
        "workspaceId": WORKSPACE,
        "configuration": {
            "destinationType": "snowflake",
            **SNOWFLAKE,
            "credentials": {"auth_type": "Key Pair Authentication", "private_key": KEY},
        },
    }
    assert connection == {
        "name": "Polygon.io to Snowflake",
        "sourceId": airbyte.named("sources", "Polygon.io")["sourceId"],
        "destinationId": airbyte.named("destinations", "Snowflake")["destinationId"],
        "status": "active",
        "schedule": {"scheduleType": "cron", "cronExpression": "0 0 6 * * ?"},
        "namespaceDefinition": "destination",
        "prefix": "",
        "nonBreakingSchemaUpdatesBehavior": "propagate_columns",
        "configurations": {"streams": STREAMS},
    }
    assert airbyte.named("destinations", "Snowflake")["destinationType"] == "snowflake"
    assert "+ api_key: **********" in printed
    assert "+ streams.exchanges: {'syncMode': 'full_refresh_overwrite'}" in printed
    assert "+ credentials.private_key: **********" in printed
    assert printed.endswith("4 created, 0 updated, 0 unchanged.\n")


def test_a_second_run_changes_nothing_and_says_so(publish: Command, airbyte: Lookalike) -> None:
    publish()
    before = copy.deepcopy(airbyte.things)
    status, printed = publish()
    assert status == 0
    assert airbyte.writes == []
    assert airbyte.things == before
    assert printed.splitlines()[1:] == [
        '= custom connector "Polygon.io (Massive.com)"',
        '= source "Polygon.io"',
        '= destination "Snowflake"',
        '= connection "Polygon.io to Snowflake"',
        "0 created, 0 updated, 4 unchanged.",
    ]


def test_a_dry_run_shows_the_same_and_changes_nothing(publish: Command, airbyte: Lookalike) -> None:
    status, printed = publish("--dry-run")
    assert (status, airbyte.writes) == (0, [])
    assert "Dry run, nothing was changed. Otherwise: 4 created, 0 updated" in printed
    _, real = publish()
    assert printed.splitlines()[:-1] == real.splitlines()[:-1]
    publish.settings["connection"]["cron"] = "0 30 7 * * ?"
    _, printed = publish("--dry-run")
    assert airbyte.writes == []
    assert "~ schedule.cronExpression: '0 0 6 * * ?' -> '0 30 7 * * ?'" in printed
    assert "0 created, 1 updated, 3 unchanged" in printed


def test_what_differs_is_updated_and_nothing_else(publish: Command, airbyte: Lookalike) -> None:
    publish()
    publish.manifest["streams"][0]["primary_key"] = ["id", "ticker"]
    publish.settings["source"]["configuration"]["requests_per_minute"] = 600
    status, printed = publish()
    assert status == 0
    manifest, source, connection = airbyte.writes
    assert manifest == ("PUT", "definitions", {"manifest": publish.manifest})
    assert source[:2] == ("PUT", "sources")
    assert source[2]["configuration"]["requests_per_minute"] == 600
    assert source[2]["configuration"]["api_key"] == "polygon-key-12345"
    assert connection[:2] == ("PATCH", "connections")
    assert connection[2]["configurations"]["streams"][0]["primaryKey"] == [["id"], ["ticker"]]
    assert "status" not in connection[2]  # one that is paused stays so
    assert "~ streams.splits.primaryKey: [['id']] -> [['id'], ['ticker']]" in printed
    assert printed.endswith("0 created, 3 updated, 1 unchanged.\n")


def test_a_setting_that_is_taken_out_goes_back_to_its_default(
    publish: Command, airbyte: Lookalike
) -> None:
    publish.settings["source"]["configuration"]["end_date"] = "2025-06-30"
    publish()
    del publish.settings["source"]["configuration"]["end_date"]
    _, printed = publish()
    assert "- end_date: '2025-06-30'" in printed
    assert "end_date" not in airbyte.named("sources", "Polygon.io")["configuration"]


def test_streams_can_be_chosen(publish: Command, airbyte: Lookalike) -> None:
    publish()
    publish.settings["connection"]["streams"] = ["splits"]
    _, printed = publish()
    (write,) = airbyte.writes
    assert write[2]["configurations"]["streams"] == STREAMS[:1]
    assert "- streams.exchanges: {'syncMode': 'full_refresh_overwrite'}" in printed


def test_secrets_are_sent_again_when_asked(
    publish: Command, airbyte: Lookalike, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()
    monkeypatch.setenv("POLYGON_API_KEY", "polygon-key-67890")
    assert publish()[1].endswith("4 unchanged.\n")
    _, printed = publish("--resend-secrets")
    assert [write[:2] for write in airbyte.writes] == [("PUT", "sources"), ("PUT", "destinations")]
    assert airbyte.named("sources", "Polygon.io")["configuration"]["api_key"] == "polygon-key-67890"
    assert "2 updated, 2 unchanged" in printed


def test_an_encrypted_key_goes_with_its_passphrase(
    publish: Command, airbyte: Lookalike, monkeypatch: pytest.MonkeyPatch
) -> None:
    encrypted = KEY.replace("BEGIN PRIVATE", "BEGIN ENCRYPTED PRIVATE")
    monkeypatch.setenv("SNOWFLAKE_PRIVATE_KEY", encrypted)
    assert "Set SNOWFLAKE_PRIVATE_KEY_PASSPHRASE as well" in str(publish()[0])
    monkeypatch.setenv("SNOWFLAKE_PRIVATE_KEY_PASSPHRASE", "open sesame 1")
    assert publish()[0] == 0
    login = airbyte.named("destinations", "Snowflake")["configuration"]["credentials"]
    assert login["private_key_password"] == "open sesame 1"


def test_things_beyond_the_first_page_are_found(publish: Command, airbyte: Lookalike) -> None:
    for number in range(230):
        airbyte.add("sources", name=f"other {number}")
    publish()
    assert publish()[1].endswith("4 unchanged.\n")


def test_all_missing_variables_are_named_at_once(
    publish: Command, airbyte: Lookalike, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POLYGON_API_KEY")
    monkeypatch.setenv("AIRBYTE_CLIENT_SECRET", "")
    status, _ = publish()
    assert str(status).splitlines() == [
        "publish: Set these environment variables:",
        "  AIRBYTE_CLIENT_SECRET: of the same application",
        "  POLYGON_API_KEY: the key of your Polygon.io or Massive.com account",
    ]


def test_all_wrong_settings_are_named_at_once(publish: Command) -> None:
    publish.settings["workspace_id"] = "00000000-0000-0000-0000-000000000000"
    publish.settings["source"]["configuration"]["api_key"] = "polygon-key-12345"
    publish.settings["destination"]["hosts"] = publish.settings["destination"].pop("host")
    publish.settings["connection"]["cron"] = "0 6 * * *"
    status, _ = publish()
    lines = str(status).splitlines()
    assert lines[0].endswith("settings.yaml is not usable:")
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        "workspace_id",
        "source.configuration",
        "destination.host",
        "destination.hosts",
        "connection.cron",
    ]
    assert "put the identifier of your workspace here" in lines[1]
    assert "set POLYGON_API_KEY" in lines[2]
    assert "six fields, seconds first" in lines[5]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"start_date": "02.01.2025"},
            "start_date: '02.01.2025' is not of the right form. Give YYYY-MM-DD.",
        ),
        ({"start_dat": "2025-01-02"}, "start_dat is not a field of this connector"),
    ],
)
def test_a_wrong_configuration_is_refused_before_anything_is_sent(
    publish: Command, airbyte: Lookalike, change: dict[str, Any], message: str
) -> None:
    publish.settings["source"]["configuration"].update(change)
    status, _ = publish()
    assert message in str(status)
    assert airbyte.writes == []


def test_an_unknown_stream_is_refused(publish: Command) -> None:
    publish.settings["connection"]["streams"] = ["splits", "bars"]
    assert publish()[0] == (
        "publish: connection.streams: there is no bars in the manifest. It has splits, exchanges."
    )


def test_a_manifest_that_needs_python_is_refused(publish: Command) -> None:
    publish.manifest = safe_load_yaml((ROOT / "manifests" / "source-polygon.yaml").read_text())
    status, _ = publish()
    assert "needs Python code (CustomAuthenticator, " in str(status)
    assert "Publish manifests/cloud.yaml" in str(status)


def test_a_manifest_that_airbyte_could_not_run_is_refused(publish: Command) -> None:
    del publish.manifest["streams"][0]["retriever"]
    status, _ = publish()
    assert "is not a usable manifest" in str(status)


def test_names_that_fit_several_things_are_refused(publish: Command, airbyte: Lookalike) -> None:
    publish()
    airbyte.add("sources", name="Polygon.io")
    assert publish()[0] == (
        'publish: There are 2 of source "Polygon.io". Rename or remove all but one.'
    )


def _source_of_another(airbyte: Lookalike) -> None:
    airbyte.add("sources", name="Polygon.io")


def _destination_of_another_type(airbyte: Lookalike) -> None:
    airbyte.add("destinations", name="Snowflake", destinationType="bigquery")


def _connection_between_others(airbyte: Lookalike) -> None:
    airbyte.add(
        "connections", name="Polygon.io to Snowflake", sourceId="another", destinationId="another"
    )


@pytest.mark.parametrize(
    ("put", "message"),
    [
        (_source_of_another, "of another connector (another)"),
        (_destination_of_another_type, "of type bigquery"),
        (_connection_between_others, "between another source and destination"),
    ],
)
def test_what_cannot_be_updated_is_refused_with_the_way_out(
    publish: Command, airbyte: Lookalike, put: Callable[[Lookalike], None], message: str
) -> None:
    put(airbyte)
    status, _ = publish()
    assert message in str(status)
    assert "another name, or remove that" in str(status)


@pytest.mark.parametrize(
    ("refused", "answer", "message"),
    [
        (
            ("POST", "sources"),
            (422, "Invalid api_key"),
            "did not create the source: it answers 422",
        ),
        (("GET", "definitions"), (403, "Forbidden"), "Look at workspace_id"),
        (("POST", "destinations"), (500, "Oops"), "did not create the destination: it answers 500"),
    ],
)
def test_refusals_are_told_without_secrets_and_the_next_run_goes_on(
    publish: Command,
    airbyte: Lookalike,
    refused: tuple[str, str],
    answer: tuple[int, str],
    message: str,
) -> None:
    airbyte.refusals[refused] = answer
    status, _ = publish()
    assert message in str(status)
    assert answer[1] in str(status)
    done = sum(len(things) for things in airbyte.things.values())
    airbyte.refusals.clear()
    _, printed = publish()
    assert printed.endswith(f"{4 - done} created, 0 updated, {done} unchanged.\n")


def test_a_wrong_client_is_told_which_variables_to_look_at(
    publish: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRBYTE_CLIENT_ID", "nobody")
    status, _ = publish()
    assert "Look at AIRBYTE_CLIENT_ID and AIRBYTE_CLIENT_SECRET" in str(status)


def test_a_server_that_is_not_there_is_told(publish: Command) -> None:
    publish.settings["api_url"] = "http://127.0.0.1:9/v1"
    assert "Airbyte at http://127.0.0.1:9/v1 did not list the custom connectors" in str(
        publish()[0]
    )


def test_the_settings_that_are_shipped_only_need_the_users_own_values(publish: Command) -> None:
    publish.settings = safe_load_yaml((ROOT / "deploy/airbyte_cloud/settings.yaml").read_text())
    lines = str(publish()[0]).splitlines()[1:]
    assert [line.split(":")[0].strip() for line in lines] == ["workspace_id", "destination.host"]


def test_the_command_runs_from_the_shell(publish: Command, airbyte: Lookalike) -> None:
    publish()
    command = [sys.executable, "-m", "deploy.airbyte_cloud", "--dry-run"]
    command += [str(word) for option in publish.files.items() for word in option]
    done = subprocess.run(
        command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "0 created, 0 updated, 4 unchanged" in done.stdout


def test_the_cloud_edition_is_published_with_the_streams_that_the_views_read(
    publish: Command, airbyte: Lookalike
) -> None:
    publish.manifest = safe_load_yaml((ROOT / "manifests" / "cloud.yaml").read_text())
    shipped = safe_load_yaml((ROOT / "deploy/airbyte_cloud/settings.yaml").read_text())
    publish.settings["connection"]["streams"] = shipped["connection"]["streams"]
    assert publish()[0] == 0
    (connection,) = [body for _, kind, body in airbyte.writes if kind == "connections"]
    deduped = "incremental_deduped_history"
    assert {
        stream["name"]: (stream["syncMode"], stream.get("cursorField"), stream.get("primaryKey"))
        for stream in connection["configurations"]["streams"]
    } == {
        "grouped_daily": (
            deduped,
            ["last_updated_utc"],
            [["market"], ["date"], ["ticker"], ["adjusted"]],
        ),
        "tickers": (deduped, ["last_updated_utc"], [["market"], ["ticker"], ["listing_end"]]),
        "splits": ("full_refresh_overwrite", None, None),
        "dividends": ("full_refresh_overwrite", None, None),
    }
    status, printed = publish()
    assert (status, airbyte.writes) == (0, [])
    assert "4 unchanged" in printed

"""The tables of the documents that are written from the code are up to date."""

import importlib.util

import pytest

from integration_tests.documents.blocks import ROOT

_spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
assert _spec
assert _spec.loader
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)

DOCUMENTS = sorted({document for document, _ in reference.TABLES.values()})


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_tables_are_as_the_code_has_them(document: str) -> None:
    assert (ROOT / document).read_text() == reference.written(document), "run `make reference`"


def test_what_commands_say_differently_is_told_apart() -> None:
    rows = {row.split(" | ")[0]: row for row in reference.streaming_settings().splitlines()}
    assert rows["| `--reload-seconds`"] == (
        "| `--reload-seconds` | feed, filter | feed: `30`; filter: `5` | feed: How often the list "
        "is looked at; filter: How often the rules file is looked at |"
    )
    assert rows["| `--tls`"].startswith("| `--tls` | feed | `True` | wss://;")
    password = "| `--clickhouse-password`"
    assert f"{password} | sink, backfill, verify, doctor | |" in rows[password]


def test_metrics_have_their_labels_before_there_is_a_sample() -> None:
    rows = reference.streaming_metrics().splitlines()
    assert (
        "| feed | `polygon_ws_disconnects_total` | market, reason | Connections that ended, by "
        "reason. Each is a gap |"
    ) in rows
    assert "| sink | `polygon_sink_rows_total` | | Rows inserted |" in rows


def test_the_form_is_told_as_the_docker_edition_says_it() -> None:
    rows = reference.connector_form().splitlines()
    assert rows[2] == "| **Key, dates and markets** | | | |"
    (markets,) = (row for row in rows if row.startswith("| `markets` |"))
    assert markets.endswith('Of `stocks`, `otc`, `crypto`, `fx`, `indices`. | `["stocks"]` |')
    (pace,) = (row for row in rows if row.startswith("| `requests_per_minute` |"))
    assert "Pace of each product" in pace

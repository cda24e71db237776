import csv
import json
import os
import subprocess
from pathlib import Path

import pytest
from polygon_streaming import FilterSettings, HealSettings, SinkSettings, load_settings

CONFLUENT = Path(__file__).parents[2] / "confluent"
# Stands in for the command line of Confluent: notes each call, knows one account of four.
STUB = """\
#!/bin/sh
echo "$@" >> "$CALLS"
case "$*" in
    "iam service-account list"*) echo '[{"id": "sa-feed", "name": "polygon-stream-feed"}]' ;;
    "iam service-account create"*) echo "{\\"id\\": \\"sa-$4\\"}" ;;
esac
"""


def rows(name: str) -> list[dict[str, str]]:
    with (CONFLUENT / name).open() as file:
        return list(csv.DictReader(file))


def test_topics_are_those_of_the_commands() -> None:
    filter_settings = load_settings(FilterSettings, [])
    names = {topic["topic"] for topic in rows("topics.csv")}
    assert names == {
        filter_settings.raw_topic,
        *filter_settings.targets.values(),
        filter_settings.dead_letter_topic,
        filter_settings.gaps_topic,
        "polygon_stream_sink_dead_letter",
    }


def test_accounts_have_rights_to_known_topics_groups_and_ids_only() -> None:
    topics = {topic["topic"] for topic in rows("topics.csv")}
    acls = rows("acls.csv")
    assert {acl["resource"] for acl in acls if acl["kind"] == "topic"} <= topics
    assert not any("*" in value for acl in acls for value in acl.values())
    by_kind = {(acl["account"], acl["kind"]): acl["resource"] for acl in acls}
    assert by_kind["filter", "consumer-group"] == load_settings(FilterSettings, []).group
    heal = load_settings(HealSettings, ["--api-key", "a-key"])
    assert by_kind["heal", "consumer-group"] == heal.group
    assert by_kind["sink", "consumer-group"] == load_settings(SinkSettings, []).group
    wanted = load_settings(FilterSettings, []).transactional_id
    assert wanted.startswith(by_kind["filter", "transactional-id"])
    # Only the filter writes what the sink reads.
    writers = {
        acl["account"]
        for acl in acls
        if acl["resource"] == "custom_filtered_stock_data_topic" and "write" in acl["operations"]
    }
    assert writers == {"filter"}


def test_the_healing_reads_gaps_and_writes_raw_events_and_nothing_else() -> None:
    given = {
        (acl["kind"], acl["resource"], acl["operations"], acl["pattern"])
        for acl in rows("acls.csv")
        if acl["account"] == "heal"
    }
    assert given == {
        ("topic", "polygon_stream_gaps", "read describe", "literal"),
        ("consumer-group", "polygon-stream-heal", "read describe", "literal"),
        ("topic", "polygon_stream_aggregates", "write describe", "literal"),
    }


@pytest.fixture
def calls(tmp_path: Path) -> list[str]:
    """The calls that the script makes."""
    stub = tmp_path / "confluent"
    stub.write_text(STUB)
    stub.chmod(0o755)
    made = tmp_path / "calls"
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "CALLS": str(made),
    }
    subprocess.run([CONFLUENT / "setup.sh"], env=environment, check=True)
    return made.read_text().splitlines()


def test_the_script_makes_each_topic_and_each_right(calls: list[str]) -> None:
    created = [call for call in calls if call.startswith("kafka topic create")]
    assert len(created) == len(rows("topics.csv"))
    assert created[0] == (
        "kafka topic create polygon_stream_aggregates --if-not-exists --partitions 6 --config "
        "retention.ms=604800000,cleanup.policy=delete,max.message.bytes=2097164"
    )
    granted = [call for call in calls if call.startswith("kafka acl create")]
    assert len(granted) == len(rows("acls.csv"))
    assert granted[0] == (
        "kafka acl create --allow --service-account sa-feed --operations write,describe "
        "--topic polygon_stream_aggregates"
    )
    assert (
        "kafka acl create --allow --service-account sa-polygon-stream-filter "
        "--operations write,describe --transactional-id polygon-stream-filter- --prefix"
    ) in granted


def test_client_properties_are_what_the_commands_take() -> None:
    given = json.loads((CONFLUENT / "client.json").read_text())
    settings = load_settings(
        FilterSettings, [f"--kafka={name}={value}" for name, value in given.items()]
    )
    assert settings.kafka == given

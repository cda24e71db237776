"""The documentation names every rule, and its examples are good."""

import os
import re
from pathlib import Path

import pytest
from polygon_streaming import settings
from polygon_streaming.filter.rules import Rules, parse
from polygon_streaming.subscriptions.parse import parse as parse_list

TEXT = (Path(__file__).parents[2] / "docs" / "streaming.md").read_text()


def test_the_examples_are_good() -> None:
    rules, _ = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert parse(rules).model_fields_set == set(Rules.model_fields)
    (listed,) = re.findall(r"```csv\n(market,channel,symbol\n.*?)```", TEXT, re.DOTALL)
    assert len(parse_list(listed)) == 3


def test_the_settings_file_is_good_for_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    for name in [name for name in os.environ if name.startswith("POLYGON_")]:
        monkeypatch.delenv(name)
    path = tmp_path / "stream.yaml"
    path.write_text(text)
    monkeypatch.setenv("POLYGON_STREAM_CONFIG", str(path))
    monkeypatch.setenv("POLYGON_API_KEY", "k")
    for kind in settings.COMMANDS:
        if not issubclass(kind, settings.KafkaSettings):
            continue
        given = settings.load(kind, [])
        assert isinstance(given, settings.KafkaSettings)
        assert given.bootstrap_servers == "broker-1:9092,broker-2:9092"
        assert given.kafka["sasl.mechanism"] == "SCRAM-SHA-512"
    assert settings.load(settings.FilterSettings, []).rules == Path("rules.yaml")
    assert settings.load(settings.SinkSettings, []).clickhouse.startswith("http://writer@")

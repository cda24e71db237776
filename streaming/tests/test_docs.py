"""The documentation names every setting, metric and rule, and its examples are good."""

import os
import re
from pathlib import Path

import pytest

from polygon_streaming import settings
from polygon_streaming.filter.rules import Rules, parse
from polygon_streaming.process import metrics
from polygon_streaming.subscriptions.parse import parse as parse_list

TEXT = (Path(__file__).parents[2] / "docs" / "streaming.md").read_text()


def test_every_setting_is_documented() -> None:
    for kind in (settings.FeedSettings, settings.FilterSettings, settings.SinkSettings,
                 settings.HealSettings, settings.DoctorSettings):  # fmt: skip
        for name in kind.model_fields:
            assert f"| `--{name.replace('_', '-')}` |" in TEXT, name


def test_the_metrics_of_each_stage_are_documented_as_they_are() -> None:
    rows = re.findall(r"^\| (\w+) \| `(polygon_\w+)` \| .*? \| (.*) \|$", TEXT, re.MULTILINE)
    exported = [
        (stage, family.name + ("_total" if family.type == "counter" else ""), family.documentation)
        for stage, registry in metrics.STAGES.items()
        for family in registry.collect()
    ]
    assert rows == [
        *exported,
        ("all", "polygon_stream_build_info", "Always 1"),
        ("all", "polygon_stream_ready", "1 while /readyz is ok"),
    ]


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
        given = settings.load(kind, [])
        assert given.bootstrap_servers == "broker-1:9092,broker-2:9092"
        assert given.kafka["sasl.mechanism"] == "SCRAM-SHA-512"
    assert settings.load(settings.FilterSettings, []).rules == Path("rules.yaml")
    assert settings.load(settings.SinkSettings, []).clickhouse.startswith("http://writer@")

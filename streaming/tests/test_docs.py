"""The documentation names every setting, metric and rule, and its examples are good."""

import re
from pathlib import Path

from polygon_streaming import metrics, settings
from polygon_streaming.rules import Rules, parse
from polygon_streaming.subscriptions import parse as parse_list

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
    assert rows == [*exported, ("all", "polygon_stream_build_info", "Always 1")]


def test_the_examples_are_good() -> None:
    (rules,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert parse(rules).model_fields_set == set(Rules.model_fields)
    (listed,) = re.findall(r"```\n(market,channel,symbol\n.*?)```", TEXT, re.DOTALL)
    assert len(parse_list(listed)) == 3

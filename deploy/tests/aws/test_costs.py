"""The table of costs in the runbook: its sums are right, and it counts what the templates make."""

import re
from pathlib import Path
from typing import Any

import pytest

from deploy.tests.aws.alarms import watched

OPERATIONS = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
ROW = re.compile(
    r"^\| ([^|]+?) \*? ?\| ([\d.]+) ([^|]+?) \| ([\d.]+) \| ([\d.]+) \|$", re.MULTILINE
)


def test_each_amount_is_its_quantity_times_its_price() -> None:
    rows = ROW.findall(OPERATIONS)
    assert len(rows) == 21
    for part, quantity, _, price, amount in rows:
        assert float(quantity) * float(price) == pytest.approx(float(amount), abs=0.005), part


def test_the_sums_are_those_of_the_rows() -> None:
    aws = total = 0.0
    for line in OPERATIONS.splitlines():
        if row := ROW.match(line):
            total += float(row[5])
        elif "| **AWS** |" in line:
            aws = total
            assert f"**{aws:.2f}**" in line
        elif "| **All of it** |" in line:
            assert f"**{total:.2f}**" in line
    assert 0 < aws < total


def test_the_table_counts_what_the_templates_make(templates: dict[str, Any]) -> None:
    made = [
        resource["Type"]
        for template in templates.values()
        for resource in template["Resources"].values()
    ]
    units = {row[2]: float(row[1]) for row in ROW.findall(OPERATIONS)}
    assert units["in alarms"] == len([*watched(templates.values())])
    assert units["secrets"] == made.count("AWS::SecretsManager::Secret")
    assert units["key"] == made.count("AWS::KMS::Key")
    assert units["dashboard"] == made.count("AWS::CloudWatch::Dashboard")
    tasks = [templates[name]["Parameters"] for name in ("feed", "filter", "sink")]
    assert units["vCPU-h"] == sum(int(task["Cpu"]["Default"]) for task in tasks) / 1024 * 730
    assert units["GB-h"] == sum(int(task["Memory"]["Default"]) for task in tasks) / 1024 * 730


def test_healing_costs_a_minute_an_hour(templates: dict[str, Any]) -> None:
    heal = templates["heal"]["Parameters"]
    units = {row[2]: float(row[1]) for row in ROW.findall(OPERATIONS)}
    assert heal["Schedule"]["Default"] == "rate(1 hour)"
    hours = 730 / 60
    for unit, size in (("vCPU-h", "Cpu"), ("GB-h", "Memory")):
        each = int(heal[size]["Default"]) / 1024
        assert units[f"{unit} of healing"] == pytest.approx(hours * each, abs=0.005)

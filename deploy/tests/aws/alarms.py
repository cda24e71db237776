"""Which metrics the templates' alarms look at, and which the agents send."""

import json
from collections.abc import Iterable, Iterator
from typing import Any


def watched(templates: Iterable[Any]) -> Iterator[Any]:
    """Yield each metric of each alarm: its namespace, name and dimensions."""
    for template in templates:
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                alarm = resource["Properties"]
                parts = [part.get("MetricStat") for part in alarm.get("Metrics", [])]
                yield from [part["Metric"] for part in parts if part] or [alarm]


def passed_on(template: Any) -> set[tuple[str, tuple[str, ...]]]:
    """Return the metrics that an agent sends, each with the names of its dimensions."""
    (agent,) = [
        container
        for container in template["Resources"]["Task"]["Properties"]["ContainerDefinitions"]
        if container["Name"] == "metrics"
    ]
    text = next(e["Value"] for e in agent["Environment"] if e["Name"] == "CW_CONFIG_CONTENT")
    collected = json.loads(text["Fn::Sub"])["logs"]["metrics_collected"]["prometheus"]
    assert collected["emf_processor"]["metric_namespace"] == "PolygonStream"
    return {
        (selector.strip("^$"), tuple(dimensions))
        for declaration in collected["emf_processor"]["metric_declaration"]
        for selector in declaration["metric_selectors"]
        for dimensions in declaration["dimensions"]
    }

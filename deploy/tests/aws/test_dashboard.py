"""The dashboard shows metrics that the agents pass on, with the dimensions that they give them."""

import json
import re
from typing import Any

from deploy.tests.aws.account import Account
from deploy.tests.aws.alarms import passed_on


def shown(body: Any) -> set[tuple[str, str, tuple[str, ...]]]:
    """Return the metrics of a dashboard: its job, its name, the names of its dimensions."""
    found = set()
    for widget in body["widgets"]:
        for metric in widget["properties"]["metrics"]:
            if isinstance(metric[0], dict):
                search = metric[0]["expression"]
                match = re.match(r"SEARCH\('\{PolygonStream,(.+)\} MetricName=\"(\w+)\"'", search)
                assert match
                found.add(("feed", match[2], tuple(match[1].split(","))))
                continue
            namespace, name, *pairs = [part for part in metric if isinstance(part, str)]
            assert namespace == "PolygonStream"
            values = dict(zip(pairs[::2], pairs[1::2], strict=True))
            found.add((values["job"], name, tuple(values)))
    return found


def test_each_metric_is_sent(templates: dict[str, Any], deployed: Account) -> None:
    board = deployed.client("cloudwatch").get_dashboard(DashboardName="polygon-stream-dashboard")
    body = json.loads(board["DashboardBody"])
    metrics = shown(body)
    for job, name, dimensions in metrics:
        assert (name, dimensions) in passed_on(templates[job])
    assert {job for job, _, _ in metrics} == {"feed", "filter", "sink"}
    names = {name for _, name, _ in metrics}
    assert {"polygon_feed_gaps_total", "polygon_consumer_lag_records"} <= names


def test_no_two_widgets_are_in_one_place(deployed: Account) -> None:
    board = deployed.client("cloudwatch").get_dashboard(DashboardName="polygon-stream-dashboard")
    places = [
        (column, row)
        for widget in json.loads(board["DashboardBody"])["widgets"]
        for column in range(widget["x"], widget["x"] + widget["width"])
        for row in range(widget["y"], widget["y"] + widget["height"])
    ]
    assert len(places) == len(set(places))
    assert max(column for column, _ in places) < 24

"""Each alert fires on the first event, and a healthy stack is silent.

`promtool test rules` says so, of series that begin with what real stages export.
"""

import re
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from polygon_streaming import metrics, reasons

from deploy.tests.compose.promtool import (
    MINUTES,
    STEP,
    Change,
    Fault,
    Labels,
    Series,
    expect,
    series,
)
from deploy.tests.compose.running import Stack
from deploy.tests.compose.verified import BARS, families

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy" / "compose" / "alerts.yml"
BEGIN = 20
"""The minute of the fault."""

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed: apt-get install prometheus"
)


def rules() -> dict[str, Any]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


@pytest.fixture(scope="module")
def healthy(stack: Stack) -> list[Series]:
    began = time.monotonic()
    first = {name: stack.scrape(name) for name in stack.ports}
    rows = stack.value("sink", "polygon_sink_rows_total")
    stack.until(lambda: stack.value("sink", "polygon_sink_rows_total") > rows, "more rows")
    seconds, now = time.monotonic() - began, time.time()
    second = {name: stack.scrape(name) for name in stack.ports}
    first["reports"] = second["reports"] = families()
    return [one for name in second for one in series(name, first[name], second[name], seconds, now)]


@pytest.mark.parametrize("stage", ["feed", "filter", "sink"])
def test_a_running_stage_exports_its_own_metrics_and_none_of_the_others(
    stack: Stack, stage: str
) -> None:
    found = {family.name for family in stack.scrape(stage) if family.name.startswith("polygon_")}
    own = {family.name for family in metrics.STAGES[stage].collect()}
    created = {name for name in found if name.endswith("_created")}
    assert found - created == own | {"polygon_stream_build_info", "polygon_stream_ready"}
    assert {name.removesuffix("_created") for name in created} <= own
    assert stack.value(stage, "process_start_time_seconds") > 0


def becomes(value: float) -> Change:
    """Give a gauge another value."""
    return lambda values: [*values[: _begin()], *(value for _ in values[_begin() :])]


def counts(values: list[float]) -> list[float | None]:
    """Count one event."""
    return [*values[: _begin()], *(value + 1 for value in values[_begin() :])]


def stops(values: list[float]) -> list[float | None]:
    """Count nothing any more."""
    return [*values[: _begin()], *(values[_begin()] for _ in values[_begin() :])]


def vanishes(values: list[float]) -> list[float | None]:
    """Answer no longer."""
    return [*values[: _begin()], *(None for _ in values[_begin() :])]


def _begin() -> int:
    return BEGIN * 60 // STEP


def stage_of(name: str) -> Labels:
    return {"job": name, "instance": f"{name}:9100"}


STOCKS = {"market": "stocks"}
LATE = [
    Fault("polygon_filter_age_seconds_bucket", {"le": le}, stops)
    for le in ("0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0")
]
CASES: dict[str, tuple[list[Fault], Labels]] = {
    "FeedNotConnected": ([Fault("polygon_ws_connected", STOCKS, becomes(0))], STOCKS),
    "MarketRefused": (
        [
            Fault("polygon_ws_refused", STOCKS, becomes(1)),
            Fault("polygon_ws_connected", STOCKS, becomes(0)),
            Fault("polygon_stream_ready", stage_of("feed"), becomes(0)),
        ],
        STOCKS,
    ),
    "NoDataInSession": (
        [Fault("polygon_ws_disconnects_total", {**STOCKS, "reason": "silent"}, counts)],
        STOCKS,
    ),
    "SubscriptionsUnconfirmed": (
        [Fault("polygon_ws_subscriptions", {**STOCKS, "state": "unconfirmed"}, becomes(1))],
        STOCKS,
    ),
    "SubscriptionsRefused": (
        [Fault("polygon_subscriptions_reload_successful", {}, becomes(0))],
        stage_of("feed"),
    ),
    "BufferFilling": (
        [Fault("polygon_feed_queue_records", {}, becomes(200_001))],
        stage_of("feed"),
    ),
    "FilterBehind": (
        [Fault("polygon_consumer_lag_records", {"job": "filter"}, becomes(100_001))],
        {},
    ),
    "FilterLate": (LATE, {}),
    "RulesRefused": (
        [Fault("polygon_rules_reload_successful", {}, becomes(0))],
        stage_of("filter"),
    ),
    "SinkFailing": ([Fault("polygon_sink_inserts_total", {"outcome": "failed"}, counts)], {}),
    "SinkBehind": ([Fault("polygon_consumer_lag_records", {"job": "sink"}, becomes(100_001))], {}),
    "NotReady": (
        [Fault("polygon_stream_ready", stage_of("sink"), becomes(0))],
        stage_of("sink"),
    ),
    "TasksRestart": (
        [
            Fault(
                "process_start_time_seconds",
                stage_of("filter"),
                lambda values: [
                    *values[: _begin() - 2], 1.0, 2.0, *(3.0 for _ in values[_begin() :])
                ],
            )
        ],
        {"job": "filter"},
    ),
    "VerifyDiffers": ([Fault("polygon_verify_mended", BARS, becomes(0))], BARS),
    "DayNotVerified": (
        [Fault("polygon_verify_timestamp_seconds", BARS, becomes(BEGIN * 60 - 259_200))], BARS
    ),
}  # fmt: skip
EVENTS: list[tuple[str, Fault, Labels]] = [
    *(
        ("EventsLost", Fault("polygon_feed_lost_total", labels, counts), labels)
        for labels in ({"reason": reason} for reason in (*reasons.LOST, reasons.OTHER))
    ),
    *(
        (
            "GapsRecorded",
            Fault("polygon_feed_gaps_total", {**STOCKS, "reason": reason}, counts),
            {**STOCKS, "reason": reason},
        )
        for reason in (*reasons.FEED_GAPS, reasons.OTHER)
    ),
    *(
        (
            "GapsRecorded",
            Fault("polygon_filter_gaps_total", {"reason": reason}, counts),
            {"market": market, "reason": reason} if market else {"reason": reason},
        )
        for reason, market in reasons.FILTER_GAPS.items()
    ),
    ("DeadLetters", Fault("polygon_feed_broken_total", {}, counts), {"job": "feed"}),
    (
        "DeadLetters",
        Fault("polygon_filter_records_total", {"outcome": "dead_lettered"}, counts),
        {"job": "filter"},
    ),
]  # fmt: skip


def alert(name: str, labels: Labels) -> Labels:
    given = rules()[name]["labels"]
    return {"alertname": name, "alertstate": "firing", **given, **labels}


def minutes_of(name: str) -> int:
    return int(rules()[name].get("for", "0m").removesuffix("m"))


def check(
    tmp_path: Path, healthy: list[Series], name: str, faults: Iterable[Fault], labels: Labels
) -> None:
    """Assert that an alert, and no other, fires once a fault has lasted as long as it says."""
    due = BEGIN + minutes_of(name)
    quiet: dict[float, list[Labels]] = {minute: [] for minute in (2.0, BEGIN - 0.5, due - 0.5)}
    expect(tmp_path, RULES, healthy, faults, {**quiet, due + 0.5: [alert(name, labels)]})


@needs_promtool
@pytest.mark.parametrize("name", CASES)
def test_an_alert_fires_when_it_should_and_alone(
    tmp_path: Path, healthy: list[Series], name: str
) -> None:
    check(tmp_path, healthy, name, *CASES[name])


@needs_promtool
@pytest.mark.parametrize(
    ("name", "fault", "labels"),
    EVENTS,
    ids=[f"{n}-{f.name}-{f.labels.get('reason')}" for n, f, _ in EVENTS],
)
def test_the_first_event_of_all_fires_and_five_minutes_later_it_is_over(
    tmp_path: Path, healthy: list[Series], name: str, fault: Fault, labels: Labels
) -> None:
    (one,) = [one for one in healthy if one.is_(fault.name, fault.labels)]
    assert (one.value, one.growth) == (0, 0)
    expected: dict[float, list[Labels]] = {BEGIN - 0.5: [], BEGIN + 0.5: [alert(name, labels)]}
    expect(tmp_path, RULES, healthy, [fault], {**expected, BEGIN + 5.5: []})


@pytest.mark.parametrize("name", rules())
def test_an_alert_says_how_bad_it_is_and_what_to_do(name: str) -> None:
    rule = rules()[name]
    assert rule["labels"]["severity"] in ("critical", "warning")
    annotations = rule["annotations"]
    assert set(annotations) == {"summary", "description", "runbook_url"}
    page, _, anchor = annotations["runbook_url"].partition("#")
    severity = rule["labels"]["severity"].capitalize()
    assert f"\n### {name}\n\n{severity}. " in (ROOT / page).read_text()
    assert anchor == name.lower()


def test_the_runbook_has_no_section_of_an_alert_that_is_none() -> None:
    headings = re.findall(r"^### (\w+)$", (ROOT / "docs/operations.md").read_text(), re.M)
    alarm = re.compile(r"^  (\w+):\n    Type: AWS::CloudWatch::Alarm$", re.M)
    alarms = [alarm.findall(path.read_text()) for path in (ROOT / "deploy" / "aws").glob("*.yaml")]
    assert any(alarms)
    assert sorted(headings) == sorted(set(rules()).union(*alarms))


def test_each_alert_has_such_a_case() -> None:
    assert {*CASES, *(name for name, _, _ in EVENTS)} == set(rules())


@needs_promtool
def test_a_healthy_stack_is_silent_by_day_and_by_night(
    tmp_path: Path, healthy: list[Series]
) -> None:
    silent: dict[float, list[Labels]] = {minute: [] for minute in (1, 5, 10, 20, 40, MINUTES - 1)}
    expect(tmp_path, RULES, healthy, [], silent)
    night = [Fault(one.name, one.labels, stops) for one in healthy if one.growth]
    expect(tmp_path, RULES, healthy, night, silent)


@needs_promtool
@pytest.mark.parametrize(
    ("stage", "name", "minutes", "labels"),
    [("feed", "FeedNotConnected", 5, {}), ("filter", "FilterBehind", 10, {"job": "filter"})],
)
def test_a_stage_that_is_gone_is_noticed(
    tmp_path: Path, healthy: list[Series], stage: str, name: str, minutes: int, labels: Labels
) -> None:
    gone = [Fault(one.name, one.labels, vanishes) for one in healthy if one.labels["job"] == stage]
    due = BEGIN + minutes
    expect(tmp_path, RULES, healthy, gone, {due - 0.5: [], due + 0.5: [alert(name, labels)]})


@needs_promtool
def test_what_is_counted_before_the_first_scrape_fires_again_after_each_restart(
    tmp_path: Path, healthy: list[Series]
) -> None:
    """The gap of a restart is counted 1 before and 1 after it: no increase."""
    restart = {**STOCKS, "reason": "restart"}
    started = BEGIN * 60 - 5.0
    faults = [
        Fault("polygon_feed_gaps_total", restart, lambda values: [1.0 for _ in values]),
        Fault("process_start_time_seconds", stage_of("feed"), becomes(started)),
    ]
    fires = [alert("GapsRecorded", restart)]
    expect(
        tmp_path,
        RULES,
        healthy,
        faults,
        {1: fires, 6: [], BEGIN - 0.5: [], BEGIN + 0.5: fires, BEGIN + 5.5: []},
    )


@needs_promtool
def test_a_sink_that_inserts_nothing_of_what_the_filter_keeps_is_behind(
    tmp_path: Path, healthy: list[Series]
) -> None:
    faults = [Fault("polygon_sink_rows_total", {}, stops)]
    # Five minutes until none of them brought a row, and ten for the alert.
    expected: dict[float, list[Labels]] = {BEGIN + 14: [], BEGIN + 16: [alert("SinkBehind", {})]}
    expect(tmp_path, RULES, healthy, faults, expected)

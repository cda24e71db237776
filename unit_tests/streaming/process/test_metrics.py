"""What a stage exports before anything has happened: its own series, from 0 on."""

import pytest
from polygon_streaming.process import metrics, reasons
from prometheus_client import CollectorRegistry


def series(registry: CollectorRegistry, name: str) -> dict[frozenset[tuple[str, str]], float]:
    return {
        frozenset(sample.labels.items()): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == name
    }


@pytest.mark.parametrize("stage", metrics.STAGES)
def test_a_stage_exports_its_own_metrics_and_those_of_its_process(stage: str) -> None:
    names = {family.name for family in metrics.exported(stage, lambda: True).collect()}
    own = {family.name for family in metrics.STAGES[stage].collect()}
    others = {n for n in names - own if n.startswith("polygon_")}
    assert others == {"polygon_stream_build_info", "polygon_stream_ready"}
    assert "process_start_time_seconds" in names


def test_a_market_of_the_list_begins_at_0_for_every_reason() -> None:
    metrics.begin("futures/comex")
    gaps = series(metrics.FEED, "polygon_feed_gaps_total")
    for reason in (*reasons.FEED_GAPS, reasons.OTHER):
        assert gaps[frozenset({("market", "futures/comex"), ("reason", reason)})] == 0
    silent = frozenset({("market", "futures/comex"), ("reason", "silent")})
    assert series(metrics.FEED, "polygon_ws_disconnects_total")[silent] == 0
    connected = frozenset({("market", "futures/comex")})
    assert series(metrics.FEED, "polygon_ws_connected")[connected] == 0


@pytest.mark.parametrize(
    ("reason", "label"),
    [
        ("restart", "restart"),
        ("disconnected: closed 1006", "disconnected"),
        ("not_delivered: _MSG_TIMED_OUT", "not_delivered"),
        ("a reason of tomorrow: with words", "other"),
    ],
)
def test_a_reason_that_nobody_listed_is_counted_where_alerts_look(reason: str, label: str) -> None:
    assert reasons.label(reason, reasons.FEED_GAPS) == label

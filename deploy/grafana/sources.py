"""What panels ask: Prometheus in PromQL, ClickHouse in SQL."""

from typing import Any

PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
CLICKHOUSE = {"type": "grafana-clickhouse-datasource", "uid": "clickhouse"}
GRAFANA = {"type": "grafana", "uid": "-- Grafana --"}

Query = dict[str, Any]


def metric(expression: str, legend: str = "__auto", *, now: bool = False) -> Query:
    """Return a query of Prometheus.

    Args:
        expression: PromQL.
        legend: how a series is called, with its labels as `{{label}}`.
        now: one value a series, that of the end of the range.
    """
    return {
        "refId": "A",
        "datasource": PROMETHEUS,
        "expr": expression,
        "legendFormat": legend,
        "instant": now,
        "range": not now,
    }


def sql(text: str) -> Query:
    """Return a query of ClickHouse whose rows are shown as they are."""
    return _clickhouse(text, "table", 1)


def over_time(text: str) -> Query:
    """Return a query of ClickHouse with a column `time` and, of each series, a column or a name."""
    return _clickhouse(text, "timeseries", 0)


def _clickhouse(text: str, kind: str, number: int) -> Query:
    return {
        "refId": "A",
        "datasource": CLICKHOUSE,
        "editorType": "sql",
        "queryType": kind,
        "format": number,
        "rawSql": " ".join(text.split()),
    }

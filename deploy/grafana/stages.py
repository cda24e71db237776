"""The operator's panels of each stage, from the socket to the table."""

from deploy.grafana.board import Sized
from deploy.grafana.panels import BLUE, GREEN, RED, YELLOW, Limits, series
from deploy.grafana.sources import metric, over_time

_LAG: Limits = ((None, GREEN), (20_000, YELLOW), (100_000, RED))
_AGE: Limits = ((None, GREEN), (1, YELLOW), (5, RED))
_QUEUE: Limits = ((None, GREEN), (0.1, YELLOW), (0.2, RED))
_OUTCOMES = {"kept": GREEN, "dropped": BLUE, "dead_lettered": RED}
_NO_SINK = "Not this sink: Kafka Connect writes the table"


def feed() -> list[Sized]:
    """Return what there is of the feed."""
    return [
        (
            8,
            8,
            series(
                "Events received",
                "By type: A and AM are bars, T trades, Q quotes; X before "
                "the letter is crypto, F futures, C forex quotes.",
                [
                    metric(
                        "sum by (event_type) (rate(polygon_ws_events_total[$__rate_interval]))",
                        "{{event_type}}",
                    )
                ],
                "eps",
                axis="events a second",
                stacked=True,
            ),
        ),
        (
            8,
            8,
            series(
                "Waiting for Kafka",
                "Share of the feed's memory that is full. Above the red "
                "line the alert BufferFilling fires; at 100 % events are lost.",
                [
                    metric(
                        "max by (instance) (polygon_feed_queue_records / "
                        "polygon_feed_queue_limit_records)",
                        "{{instance}}",
                    )
                ],
                "percentunit",
                _QUEUE,
                axis="of the limit",
                max=1,
            ),
        ),
        (
            8,
            8,
            series(
                "Connections that ended, unreadable texts",
                "Each ended connection is a gap of "
                "the time until the next one. Texts that are not events are dead-lettered.",
                [
                    metric(
                        "sum by (market, reason) (increase(polygon_ws_disconnects_total"
                        "[$__rate_interval]))",
                        "{{market}} {{reason}}",
                    ),
                    metric(
                        "sum(increase(polygon_feed_broken_total[$__rate_interval]))", "unreadable"
                    ),
                ],
                "short",
                axis="count",
                bars=True,
                decimals=0,
            ),
        ),
    ]


def filtering() -> list[Sized]:
    """Return what there is of the filter."""
    quantile = "histogram_quantile({}, sum by (le) (rate({}_bucket[$__rate_interval])))"
    return [
        (
            8,
            8,
            series(
                "Records by outcome",
                "Input records of committed transactions: kept, dropped by a rule, unreadable.",
                [
                    metric(
                        "sum by (outcome) (rate(polygon_filter_records_total[$__rate_interval]))",
                        "{{outcome}}",
                    )
                ],
                "eps",
                axis="records a second",
                stacked=True,
                colours=_OUTCOMES,
            ),
        ),
        (
            8,
            8,
            series(
                "Records that wait for the filter",
                "By partition. Above the red line for ten "
                "minutes the alert FilterBehind fires: start more filters, up to one a "
                "partition.",
                [metric('polygon_consumer_lag_records{job="filter"}', "partition {{partition}}")],
                "short",
                _LAG,
                axis="records",
            ),
        ),
        (
            8,
            8,
            series(
                "Age at commit",
                "From receipt at the socket to the commit, of the oldest record "
                "of each transaction. Above the red line FilterLate fires.",
                [
                    metric(quantile.format(q, "polygon_filter_age_seconds"), name)
                    for q, name in ((0.5, "median"), (0.95, "95 %"), (0.99, "99 %"))
                ],
                "s",
                _AGE,
                axis="seconds",
            ),
        ),
        (
            12,
            7,
            series(
                "Time of a transaction",
                "From begin to committed. It grows with the brokers' replication.",
                [
                    metric(quantile.format(q, "polygon_filter_transaction_duration_seconds"), name)
                    for q, name in ((0.5, "median"), (0.99, "99 %"))
                ],
                "s",
                axis="seconds",
            ),
        ),
        (
            12,
            7,
            series(
                "Transactions",
                "An aborted one is done again by the same process or another; "
                "nothing of it is seen by readers that read committed records.",
                [
                    metric(
                        "sum by (outcome) (rate(polygon_filter_transactions_total"
                        "[$__rate_interval]))",
                        "{{outcome}}",
                    )
                ],
                "cps",
                axis="transactions a second",
                colours={"committed": GREEN, "aborted": RED},
            ),
        ),
    ]


def inserting() -> list[Sized]:
    """Return what there is of the way into the table."""
    waited = """
        SELECT toStartOfInterval(ingested_at, INTERVAL 10 SECOND) AS time,
            quantile(0.5)(toFloat64(ingested_at) - toFloat64(received_at)) AS median,
            quantile(0.99)(toFloat64(ingested_at) - toFloat64(received_at)) AS `99 %`
        FROM market.stock_aggregates
        WHERE NOT healed AND ingested_at >= $__fromTime AND ingested_at <= $__toTime
            AND window_start >= $__fromTime - INTERVAL 1 DAY
        GROUP BY time ORDER BY time
    """
    return [
        (
            8,
            8,
            series(
                "From the socket to a row",
                "Of bars that were streamed, whoever writes the "
                "table. It holds all waiting: of the raw topic, the filter, the clean topic, "
                "the insert.",
                [over_time(waited)],
                "s",
                _AGE,
                axis="seconds",
            ),
        ),
        (
            8,
            8,
            series(
                "Records that wait for the sink",
                "By partition. Above the red line for ten minutes SinkBehind fires.",
                [metric('polygon_consumer_lag_records{job="sink"}', "partition {{partition}}")],
                "short",
                _LAG,
                axis="records",
                noValue=_NO_SINK,
            ),
        ),
        (
            8,
            8,
            series(
                "Inserts",
                "Time of an insert, and those that failed: they are tried again.",
                [
                    metric(
                        "histogram_quantile(0.99, sum by (le) (rate("
                        "polygon_sink_insert_duration_seconds_bucket[$__rate_interval])))",
                        "99 %, seconds",
                    ),
                    metric(
                        'sum(increase(polygon_sink_inserts_total{outcome="failed"}'
                        "[$__rate_interval]))",
                        "failed, count",
                    ),
                ],
                "short",
                axis="seconds, count",
                colours={"failed, count": RED},
                noValue=_NO_SINK,
            ),
        ),
    ]

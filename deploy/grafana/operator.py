"""The operator's board: is all well, and where it is not. Its limits are those of the alerts."""

from deploy.grafana import board as boards
from deploy.grafana import day_after, stages
from deploy.grafana.board import Board, Sized
from deploy.grafana.panels import (
    BLUE,
    GREEN,
    NONE_IS_GOOD,
    RED,
    YELLOW,
    YES_NO,
    Limits,
    alerts,
    series,
    stat,
    table,
)
from deploy.grafana.sources import metric, over_time, sql

_SILENCE: Limits = ((None, GREEN), (30, YELLOW), (300, RED))


def board() -> Board:
    """Return the board."""
    return boards.make(
        "operator",
        "Operator",
        "Is all well, and where it is not. The limits are those of the alerts; what to do about "
        "each is in docs/operations.md.",
        {
            "Is all well?": _well(),
            "Feed: from the vendor's socket to the raw topic": stages.feed(),
            "Filter: from the raw topic to the clean ones": stages.filtering(),
            "Table: from the clean topics to ClickHouse": stages.inserting(),
            "What is missing": _missing(),
            "The day after: the table against the vendor's files": day_after.verified(),
            "Processes": _processes(),
        },
        [],
    )


def _well() -> list[Sized]:
    yes = {"0": "no", "1": "yes"}
    return [
        (
            4,
            4,
            stat(
                "Connected",
                "By market. `no` for five minutes is the alert FeedNotConnected.",
                metric("min by (market) (polygon_ws_connected)", "{{market}}"),
                "short",
                YES_NO,
                words=yes,
            ),
        ),
        (
            4,
            4,
            stat(
                "Ready",
                "By stage; /readyz of each says why not.",
                metric("min by (job) (polygon_stream_ready)", "{{job}}"),
                "short",
                YES_NO,
                words=yes,
            ),
        ),
        (
            3,
            4,
            stat(
                "Alerts",
                "That fire now; the list names them.",
                metric('count(ALERTS{alertstate="firing"}) or vector(0)', "firing", now=True),
                "short",
                NONE_IS_GOOD,
            ),
        ),
        (
            4,
            4,
            stat(
                "Last event",
                "Since the last event of each market. It grows when the market is "
                "closed; in trading hours the feed connects anew and says so.",
                metric(
                    "time() - max by (market) (polygon_ws_last_event_timestamp_seconds)",
                    "{{market}}",
                ),
                "s",
                _SILENCE,
                decimals=0,
            ),
        ),
        (
            3,
            4,
            stat(
                "Lost events",
                "That could not be produced to Kafka, in the range shown. Each is "
                "in a gap; polygon-stream heal brings them.",
                metric("sum(increase(polygon_feed_lost_total[$__range]))", "lost", now=True),
                "short",
                NONE_IS_GOOD,
                decimals=0,
            ),
        ),
        (
            3,
            4,
            stat(
                "Gaps",
                "Recorded in the range shown, certain and likely ones.",
                metric(
                    "sum(increase(polygon_feed_gaps_total[$__range]) or "
                    "increase(polygon_filter_gaps_total[$__range]))",
                    "gaps",
                    now=True,
                ),
                "short",
                ((None, GREEN), (1, YELLOW)),
                decimals=0,
            ),
        ),
        (
            3,
            4,
            stat(
                "Subscriptions",
                "Desired and confirmed are the same when all is well.",
                metric("sum by (state) (polygon_ws_subscriptions)", "{{state}}", now=True),
                "short",
            ),
        ),
        (
            12,
            7,
            alerts(
                "Alerts that fire or are about to",
                "Each has a section in "
                "docs/operations.md: what it means, what to look at, what to do.",
            ),
        ),
        (
            12,
            7,
            series(
                "Events a second, stage by stage",
                "What came in, what the filter judged, what "
                "was inserted by polygon-stream sink. The lines lie on each other but for what "
                "the rules drop.",
                [
                    metric("sum(rate(polygon_ws_events_total[$__rate_interval]))", "received"),
                    metric("sum(rate(polygon_filter_records_total[$__rate_interval]))", "filtered"),
                    metric("sum(rate(polygon_sink_rows_total[$__rate_interval]))", "inserted"),
                ],
                "eps",
                axis="events a second",
            ),
        ),
    ]


def _missing() -> list[Sized]:
    return [
        (
            14,
            8,
            table(
                "Gaps recorded",
                "The newest first; certain ones are marked on the panels above. "
                "polygon-stream heal brings what lies in them from the REST API.",
                sql(
                    "SELECT `from`, `to`, dateDiff('second', `from`, `to`) AS seconds, market, "
                    "reason, certain, subscriptions, feed FROM market.gaps FINAL "
                    "WHERE `to` >= $__fromTime AND `from` <= $__toTime "
                    "ORDER BY `from` DESC LIMIT 200"
                ),
                {"seconds": {"unit": "s"}},
            ),
        ),
        (
            10,
            8,
            series(
                "Bars streamed and healed",
                "By the minute of the market. Orange is what the "
                "stream had missed and heal brought.",
                [
                    over_time(
                        "SELECT toStartOfMinute(window_start) AS time, "
                        "countIf(NOT bar.healed) AS streamed, countIf(bar.healed) AS healed "
                        "FROM market.stock_aggregates AS bar FINAL "
                        "WHERE window_start >= $__fromTime AND window_start <= $__toTime "
                        "GROUP BY time ORDER BY time"
                    )
                ],
                "short",
                axis="bars a minute",
                stacked=True,
                bars=True,
                colours={"streamed": BLUE, "healed": "orange"},
            ),
        ),
        (
            24,
            7,
            table(
                "Dead letters",
                "Records that could not be read, untouched. Topic, partition and "
                "offset find the record, whose header has the reason.",
                sql(
                    "SELECT received_at, topic, partition, offset, value "
                    "FROM market.dead_letters FINAL "
                    "WHERE received_at >= $__fromTime AND received_at <= $__toTime "
                    "ORDER BY received_at DESC LIMIT 100"
                ),
            ),
        ),
    ]


def _processes() -> list[Sized]:
    ours = '{job=~"feed|filter|sink"}'
    return [
        (
            8,
            7,
            series(
                "CPU",
                "Of one core. A feed or filter near 100 % is at its limit.",
                [
                    metric(
                        f"rate(process_cpu_seconds_total{ours}[$__rate_interval])",
                        "{{job}} {{instance}}",
                    )
                ],
                "percentunit",
                ((None, GREEN), (0.7, YELLOW), (0.9, RED)),
                axis="of a core",
            ),
        ),
        (
            8,
            7,
            series(
                "Memory",
                "What is resident. A feed may keep up to 512 MB of events while Kafka is away.",
                [metric(f"process_resident_memory_bytes{ours}", "{{job}} {{instance}}")],
                "bytes",
                axis="bytes",
            ),
        ),
        (
            8,
            7,
            table(
                "What runs",
                "Version and age of each process. Three starts in a quarter of an "
                "hour are the alert TasksRestart.",
                {
                    **metric(
                        "polygon_stream_build_info * on (job, instance) group_left () "
                        "(time() - process_start_time_seconds)",
                        now=True,
                    ),
                    "format": "table",
                },
                {
                    "Value": {"unit": "s", "displayName": "running for"},
                    "Time": {"custom.hidden": True},
                },
            ),
        ),
    ]

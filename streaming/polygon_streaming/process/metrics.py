"""Every metric, once: name, unit, and what to do about it. No label ever holds a symbol.

Each stage has a registry of its own and exports nothing of the others: of a gauge that nobody sets
it would say 0. A counter with labels does not exist before it is counted, and Prometheus does not
take a series that begins at 1 for an increase; so those that alerts watch begin at 0.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timezone
from importlib.metadata import version
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from polygon_streaming.process import reasons

FEED: Final = CollectorRegistry(auto_describe=True)
FILTER: Final = CollectorRegistry(auto_describe=True)
SINK: Final = CollectorRegistry(auto_describe=True)
VERIFY: Final = CollectorRegistry(auto_describe=True)
STAGES: Final[Mapping[str, CollectorRegistry]] = {
    "feed": FEED,
    "filter": FILTER,
    "sink": SINK,
    "verify": VERIFY,
}

connected = Gauge(
    "polygon_ws_connected",
    "1 while the socket is connected and authorised",
    ["market"],
    registry=FEED,
)
refused = Gauge(
    "polygon_ws_refused",
    "1 while the server does not accept the key for the market",
    ["market"],
    registry=FEED,
)
subscriptions = Gauge(
    "polygon_ws_subscriptions",
    "Subscriptions by state: desired, confirmed, unconfirmed",
    ["market", "state"],
    registry=FEED,
)
reconnects = Counter(
    "polygon_ws_disconnects",
    "Connections that ended, by reason. Each is a gap",
    ["market", "reason"],
    registry=FEED,
)
statuses = Counter(
    "polygon_ws_status",
    "Status messages of the server, by status",
    ["market", "status"],
    registry=FEED,
)
frames = Counter("polygon_ws_frames", "Frames received", ["market"], registry=FEED)
events = Counter(
    "polygon_ws_events", "Events received, by type", ["market", "event_type"], registry=FEED
)
last_event_time = Gauge(
    "polygon_ws_last_event_timestamp_seconds",
    "When the last event came in; none before the first",
    ["market"],
    registry=FEED,
)
produced = Counter(
    "polygon_feed_produced", "Events handed to the producer", ["market"], registry=FEED
)
feed_lost = Counter(
    "polygon_feed_lost", "Events that could not be produced, by reason", ["reason"], registry=FEED
)
broken = Counter(
    "polygon_feed_broken", "Texts received that are not events; dead-lettered", registry=FEED
)
queue = Gauge("polygon_feed_queue_records", "Records that wait for the broker", registry=FEED)
queue_limit = Gauge(
    "polygon_feed_queue_limit_records", "How many may wait before events are lost", registry=FEED
)
feed_gaps = Counter(
    "polygon_feed_gaps", "Gaps recorded, by reason", ["market", "reason"], registry=FEED
)
reload_successful = Gauge(
    "polygon_subscriptions_reload_successful",
    "0 if the last reading of the list failed",
    registry=FEED,
)
reload_time = Gauge(
    "polygon_subscriptions_reload_timestamp_seconds",
    "When the list was last taken over",
    registry=FEED,
)
reload_failures = Counter(
    "polygon_subscriptions_reload_failures", "Readings that failed", registry=FEED
)

filtered = Counter(
    "polygon_filter_records",
    "Input records of committed transactions by outcome: kept, dropped, dead_lettered",
    ["outcome"],
    registry=FILTER,
)
transactions = Counter(
    "polygon_filter_transactions",
    "Transactions by outcome: committed, aborted",
    ["outcome"],
    registry=FILTER,
)
transaction_seconds = Histogram(
    "polygon_filter_transaction_duration_seconds",
    "From begin to committed",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=FILTER,
)
filter_age = Histogram(
    "polygon_filter_age_seconds",
    "From receipt at the socket to commit, of the oldest record of each transaction",
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
    registry=FILTER,
)
filter_gaps = Counter(
    "polygon_filter_gaps", "Gaps recorded, by reason", ["market", "reason"], registry=FILTER
)
lag = Gauge(
    "polygon_consumer_lag_records",
    "Records behind the end, by partition",
    ["partition"],
    registry=FILTER,
)
rules_successful = Gauge(
    "polygon_rules_reload_successful", "0 if the last reading of the rules failed", registry=FILTER
)

inserted = Counter("polygon_sink_rows", "Rows inserted", registry=SINK)
inserts = Counter(
    "polygon_sink_inserts", "Inserts by outcome: inserted, failed", ["outcome"], registry=SINK
)
insert_seconds = Histogram(
    "polygon_sink_insert_duration_seconds", "Time of an insert", registry=SINK
)
sink_lag = Gauge(
    "polygon_consumer_lag_records",
    "Records behind the end, by partition",
    ["partition"],
    registry=SINK,
)

# A run of verify leaves them in a file, and the next run replaces it.
_verified: Final = ["market", "data"]
verify_rows = Gauge(
    "polygon_verify_rows",
    "Rows of the day by how they stood to the vendor's file: equal, other, missing, extra",
    [*_verified, "state"],
    registry=VERIFY,
)
verify_mended = Gauge(
    "polygon_verify_mended",
    "1 if what differed was replaced by the file's rows",
    _verified,
    registry=VERIFY,
)
verify_day = Gauge(
    "polygon_verify_day_timestamp_seconds",
    "Start, in UTC, of the day that was verified",
    _verified,
    registry=VERIFY,
)
verify_time = Gauge(
    "polygon_verify_timestamp_seconds", "When it was verified", _verified, registry=VERIFY
)
verify_seconds = Gauge(
    "polygon_verify_duration_seconds", "How long that took", _verified, registry=VERIFY
)

for _reason in (*reasons.LOST, reasons.OTHER):
    feed_lost.labels(_reason)
for _outcome in ("kept", "dropped", "dead_lettered"):
    filtered.labels(_outcome)
for _outcome in ("committed", "aborted"):
    transactions.labels(_outcome)
for _reason, _market in reasons.FILTER_GAPS.items():
    filter_gaps.labels(_market, _reason)
for _outcome in ("inserted", "failed"):
    inserts.labels(_outcome)


def begin(market: str) -> None:
    """Let the series of a market begin at 0, before anything happens there."""
    connected.labels(market).set(0)
    refused.labels(market).set(0)
    reconnects.labels(market, "silent")
    for reason in (*reasons.FEED_GAPS, reasons.OTHER):
        feed_gaps.labels(market, reason)


def end(market: str) -> None:
    """Take the gauges of a market away, which would say for ever what was true of it last."""
    for gauge in (connected, refused, last_event_time):
        gauge.labels(market)
        gauge.remove(market)
    for state in ("desired", "confirmed", "unconfirmed"):
        subscriptions.labels(market, state)
        subscriptions.remove(market, state)


def exported(stage: str, is_ready: Callable[[], bool]) -> CollectorRegistry:
    """Return what a stage shows: its metrics, its build, and the process's own metrics.

    Whether it is ready is asked for with each look.
    """
    shown = CollectorRegistry(auto_describe=True)
    shown.register(STAGES[stage])
    shown.register(REGISTRY)
    build = Gauge("polygon_stream_build_info", "Always 1", ["version", "stage"], registry=shown)
    build.labels(version("polygon-streaming"), stage).set(1)
    ready = Gauge("polygon_stream_ready", "1 while /readyz is ok", registry=shown)
    ready.set_function(lambda: float(is_ready()))
    return shown


def start_of(day: date) -> float:
    """Return the start of a day in UTC, in seconds since 1970."""
    return datetime(day.year, day.month, day.day, tzinfo=timezone.utc).timestamp()

"""Every metric, once: name, unit, and what to do about it. No label ever holds a symbol."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

connected = Gauge(
    "polygon_ws_connected", "1 while the socket is connected and authorised", ["market"]
)
subscriptions = Gauge(
    "polygon_ws_subscriptions",
    "Subscriptions by state: desired, confirmed. Alert if they differ for minutes",
    ["market", "state"],
)
reconnects = Counter(
    "polygon_ws_disconnects",
    "Connections that ended, by reason. Each is a gap",
    ["market", "reason"],
)
statuses = Counter(
    "polygon_ws_status", "Status messages of the server, by status", ["market", "status"]
)
frames = Counter("polygon_ws_frames", "Frames received", ["market"])
events = Counter("polygon_ws_events", "Events received, by type", ["market", "event_type"])
last_event_time = Gauge(
    "polygon_ws_last_event_timestamp_seconds",
    "When the last event came in. Alert on its age in trading hours",
    ["market"],
)
produced = Counter("polygon_feed_produced", "Events handed to the producer", ["market"])
lost = Counter(
    "polygon_feed_lost", "Events that could not be produced, by reason. Alert on any", ["reason"]
)
broken = Counter("polygon_feed_broken", "Texts received that are no event; dead-lettered")
queue = Gauge("polygon_feed_queue_records", "Records that wait for the broker. Alert at 80% of max")
gaps = Counter("polygon_feed_gaps", "Gaps recorded, by reason", ["market", "reason"])

reload_successful = Gauge(
    "polygon_subscriptions_reload_successful", "0 if the last reading of the list failed. Alert"
)
reload_time = Gauge(
    "polygon_subscriptions_reload_timestamp_seconds", "When the list was last taken over"
)
reload_failures = Counter("polygon_subscriptions_reload_failures", "Readings that failed")

filtered = Counter(
    "polygon_filter_records",
    "Input records of committed transactions by outcome: kept, dropped, dead_lettered",
    ["outcome"],
)
transactions = Counter("polygon_filter_transactions", "Transactions by outcome", ["outcome"])
transaction_seconds = Histogram(
    "polygon_filter_transaction_duration_seconds",
    "From begin to committed",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
filter_age = Histogram(
    "polygon_filter_age_seconds",
    "From receipt at the socket to commit, of the oldest record of each transaction. Alert on it",
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
lag = Gauge("polygon_consumer_lag_records", "Records behind the end, by partition", ["partition"])
rules_successful = Gauge("polygon_rules_reload_successful", "0 if the last reading failed. Alert")

inserted = Counter("polygon_sink_rows", "Rows inserted")
inserts = Counter("polygon_sink_inserts", "Inserts by outcome", ["outcome"])
insert_seconds = Histogram("polygon_sink_insert_duration_seconds", "Time of an insert")

build_info = Gauge("polygon_stream_build_info", "Always 1", ["version", "stage"])

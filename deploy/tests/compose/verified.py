"""What verify leaves for Prometheus, of a day that differed and was mended."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from polygon_streaming import metrics
from prometheus_client import Metric, start_http_server

BARS = {"market": "stocks", "data": "bars"}


def families() -> list[Metric]:
    """Return the metrics of a run that has just ended."""
    for state, rows in {"equal": 1_000, "other": 2, "missing": 5, "extra": 0}.items():
        metrics.verify_rows.labels(*BARS.values(), state).set(rows)
    metrics.verify_mended.labels(*BARS.values()).set(1)
    metrics.verify_seconds.labels(*BARS.values()).set(3.5)
    metrics.verify_day.labels(*BARS.values()).set(metrics.start_of(date(2026, 11, 20)))
    metrics.verify_time.labels(*BARS.values()).set_to_current_time()
    return list(metrics.VERIFY.collect())


@contextmanager
def verified() -> Iterator[int]:
    """Serve them as node_exporter would; the port, for as long as the `with` block lasts."""
    families()
    server, thread = start_http_server(0, "127.0.0.1", metrics.VERIFY)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

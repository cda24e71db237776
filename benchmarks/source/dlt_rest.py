"""dlt's REST source, its rows written as JSON lines."""

import sys
from typing import Any

import orjson
from dlt.sources.rest_api import rest_api_resources

from benchmarks.source.job import JOB

CLIENT = {"base_url": JOB.url, "auth": {"type": "bearer", "token": JOB.key}}
if JOB.stream == "grouped_daily":
    endpoints = [
        {
            "path": f"v2/aggs/grouped/locale/us/market/stocks/{day}",
            "params": {"adjusted": "false"},
            "data_selector": "results",
            "paginator": "single_page",
        }
        for day in JOB.days
    ]
elif JOB.path:
    endpoints = [
        {
            "path": JOB.path.removeprefix("/"),
            "params": {"limit": 50000},
            "data_selector": "results",
            "paginator": {"type": "json_link", "next_url_path": "next_url"},
        }
    ]
else:
    endpoints = [
        {
            "path": "v3/reference/tickers",
            "params": {"market": "stocks", "active": active, "limit": 1000, "sort": "ticker"},
            "data_selector": "results",
            "paginator": {"type": "json_link", "next_url_path": "next_url"},
        }
        for active in ("true", "false")
    ]
resources = [{"name": f"r{n}", "endpoint": endpoint} for n, endpoint in enumerate(endpoints)]
config: Any = {"client": CLIENT, "resources": resources}
for resource in rest_api_resources(config):
    for row in resource:
        sys.stdout.buffer.write(orjson.dumps(row) + b"\n")

"""The floor: requests and orjson, one request after the other, each row one JSON line."""

import sys
from urllib.parse import urlsplit

import orjson
import requests

from benchmarks.source.job import JOB

session = requests.Session()
session.headers["Authorization"] = f"Bearer {JOB.key}"

if JOB.stream == "grouped_daily":
    for day in JOB.days:
        url = f"{JOB.url}/v2/aggs/grouped/locale/us/market/stocks/{day}?adjusted=false"
        for row in orjson.loads(session.get(url, timeout=60).content)["results"]:
            sys.stdout.buffer.write(orjson.dumps(row) + b"\n")
elif JOB.path:
    url = f"{JOB.url}{JOB.path}?limit=50000"
    while url:
        body = orjson.loads(session.get(url, timeout=60).content)
        for row in body["results"]:
            sys.stdout.buffer.write(orjson.dumps(row) + b"\n")
        url = body.get("next_url", "")
else:
    for active in ("true", "false"):
        url = f"{JOB.url}/v3/reference/tickers?market=stocks&active={active}&limit=1000&sort=ticker"
        while url:
            body = orjson.loads(session.get(url, timeout=60).content)
            for row in body["results"]:
                sys.stdout.buffer.write(orjson.dumps(row) + b"\n")
            following = urlsplit(body.get("next_url", ""))
            url = f"{JOB.url}{following.path}?{following.query}" if following.path else ""

"""The vendor's own client, its models written as JSON lines.

`vars` of a model, which is flat here: `asdict` copies it deeply, at three times the cost.
"""

import json
import sys

from polygon import RESTClient

from benchmarks.source.job import JOB

client = RESTClient(JOB.key, base=JOB.url, retries=0)
if JOB.stream == "grouped_daily":
    for day in JOB.days:
        for bar in client.get_grouped_daily_aggs(day, adjusted=False):
            sys.stdout.write(json.dumps(vars(bar)) + "\n")
else:
    for active in (True, False):
        for row in client.list_tickers(market="stocks", active=active, limit=1000, sort="ticker"):
            sys.stdout.write(json.dumps(vars(row)) + "\n")

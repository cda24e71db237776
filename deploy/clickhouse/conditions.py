"""The command `python -m deploy.clickhouse.conditions`: what trades' conditions let them update.

It reads the vendor's list of conditions into `trade_conditions`, by which `ohlc_from_trades`
counts. The list hardly changes; run it once, and again when the vendor announces new conditions.
"""

import argparse
import os
import sys
from collections.abc import Iterable
from typing import Any, Final

from clickhouse_connect.driver.exceptions import ClickHouseError
from polygon_streaming import Rest, StreamError, clickhouse

MARKETS: Final = ("stocks", "options", "crypto")
_RULES: Final = ("updates_open_close", "updates_high_low", "updates_volume")
_REQUESTS_PER_MINUTE: Final = 5  # what every plan allows


def load(client: Any, rest: Rest) -> int:
    """Fill the table, and return how many conditions it got.

    Raises:
        StreamError: the API refuses, or an answer cannot be used: the table is left as it was.
        ClickHouseError: ClickHouse refuses.
    """
    found = [row for market in MARKETS for row in _rows(market, rest.trade_conditions(market))]
    client.insert("trade_conditions", found, ["market", "id", "name", *_RULES])
    return len(found)


def _rows(market: str, conditions: Iterable[dict[str, Any]]) -> list[list[Any]]:
    """Return rows of the table. What has no rules updates everything."""
    rows = []
    for condition in conditions:
        rules = (condition.get("update_rules") or {}).get("consolidated") or {}
        updates = [bool(rules.get(name, True)) for name in _RULES]
        rows.append([market, condition["id"], str(condition.get("name", "")), *updates])
    return rows


def main() -> int:
    """Load the conditions, and return the exit status."""
    given = _arguments()
    key = os.environ.get("POLYGON_API_KEY", "")
    if not key:
        sys.stderr.write("There is no key. Set POLYGON_API_KEY.\n")
        return 2
    try:
        client = clickhouse.connect(given.clickhouse, os.environ.get("CLICKHOUSE_PASSWORD", ""))
        count = load(client, Rest(given.rest_url, key, given.requests_per_minute))
    except StreamError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    except ClickHouseError as error:
        sys.stderr.write(f"clickhouse: {clickhouse.in_short(error)}\n")
        return 1
    sys.stdout.write(f"{count} conditions.\n")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.clickhouse.conditions",
        description="Load what the conditions of trades let them update, for ohlc_from_trades. The "
        "key is taken from POLYGON_API_KEY, ClickHouse's password from CLICKHOUSE_PASSWORD.",
    )
    parser.add_argument(
        "--clickhouse",
        default="http://default@localhost:8123/default",
        help="http(s)://user@host:port/database, or chdb:DIRECTORY (%(default)s)",
    )
    parser.add_argument("--rest-url", default="https://api.massive.com", help="(%(default)s)")
    parser.add_argument(
        "--requests-per-minute", type=float, default=_REQUESTS_PER_MINUTE, help="(%(default)s)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

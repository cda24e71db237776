"""The command `python -m deploy.clickhouse`."""

import argparse
import os
import sys

from polygon_streaming import StreamError, clickhouse

from deploy.clickhouse.migrate import MigrationError, migrate, statements
from deploy.clickhouse.statements import migrations


def main() -> int:
    """Apply the migrations, and return the exit status."""
    given = _arguments()
    wanted = migrations(daily_ticks=given.daily_ticks)
    if given.show:
        every = [s for migration in wanted for s in statements(migration, given.cluster)]
        sys.stdout.write(";\n\n".join(every) + ";\n")
        return 0
    try:
        client = clickhouse.connect(given.clickhouse, os.environ.get("CLICKHOUSE_PASSWORD", ""))
        count = migrate(client, wanted, given.cluster, lambda line: print(line, flush=True))  # noqa: T201
    except (StreamError, MigrationError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{count} applied, {len(wanted) - count} there already.\n")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.clickhouse",
        description="Create or bring up to date the tables and views of the streaming pipeline. "
        "Safe to run again. The password is taken from CLICKHOUSE_PASSWORD.",
    )
    parser.add_argument(
        "--clickhouse",
        default="http://default@localhost:8123/default",
        help="http(s)://user@host:port/database, which exists, or chdb:DIRECTORY (%(default)s)",
    )
    parser.add_argument(
        "--cluster", help="create replicated and distributed tables; not for ClickHouse Cloud"
    )
    parser.add_argument(
        "--daily-ticks",
        action="store_true",
        help="a partition for each day of trades and quotes instead of each month: for the whole "
        "market. Give it each time, or never",
    )
    parser.add_argument(
        "--show", action="store_true", help="print the statements instead of executing them"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

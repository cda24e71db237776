"""ClickHouse's own way: `python clickhouse_alone.py DIRECTORY FILE...`, embedded; prints the rows.

The table is the package's; what of a file goes where is what a person would write.
"""

import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from chdb.session import Session

_INSERT = """
    INSERT INTO stock_aggregates (event_type, market, symbol, window_start, window_end,
        open, high, low, close, volume, otc, received_at, healed)
    SELECT 'AM', 'stocks', ticker, fromUnixTimestamp64Nano(window_start, 'UTC') AS start,
        start + INTERVAL 1 MINUTE, open, high, low, close, volume, false, now64(3), true
    FROM file('{path}', 'CSVWithNames',
        'ticker String, volume Float64, open Float64, close Float64, high Float64, low Float64,
        window_start Int64', 'gzip')
"""


def main() -> None:
    """Create the table and fill it."""
    directory, *paths = sys.argv[1:]
    session: Any = Session(directory)  # type: ignore[no-untyped-call]
    table = (files("polygon_streaming") / "stock_aggregates.sql").read_text()
    session.query(table.replace("{table}", "stock_aggregates"))
    for path in paths:
        session.query(_INSERT.format(path=Path(path).resolve()))
    rows = int(str(session.query("SELECT count() FROM stock_aggregates")))
    sys.stdout.write(f"{rows:,} rows\n")
    session.close()


if __name__ == "__main__":
    main()

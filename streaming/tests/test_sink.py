"""The sink's table and insert on chDB, in a process of its own (one engine a process)."""

import json
import subprocess
import sys
from pathlib import Path

_SCRIPT = """
import json, sys
import clickhouse_connect
from polygon_streaming.sink import connect, table_statement
client = connect("chdb:" + sys.argv[1], "")
client.command(table_statement("stock_aggregates"))
row = json.loads(sys.argv[2])
for close in (1.5, 2.5):
    line = json.dumps({**row, "close": close}).encode()
    client.raw_insert("stock_aggregates", insert_block=line, fmt="JSONEachRow",
                      settings={"input_format_skip_unknown_fields": 1})
found = client.query(
    "SELECT toString(window_start), close, volume, vwap, otc FROM stock_aggregates FINAL")
print(json.dumps([list(row) for row in found.result_rows]))
"""

RECORD = {
    "event_type": "A", "market": "stocks", "symbol": "BRK.B",
    "window_start": "2026-11-23 14:30:00.000", "window_end": "2026-11-23 14:30:01.000",
    "open": 1.0, "high": 3.0, "low": 1.0, "close": 2.0, "vwap": None, "volume": 33.5,
    "accumulated_volume": None, "official_open": None, "day_vwap": None,
    "average_trade_size": None, "otc": False, "received_at": "2026-11-23 14:30:01.234",
    "healed": False, "unknown": 1,
}  # fmt: skip


def test_a_bar_sent_again_replaces_the_earlier_one_and_times_are_right(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _SCRIPT, str(tmp_path / "db"), json.dumps(RECORD)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert json.loads(done.stdout) == [["2026-11-23 14:30:00.000", 2.5, 33.5, None, False]]

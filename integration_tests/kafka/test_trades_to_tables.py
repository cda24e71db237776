"""Trades and quotes all the way: frames to rows, with an interruption that is healed."""

import json
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from polygon_sandbox import Sandbox, StreamSandbox, World
from polygon_sandbox.intraday import Intraday
from polygon_sandbox.ticks import NS, quotes, trades

from integration_tests.kafka.stages import Stage, lag, read_topic, wait_until
from integration_tests.servers import free_ports

pytestmark = pytest.mark.kafka_tests

ROOT = Path(__file__).parents[2]
SEED = 7
# A process may have one engine only, and it keeps its directory to itself.
_READ = """
import json, sys
from polygon_streaming.gaps.rest import Rest
from polygon_streaming.sink.clickhouse import connect
from deploy.clickhouse import conditions
from deploy.clickhouse.migrate import migrate
from deploy.clickhouse.statements import migrations
client = connect("chdb:" + sys.argv[1], "")
migrate(client, migrations(), None, lambda line: None)
conditions.load(client, Rest(sys.argv[2], sys.argv[3], 60_000))
def rows(query):
    return [list(row) for row in client.query(query).result_rows]
print(json.dumps({
    "trades": rows("SELECT symbol, sequence_number, price, toString(size), conditions,"
                   " toUnixTimestamp(timestamp), healed FROM trades FINAL"),
    "quotes": rows("SELECT symbol, sequence_number, bid_price, ask_price, toString(bid_size),"
                   " toUnixTimestamp(timestamp), healed FROM quotes FINAL"),
    "bars": rows("SELECT symbol, toUnixTimestamp(start), open, high, low, close, toString(volume),"
                 " trades FROM ohlc_from_trades(interval = 1)"),
}))
"""


def _read(database: Path, rest: Sandbox) -> dict[str, list[Any]]:
    done = subprocess.run(
        [sys.executable, "-c", _READ, str(database), rest.url, rest.key],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def _rows_inserted(port: int) -> int:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        told = answer.read().decode()
    (rows,) = re.findall(r"^polygon_sink_rows_total (\S+)$", told, re.MULTILINE)
    return int(float(rows))


def test_every_trade_and_quote_is_a_row_and_the_rows_build_the_bars(
    topics: dict[str, str], tmp_path: Path
) -> None:
    world = World(seed=SEED)
    symbols = [str(row["ticker"]) for row in world.tickers("stocks")][:2]
    listed = tmp_path / "subscriptions.csv"
    lines = [f"stocks,{channel},{symbol}" for channel in "TQ" for symbol in symbols]
    listed.write_text("\n".join(["market,channel,symbol", *lines]))
    run = topics["raw_topic"]
    address, database = topics["bootstrap_servers"], tmp_path / "table.chdb"

    (port,) = free_ports(1)
    targets = [topics["trades_topic"], topics["quotes_topic"]]

    def all_in_the_table() -> bool:
        if lag(address, run, run):
            return False
        clean = sum(1 for topic in targets for _ in read_topic(address, topic))
        return _rows_inserted(port) == clean

    with StreamSandbox(symbols, clocked=True, seed=SEED) as server, Sandbox(world) as rest:
        feed = Stage(
            tmp_path / "feed", "feed", **topics, feed=server.host, tls=False, subscriptions=listed,
            retry_seconds=2,
        )  # fmt: skip
        stage = Stage(tmp_path / "filter", "filter", **topics, group=run, transactional_id=run)
        sink = Stage(
            tmp_path / "sink", "sink", **topics, group=f"sink-{run}",
            clickhouse=f"chdb:{database}", http_port=port,
        )  # fmt: skip
        wait_until(lambda: sum(map(bool, server.seconds.values())) >= 3, 60, "three seconds flow")
        server.cut()
        wait_until(lambda: len(server.connections) == 2, 60, "the feed is back")
        heard = sum(map(bool, server.seconds.values()))
        wait_until(lambda: sum(map(bool, server.seconds.values())) > heard + 3, 60, "it goes on")
        assert feed.stop() == 0
        seconds = sorted(second for second, sent in server.seconds.items() if sent)
        heal = Stage(
            tmp_path / "heal", "heal", **topics, group=f"heal-{run}", rest_url=rest.url,
            subscriptions=listed, requests_per_minute=60_000,
        )  # fmt: skip
        assert heal.wait(90) == 0, heal.log()
        wait_until(all_in_the_table, 90, "all is in the table")
        assert (stage.stop(), sink.stop()) == (0, 0)
        found = _read(database, rest)

    # What was sent when a second was over happened in the second before.
    span = range(seconds[0] - 1, seconds[-1])
    bars = {(s, start): Intraday(SEED).bar(s, start, 1) for s in symbols for start in span}
    made = [t for (s, _), bar in bars.items() for t in trades(bar, s, "stocks")]
    said = [q for (s, _), bar in bars.items() for q in quotes(bar, s, "stocks")]
    rows = {(row[0], row[1], row[5]): row for row in found["trades"] if row[5] in span}
    assert len(rows) == len(made) == sum(row[5] in span for row in found["trades"])
    for t in made:
        row = rows[t.ticker, t.sequence, t.time_ns // NS]
        assert (row[2], Decimal(row[3]), row[4]) == (
            t.price, Decimal(t.size) / 100, [*t.conditions],
        )  # fmt: skip
    rows = {(row[0], row[1], row[5]): row for row in found["quotes"] if row[5] in span}
    assert len(rows) == len(said) == sum(row[5] in span for row in found["quotes"])
    for q in said:
        row = rows[q.ticker, q.sequence, q.time_ns // NS]
        assert (row[2], row[3], Decimal(row[4])) == (q.bid, q.ask, Decimal(q.bid_size))
    assert any(row[6] for row in found["trades"]), "the interruption was healed"
    assert not all(row[6] for row in found["trades"]), "and only it"
    built = {(row[0], row[1]): row[2:] for row in found["bars"] if row[1] in span}
    assert built.keys() == bars.keys()
    for key, bar in bars.items():
        *prices, volume, count = built[key]
        assert prices == [bar.open, bar.high, bar.low, bar.close]
        assert (Decimal(volume), count) == (Decimal(bar.volume), bar.trades)

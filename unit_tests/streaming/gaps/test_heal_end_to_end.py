"""An interrupted stream, the gap that is recorded, and the bars that healing puts in its place.

The stream and the REST API of the sandbox have the same bars, so what heals can be compared with
what would have come.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from polygon_sandbox import Sandbox, StreamSandbox, World
from polygon_sandbox.tape import ClockTape
from polygon_streaming import raw
from polygon_streaming.filter.bars import Bar
from polygon_streaming.filter.events import read
from polygon_streaming.filter.records import clean
from polygon_streaming.stamps import from_text

from unit_tests.streaming.running_feed import Running
from unit_tests.streaming.topics import messages_of

SEED = 7
COMMAND = Path(sys.executable).with_name("polygon-stream")
COMPARED = ("ev", "s", "e", "o", "h", "l", "c", "v", "vw")

Key = tuple[str, int]


@pytest.mark.parametrize(
    ("market", "channel", "in_world", "prefix"),
    [("stocks", "A", "stocks", ""), ("crypto", "XAS", "crypto", "X:")],
)
async def test_healing_puts_in_what_the_stream_would_have_sent(
    mock_kafka: str, tmp_path: Path, market: str, channel: str, in_world: str, prefix: str
) -> None:
    world = World(seed=SEED)
    tickers = [str(row["ticker"]) for row in world.tickers(in_world)]
    symbols = [_stream_symbol(ticker, prefix) for ticker in tickers][:2]
    path = tmp_path / "subscriptions.csv"
    rows = [f"{market},{channel},{symbol}\n" for symbol in symbols]
    path.write_text("market,channel,symbol\n" + "".join(rows))
    topics = {"raw_topic": f"raw-healed-{market}", "gaps_topic": f"gaps-healed-{market}"}

    with StreamSandbox(symbols, clocked=True, seed=SEED) as server:
        waits = {"retry_seconds": 4, "retry_max_seconds": 4}
        await _interrupted(Running(mock_kafka, server, path, **waits, **topics), server)
    gaps = [json.loads(m.value() or b"") for m in messages_of(mock_kafka, topics["gaps_topic"])]
    (gap,) = gaps
    assert gap["reason"] == "disconnected: closed 1006"
    assert gap["subscriptions"] == sorted(f"{channel}.{symbol}" for symbol in symbols)

    with Sandbox(world) as rest:
        assert _heal(mock_kafka, rest, topics, market).startswith("1 gap healed with ")
        assert _heal(mock_kafka, rest, topics, market).startswith("0 gaps healed with 0 bars")

    streamed, healed = _bars(mock_kafka, topics["raw_topic"])
    starts = sorted({start for _, start in streamed})
    every = {(symbol, start) for symbol in symbols
             for start in range(starts[0], starts[-1] + 1000, 1000)}  # fmt: skip
    missing = every - set(streamed)
    assert missing, "the interruption has to lose something"
    assert missing <= set(healed)
    assert all(from_text(gap["from"]) - 6_000 <= s <= from_text(gap["to"]) for _, s in healed)
    for (symbol, start), event in healed.items():
        wanted = _would_have_sent(symbols, channel, symbol, start)
        assert {name: event[name] for name in COMPARED} == {n: wanted[n] for n in COMPARED}
    # Where both came they agree, so the order in which the table gets them does not matter.
    both = set(streamed) & set(healed)
    assert both
    for key in both:
        assert {n: streamed[key][n] for n in COMPARED} == {n: healed[key][n] for n in COMPARED}


async def test_all_that_a_silent_server_kept_is_healed(mock_kafka: str, tmp_path: Path) -> None:
    """It confirms and sends nothing, over reconnects and a restart of the feed."""
    world = World(seed=SEED)
    symbols = [_stream_symbol(str(row["ticker"]), "X:") for row in world.tickers("crypto")][:2]
    path = tmp_path / "subscriptions.csv"
    path.write_text("market,channel,symbol\n" + "".join(f"crypto,XAS,{s}\n" for s in symbols))
    topics = {"raw_topic": "raw-silent", "gaps_topic": "gaps-silent"}

    with StreamSandbox(symbols, clocked=True, seed=SEED) as server:
        before = Running(mock_kafka, server, path, silence_seconds=2.0, **topics)
        await before.start()
        await before.until(lambda: before.events() >= 4, "bars of two seconds")
        server.silent = True
        await before.until(lambda: len(server.connections) == 3, "two fruitless connections")
        await before.finish()
        after = Running(mock_kafka, server, path, **topics)
        await after.start()
        await after.until(lambda: after.feed.problems() == [], "all is confirmed")
        server.silent = False
        await after.until(lambda: after.events() >= 4, "bars of two more seconds")
        await after.finish()
    with Sandbox(world) as rest:
        assert _heal(mock_kafka, rest, topics, "silent").startswith("1 gap healed with ")

    streamed, healed = _bars(mock_kafka, topics["raw_topic"])
    starts = sorted({start for _, start in streamed})
    every = {(symbol, start) for symbol in symbols
             for start in range(starts[0], starts[-1] + 1000, 1000)}  # fmt: skip
    assert len(every - set(streamed)) >= 2 * 4, "the silence has to keep something"
    assert every <= set(streamed) | set(healed)


async def _interrupted(run: Running, server: StreamSandbox) -> None:
    await run.start()
    try:
        await run.until(lambda: run.events() >= 4, "bars of two seconds")
        server.cut()
        await run.until(lambda: len(server.connections) == 2, "a second connection")
        before = run.events()
        await run.until(lambda: run.events() >= before + 4, "bars of two more seconds")
    finally:
        await run.finish()


def _heal(kafka: str, rest: Sandbox, topics: dict[str, str], market: str) -> str:
    done = subprocess.run(
        [COMMAND, "heal", "--bootstrap-servers", kafka, "--rest-url", rest.url,
         "--raw-topic", topics["raw_topic"], "--gaps-topic", topics["gaps_topic"],
         "--group", f"heal-{market}", "--requests-per-minute", "60000"],
        env={**os.environ, "POLYGON_API_KEY": rest.key}, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def _bars(kafka: str, topic: str) -> tuple[dict[Key, Any], dict[Key, Any]]:
    """Return the streamed and the healed bars; each reads as a clean record marked so."""
    streamed: dict[Key, Any] = {}
    healed: dict[Key, Any] = {}
    for message in messages_of(kafka, topic):
        bar, source = read(message.value()), raw.origin(message)
        assert isinstance(bar, Bar)
        record = clean(bar, source.market, message.timestamp()[1], source.healed)
        assert record.symbol == (message.key() or b"").decode()
        target = healed if record.healed else streamed
        target[record.symbol, int(bar.s)] = json.loads(message.value() or b"")
    return streamed, healed


def _would_have_sent(symbols: list[str], channel: str, symbol: str, start: int) -> Any:
    (event,) = ClockTape(symbols, SEED).events(channel, symbol, start // 1000 + 1)
    return json.loads(event)


def _stream_symbol(ticker: str, prefix: str) -> str:
    bare = ticker.removeprefix(prefix)
    return f"{bare[:-3]}-{bare[-3:]}" if prefix else bare

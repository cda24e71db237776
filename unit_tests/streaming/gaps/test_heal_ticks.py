"""Trades and quotes of a gap from the sandbox's REST side: what the stream would have sent."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from confluent_kafka import Message, Producer
from polygon_sandbox import Plan, Sandbox, World
from polygon_sandbox.intraday import Intraday
from polygon_sandbox.tick_forms import quote_event, trade_event
from polygon_sandbox.ticks import Kind, quotes, trades
from polygon_streaming import raw
from polygon_streaming.filter.events import read
from polygon_streaming.filter.quotes import clean_quote
from polygon_streaming.filter.trades import TradeEvent, clean_trade
from polygon_streaming.gaps import ticks
from polygon_streaming.gaps.clients import connect
from polygon_streaming.gaps.gap import Gap
from polygon_streaming.gaps.heal import Healer
from polygon_streaming.gaps.rest import Rest
from polygon_streaming.settings import HealSettings

from unit_tests.streaming.topics import messages_of

START = 1763994600  # 2025-11-24 14:30 UTC
SEED = 7
# What the stream has in milliseconds, and what REST alone or the feed alone knows.
OTHERWISE = {
    "timestamp", "trf_timestamp", "participant_timestamp", "vendor_timestamp", "bid_timestamp",
    "ask_timestamp", "received_at", "healed",
}  # fmt: skip
CHANNELS: list[tuple[str, str, str, str, Kind]] = [
    ("stocks", "T", "A", "A", "stocks"),
    ("stocks", "Q", "A", "A", "stocks"),
    ("options", "T", "O:A261218C00100000", "O:A261218C00100000", "options"),
    ("options", "Q", "O:A261218C00100000", "O:A261218C00100000", "options"),
    ("crypto", "XT", "BTC-USD", "X:BTCUSD", "crypto"),
    ("forex", "C", "EUR/USD", "C:EURUSD", "forex"),
    ("futures/cme", "T", "ESZ6", "ESZ6", "futures"),
    ("futures/cme", "Q", "ESZ6", "ESZ6", "futures"),
]


@pytest.fixture
def world() -> World:
    return World(seed=SEED, now="2025-11-24T15:00:00Z")


@pytest.fixture
def sandbox(world: World) -> Iterator[Sandbox]:
    with Sandbox(world) as started:
        yield started


def _settings(kafka: str, sandbox: Sandbox, run: str) -> HealSettings:
    return HealSettings.model_validate(
        {
            "api_key": sandbox.key, "bootstrap_servers": kafka, "rest_url": sandbox.url,
            "requests_per_minute": 60_000, "raw_topic": f"raw-{run}", "gaps_topic": f"gaps-{run}",
            "group": f"heal-{run}",
        }
    )  # fmt: skip


def _record(settings: HealSettings, market: str, name: str, *, seconds: int = 3) -> None:
    gap = Gap(
        market=market, start_ms=START * 1000, end_ms=(START + seconds) * 1000 - 1,
        reason="disconnected: closed 1006", subscriptions=[name], feed=f"{market} 1/1",
    )  # fmt: skip
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers})
    producer.produce(settings.gaps_topic, gap.encode(), market)
    assert producer.flush(10) == 0


def _clean(value: bytes, market: str, received_ms: int) -> dict[str, Any]:
    event = read(value)
    clean: Any = clean_trade if isinstance(event, TradeEvent) else clean_quote
    record = clean(event, market, received_ms, healed=True)
    return {name: getattr(record, name) for name in record.__struct_fields__}


def _told(channel: str, symbol: str, ticker: str, kind: Kind) -> list[dict[str, Any]]:
    """What the stream says from five seconds before the gap to its end."""
    events: list[dict[str, Any]] = []
    for second in range(START - 5, START + 3):
        bar = Intraday(SEED).bar(ticker, second, 1)
        if channel in ("T", "XT"):
            events += [trade_event(t, kind, symbol) for t in trades(bar, ticker, kind)]
        else:
            events += [quote_event(q, kind, symbol) for q in quotes(bar, ticker, kind)]
    return events


def test_gaps_are_filled_with_what_the_stream_would_have_sent(
    mock_kafka: str, sandbox: Sandbox
) -> None:
    settings = _settings(mock_kafka, sandbox, "ticks")
    told = {}
    for market, channel, symbol, ticker, kind in CHANNELS:
        _record(settings, market, f"{channel}.{symbol}")
        told[market, channel] = _told(channel, symbol, ticker, kind)
    done = Healer(settings, connect(settings)).run()
    assert (done.gaps, done.bars, done.all_well) == (len(CHANNELS), 0, True)
    assert done.ticks == sum(map(len, told.values()))
    healed: dict[tuple[str, str], list[Message]] = {kind: [] for kind in told}
    for message in messages_of(mock_kafka, settings.raw_topic):
        said: Any = dict(message.headers() or [])
        assert said["healed"] == b"disconnected: closed 1006"
        healed[raw.origin(message).market, json.loads(message.value() or b"")["ev"]].append(message)
    for market, channel, symbol, _, _ in CHANNELS:
        messages, events = healed[market, channel], told[market, channel]
        assert {message.key() for message in messages} == {symbol.encode()}
        rest = [_clean(m.value() or b"", market, m.timestamp()[1]) for m in messages]
        stream = [_clean(json.dumps(e).encode(), market, e["t"]) for e in events]
        for one, other in zip(rest, stream, strict=True):
            assert {n: v for n, v in one.items() if n not in OTHERWISE} == {
                n: v for n, v in other.items() if n not in OTHERWISE
            }
            assert one["timestamp"][:23] == other["timestamp"][:23], "the same millisecond"
        assert not all(one["timestamp"].endswith("000000") for one in rest), "but nanoseconds"


class SmallPages(Rest):
    """Asks for ten ticks at a time."""

    def ticks(self, path: str, ticker: str, query: Mapping[str, str], *more: Any) -> Iterator[Any]:
        yield from super().ticks(path, ticker, {**query, "limit": "10"}, *more)


def test_pages_are_followed_and_nothing_is_asked_for_twice(
    mock_kafka: str, sandbox: Sandbox
) -> None:
    settings = _settings(mock_kafka, sandbox, "ticks-pages")
    _record(settings, "stocks", "T.A")
    _record(settings, "stocks", "T.A")  # a second feed saw the same
    clients = connect(settings)._replace(rest=SmallPages(sandbox.url, sandbox.key, 1e6))
    done = Healer(settings, clients).run()
    assert (done.gaps, done.ticks) == (2, len(_told("T", "A", "A", "stocks")))
    asked = [r for r in sandbox.requests if r.path == "/v3/trades/A"]
    assert len(asked) > 5
    assert sum("cursor" not in request.query for request in asked) == 1


def test_what_rest_has_not_is_left_out_and_what_the_plan_has_not_is_kept(
    mock_kafka: str, sandbox: Sandbox
) -> None:
    settings = _settings(mock_kafka, sandbox, "ticks-not")
    sandbox.plan = Plan.unlimited(refused=("/v3/trades",))
    _record(settings, "crypto", "XQ.BTC-USD")
    _record(settings, "stocks", "T.A")
    done = Healer(settings, connect(settings)).run()
    assert (done.left_out, done.kept, done.ticks) == (1, 1, 0)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ([], "a row is not an object"),
        ({"price": 1, "size": 1}, "a time is None"),
        ({"price": 1, "size": 1, "sip_timestamp": 5}, "a time is 5, from 10 to 20"),
        ({"price": 1, "size": 1, "sip_timestamp": 20}, "a time is 20"),
        ({"price": 1, "size": 1, "sip_timestamp": True}, "a time is True"),
        ({"price": "1", "size": 1, "sip_timestamp": 15}, "p is '1'"),
        ({"price": 1, "sip_timestamp": 15}, "s is None"),
        ({"price": 10**400, "size": 1, "sip_timestamp": 15}, "p is 1000"),
    ],
)
def test_rows_that_cannot_be_are_refused(row: Any, words: str) -> None:
    origin = ticks.source("stocks", "T")
    assert origin is not None
    with pytest.raises(ValueError, match=words):
        ticks.Reader(origin, "T", "A", 10, 20)(row)

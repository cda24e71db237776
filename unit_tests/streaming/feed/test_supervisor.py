"""The feed against the streaming sandbox and a mock broker, through every fault of the server."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from polygon_sandbox import StreamFault, StreamSandbox
from polygon_streaming.errors import ConfigError
from polygon_streaming.stamps import from_text
from polygon_streaming.subscriptions.live import SubscriptionList

from unit_tests.streaming.running_feed import Running


@pytest.fixture
def subscriptions(tmp_path: Path) -> Path:
    path = tmp_path / "subscriptions.csv"
    path.write_text("market,channel,symbol\nstocks,A,AAPL\nstocks,A,MSFT\n")
    return path


Start = Callable[..., Any]


@pytest.fixture
def running(mock_kafka: str, server: StreamSandbox, subscriptions: Path) -> Start:
    @asynccontextmanager
    async def start(**changes: Any) -> AsyncIterator[Running]:
        run = Running(mock_kafka, server, subscriptions, **changes)
        await run.start()
        try:
            yield run
        finally:
            await run.finish()

    return start


async def test_every_event_arrives_in_order_and_unchanged(
    running: Start, server: StreamSandbox
) -> None:
    async with running() as run:
        await run.until(lambda: run.events() >= 400, "events flow")
    values = run.records(run.settings.raw_topic)
    assert sorted(value["n"] for value in values) == list(range(1, server.sent + 1))
    for symbol in ("AAPL", "MSFT"):
        numbers = [value["n"] for value in values if value["sym"] == symbol]
        assert numbers == sorted(numbers)
    assert all(value["dv"] == f"{value['v']}.0" for value in values), "the text as it came"
    assert run.records(run.settings.gaps_topic) == []


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (StreamFault.close(1000), "closed 1000"),
        (StreamFault.close(1001), "closed 1001"),
        (StreamFault.close(1008), "closed 1008"),
        (StreamFault.close(1011), "closed 1011"),
        (StreamFault.drop(), "closed 1006"),
        (StreamFault.slow_consumer(), "slow_consumer"),
        (StreamFault.force_disconnect(), "force_disconnect"),
    ],
    ids=lambda value: value.name if isinstance(value, StreamFault) else "",
)
async def test_after_a_lost_connection_all_is_restored_and_the_gap_is_known(
    running: Start, server: StreamSandbox, fault: StreamFault, reason: str
) -> None:
    server.faults.add(fault)
    async with running() as run:
        await run.until(lambda: len(server.connections) == 2, "a second connection")
        before = run.events()
        await run.until(lambda: run.events() > before + 100, "events flow again")
        assert server.subscriptions == {"A.AAPL", "A.MSFT"}
        assert run.feed.problems() == []
    (gap,) = run.records(run.settings.gaps_topic)
    assert gap["reason"] == f"disconnected: {reason}"
    assert gap["subscriptions"] == ["A.AAPL", "A.MSFT"]
    assert gap["from"] < gap["to"]


async def test_two_drops_in_a_row_lose_no_subscription(
    running: Start, server: StreamSandbox
) -> None:
    server.faults.add(StreamFault.drop(after_frames=3))
    server.faults.add(StreamFault.close_at_once(1011, times=6))
    server.faults.add(StreamFault.auth_timeout(times=2))
    async with running() as run:
        await run.until(lambda: len(server.connections) == 10, "the tenth connection")
        before = run.events()
        await run.until(lambda: run.events() > before + 100, "events flow again")
        assert server.subscriptions == {"A.AAPL", "A.MSFT"}
    assert len(run.records(run.settings.gaps_topic)) == 1


async def test_refused_connections_are_not_tried_in_a_tight_loop(
    running: Start, server: StreamSandbox
) -> None:
    server.faults.add(StreamFault.close_at_once(1011, times=None))
    async with running(retry_seconds=0.2, retry_max_seconds=0.4):
        await asyncio.sleep(2)
    assert 4 <= len(server.connections) <= 13


async def test_max_connections_cools_down_for_longer_each_time(
    running: Start, server: StreamSandbox
) -> None:
    server.faults.add(StreamFault.max_connections(times=3))
    async with running(cool_down_seconds=0.4) as run:
        await run.until(lambda: len(server.connections) == 4, "the fourth connection")
    waits = [b - a for a, b in zip(server.connections, server.connections[1:], strict=False)]
    # 0.4, 0.8 and 1.6 s, each times 0.5 to 1, although each connection was authorised.
    assert 0.2 <= waits[0] < waits[2]
    assert waits[1] >= 0.4
    assert waits[2] >= 0.8


async def test_a_refused_key_ends_the_feed_with_the_fix(
    running: Start, server: StreamSandbox
) -> None:
    with pytest.raises(ConfigError, match=r"does not accept the key.*Check POLYGON_API_KEY"):
        async with running(api_key="wrong") as run:
            await run.until(lambda: False, "the end")
    assert len(server.connections) == 1


async def test_a_silent_server_is_left(
    running: Start, server: StreamSandbox, subscriptions: Path
) -> None:
    subscriptions.write_text("market,channel,symbol\ncrypto,XAS,AAPL\n")

    server.faults.add(StreamFault.stall())
    async with running(silence_seconds=0.6) as run:
        await run.until(lambda: len(server.connections) == 2, "a second connection")
        before = run.events()
        await run.until(lambda: run.events() > before + 50, "events flow again")
    (gap,) = run.records(run.settings.gaps_topic)
    assert gap["reason"] == "disconnected: silent"


async def test_a_changed_list_is_applied_without_a_reconnect(
    running: Start, server: StreamSandbox, subscriptions: Path
) -> None:
    async with running() as run:
        await run.until(lambda: run.events() > 0, "events flow")
        subscriptions.write_text("market,channel,symbol\nstocks,A,*\nstocks,AM,*\n")
        await run.until(lambda: server.subscriptions == {"A.*", "AM.*"}, "the new list")
        subscriptions.write_text("market,channel,symbol\nstocks,AM,*\nstocks,A,AAPL\n")
        await run.until(lambda: server.subscriptions == {"AM.*", "A.AAPL"}, "the third list")
        subscriptions.write_text("market,channel\n")
        await asyncio.sleep(0.4)
        assert server.subscriptions == {"AM.*", "A.AAPL"}
        subscriptions.unlink()
        await asyncio.sleep(0.4)
        assert server.subscriptions == {"AM.*", "A.AAPL"}
        assert run.feed.problems() == []
    assert len(server.connections) == 1
    assert run.records(run.settings.gaps_topic) == []


async def test_a_new_market_is_opened_while_the_feed_runs(
    running: Start, server: StreamSandbox, subscriptions: Path
) -> None:
    async with running() as run:
        await run.until(lambda: run.events() > 0, "events flow")
        subscriptions.write_text("market,channel,symbol\nstocks,A,AAPL\ncrypto,XAS,MSFT\n")
        await run.until(lambda: len(server.connections) == 2, "a connection for crypto")
        await run.until(lambda: server.subscriptions == {"A.AAPL", "XAS.MSFT"}, "both")


async def test_unconfirmed_subscriptions_are_known(
    running: Start, server: StreamSandbox, subscriptions: Path
) -> None:
    subscriptions.write_text("market,channel,symbol\nstocks,T,AAPL\nstocks,A,AAPL\n")
    server.not_authorized.add("T")

    async with running() as run:
        await run.until(lambda: run.feed.problems() == [], "ready with what is confirmed")
        connection = run.feed.markets.open["stocks"].connection
        assert connection is not None
        assert connection.protocol.unconfirmed == {"T.AAPL"}
        assert connection.protocol.refusals == 1


async def test_frames_over_a_megabyte_are_read(running: Start, server: StreamSandbox) -> None:
    events = ",".join(
        f'{{"ev":"T","sym":"AAPL","i":"{n}","pad":"{"x" * 100}"}}' for n in range(20_000)
    )

    async with running() as run:
        await run.until(lambda: run.events() > 0, "events flow")
        server.send(f"[{events}]")
        await run.until(lambda: run.events() > 20_000, "the large frame")
    assert len(server.connections) == 1


async def test_what_is_no_json_goes_to_the_dead_letters(
    running: Start, server: StreamSandbox
) -> None:
    async with running() as run:
        await run.until(lambda: run.events() > 0, "events flow")
        server.send('"not an array"')
        before = run.events()
        await run.until(lambda: run.events() > before + 50, "events flow on")
    assert run.records(run.settings.dead_letter_topic) == ["not an array"]


async def test_no_server_at_all_is_retried(mock_kafka: str, subscriptions: Path) -> None:
    with StreamSandbox() as gone:
        pass

    run = Running(mock_kafka, gone, subscriptions)
    await run.start()
    await asyncio.sleep(0.5)
    assert run.feed.problems() == ["stocks: not subscribed"]
    await run.finish()


async def test_a_feed_stopped_while_disconnected_leaves_the_gap_to_its_successor(
    running: Start, server: StreamSandbox
) -> None:
    async with running() as run:
        await run.until(lambda: run.events() > 0, "events flow")
        # The cut ends the connection after the next frame; no further one is let in.
        server.faults.add(StreamFault.close_at_once(1011, times=None))
        server.cut()
        await run.until(lambda: len(server.connections) > 4, "fruitless connections")
        last_event = run.feed.markets.open["stocks"].publisher.last_event_ms
    server.faults.clear()
    async with running() as run:
        await run.until(lambda: run.feed.problems() == [], "subscribed")
        await run.until(lambda: not run.feed.markets.open["stocks"].ledger.has_outage, "events")
    (gap,) = run.records(run.settings.gaps_topic)
    assert gap["reason"] == "restart"
    assert from_text(gap["from"]) == last_event


async def test_a_connection_without_any_confirmation_does_not_end_the_gap(
    running: Start, server: StreamSandbox
) -> None:
    async with running(ack_seconds=0.1) as run:
        await run.until(lambda: run.events() > 0, "events flow")
        server.not_authorized.add("A")
        server.cut()
        await run.until(lambda: len(server.connections) == 2, "a second connection")
        connection = run.feed.markets.open["stocks"].connection
        await run.until(lambda: connection.protocol.refusals == 2, "both refused")
        await asyncio.sleep(0.5)
        assert run.feed.problems() == ["stocks: not subscribed"]
        server.not_authorized.clear()
        server.cut()
        await run.until(lambda: run.feed.problems() == [], "subscribed")
        await run.until(lambda: not run.feed.markets.open["stocks"].ledger.has_outage, "events")
    (gap,) = run.records(run.settings.gaps_topic)
    assert from_text(gap["to"]) / 1000 > server.connections[2]


async def test_a_list_that_is_no_longer_watched_ends_the_feed(
    running: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: SubscriptionList) -> bool:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(SubscriptionList, "refresh", fail)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        async with running() as run:
            await run.until(lambda: False, "the end")


async def test_with_the_broker_gone_an_idle_feed_still_stops_in_time(
    server: StreamSandbox, subscriptions: Path
) -> None:
    """Two markets, so that what is stored of them at the end is not waited for in turn."""
    subscriptions.write_text("market,channel,symbol\nstocks,A,AAPL\ncrypto,XAS,MSFT\n")
    server.rate = 0.001
    owner = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0})
    (node,) = owner.list_topics(timeout=10).brokers.values()

    run = Running(f"{node.host}:{node.port}", server, subscriptions)
    await run.start()
    await run.until(lambda: run.feed.problems() == [], "both markets are subscribed")
    del owner
    started = time.monotonic()
    await run.finish()
    assert time.monotonic() - started < 15

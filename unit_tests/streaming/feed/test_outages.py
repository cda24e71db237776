"""What a feed misses of a market, through silence, stops, refusals and changes of the list."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast

import pytest
from polygon_sandbox import StreamSandbox
from polygon_streaming.errors import ConfigError
from polygon_streaming.feed.outages import Outages
from polygon_streaming.gaps.gap import decode
from polygon_streaming.gaps.ledger import Ledger
from polygon_streaming.gaps.topic import GapsTopic
from polygon_streaming.process import metrics
from polygon_streaming.stamps import from_text, to_text

from unit_tests.streaming.fake_producer import RecordingProducer
from unit_tests.streaming.running_feed import Running

HEADER = "market,channel,symbol\n"


@pytest.fixture
def server() -> Iterator[StreamSandbox]:
    with StreamSandbox(symbols=["AAPL", "MSFT"], rate=400, events_per_frame=4) as started:
        yield started


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "subscriptions.csv"
    path.write_text(f"{HEADER}crypto,XAS,AAPL\n")
    return path


@asynccontextmanager
async def _fed(
    kafka: str, server: StreamSandbox, path: Path, **changes: Any
) -> AsyncIterator[Running]:
    """Run a feed for as long as the block lasts; it may still be looked at then."""
    running = Running(kafka, server, path, **changes)
    await running.start()
    try:
        yield running
    finally:
        await running.finish()


async def _events(run: Running, more: int = 50) -> None:
    before = run.events()
    await run.until(lambda: run.events() > before + more, "events flow")


async def _left(run: Running) -> None:
    leaving = run.feed.markets.leaving
    await run.until(lambda: all(task.done() for task in leaving.values()), "it has left")


async def _hush(server: StreamSandbox, run: Running, market: str = "crypto") -> int:
    """Let the server confirm everything and send nothing; return when the last event came."""
    server.rate = 0.0001
    await asyncio.sleep(0.3)
    return run.feed.markets.open[market].publisher.last_event_ms


async def test_the_gap_of_a_silent_server_ends_with_the_first_event_not_with_a_confirmation(
    mock_kafka: str, server: StreamSandbox, listed: Path
) -> None:
    async with _fed(mock_kafka, server, listed, silence_seconds=0.5) as run:
        await _events(run)
        last = await _hush(server, run)
        await run.until(lambda: len(server.connections) == 3, "two fruitless connections")
        await run.until(lambda: server.subscriptions == {"XAS.AAPL"}, "all is confirmed")
        assert run.records(run.settings.gaps_topic) == []
        silent = "crypto: no event since it was connected anew because of silence"
        await run.until(lambda: run.feed.problems() == [silent], "it is named")
        server.rate = 400
        await _events(run)
        assert run.feed.problems() == []
        first = run.feed.markets.open["crypto"].first_event_ms
    (gap,) = run.records(run.settings.gaps_topic)
    assert gap["reason"] == "disconnected: silent"
    assert from_text(gap["from"]) == last
    assert first <= from_text(gap["to"]) <= first + 2_000


@pytest.mark.parametrize("limit", [0.5, 600])
async def test_a_stop_in_silence_leaves_the_gap_to_the_successor(
    mock_kafka: str, server: StreamSandbox, listed: Path, limit: float
) -> None:
    """Whether the silence was noticed or not: it takes an event to prove there was none before."""
    async with _fed(mock_kafka, server, listed, silence_seconds=limit) as run:
        await _events(run)
        last = await _hush(server, run)
        wanted = 3 if limit < 1 else 1
        await run.until(lambda: len(server.connections) == wanted, "connections")
        await run.until(lambda: server.subscriptions == {"XAS.AAPL"}, "all is confirmed")
    assert run.records(run.settings.gaps_topic) == []
    async with _fed(mock_kafka, server, listed) as run:
        await run.until(lambda: run.feed.problems() == [], "subscribed")
        assert run.records(run.settings.gaps_topic) == []
        server.rate = 400
        await _events(run)
        first = run.feed.markets.open["crypto"].first_event_ms
    (gap,) = run.records(run.settings.gaps_topic)
    assert gap["reason"] == "restart"
    assert from_text(gap["from"]) == last
    assert from_text(gap["to"]) >= first


async def test_a_refused_market_does_not_end_the_others_and_is_tried_again(
    mock_kafka: str, server: StreamSandbox, listed: Path
) -> None:
    listed.write_text(f"{HEADER}stocks,A,AAPL\noptions,A,MSFT\n")
    server.not_in_plan.add("options")

    async with _fed(mock_kafka, server, listed, cool_down_seconds=1.0) as run:
        await _events(run)
        refused = 'options: the server refuses it: "Your plan doesn\'t include websocket access."'
        await run.until(lambda: run.feed.problems() == [refused], "options are refused")
        await run.until(lambda: len(server.connections) >= 3, "options are tried again")
        assert len(server.connections) <= 5
        server.not_in_plan.clear()
        await run.until(lambda: run.feed.problems() == [], "options are served")
        await run.until(lambda: run.feed.markets.open["options"].publisher.produced > 0, "events")
        assert run.feed.markets.open["stocks"].publisher.produced > 0
    assert run.records(run.settings.gaps_topic) == [], "what was never served is not missing"


async def test_a_market_that_was_served_and_is_refused_later_is_a_gap_until_it_is_served_again(
    mock_kafka: str, server: StreamSandbox, listed: Path
) -> None:
    listed.write_text(f"{HEADER}stocks,A,AAPL\noptions,A,MSFT\n")
    async with _fed(mock_kafka, server, listed, cool_down_seconds=0.5) as run:
        options = run.feed
        await run.until(lambda: len(options.markets.open) == 2, "both markets")
        market = options.markets.open["options"]
        await run.until(lambda: market.ready and market.publisher.produced > 0, "options flow")
        server.not_in_plan.add("options")
        server.cut()
        await run.until(lambda: bool(market.refused), "refused")
        refused_at = market.publisher.last_event_ms
        server.not_in_plan.clear()
        await run.until(lambda: not market.refused and not market.ledger.has_outage, "served")
    gaps = [g for g in run.records(run.settings.gaps_topic) if g["market"] == "options"]
    assert [(g["from"], g["subscriptions"]) for g in gaps] == [(to_text(refused_at), ["A.MSFT"])]


async def test_only_a_feed_with_every_market_refused_ends(
    mock_kafka: str, server: StreamSandbox, listed: Path
) -> None:
    listed.write_text(f"{HEADER}stocks,A,AAPL\noptions,A,MSFT\n")
    server.not_in_plan |= {"options", "stocks"}

    with pytest.raises(ConfigError, match=r"options \(.*, stocks \(.*no market is served"):
        async with _fed(mock_kafka, server, listed) as run:
            await run.until(lambda: False, "the end")
    assert len(server.connections) == 2


async def test_a_market_taken_off_the_list_ends_and_leaves_nothing_behind(
    mock_kafka: str, server: StreamSandbox, listed: Path
) -> None:
    both = f"{HEADER}stocks,A,AAPL\noptions,A,MSFT\n"
    listed.write_text(both)
    server.not_in_plan.add("options")

    async with _fed(mock_kafka, server, listed, cool_down_seconds=5.0) as run:
        await run.until(lambda: "options" in " ".join(run.feed.problems()), "options are refused")
        listed.write_text(f"{HEADER}stocks,A,AAPL\n")
        await run.until(lambda: run.feed.problems() == [], "its problem has gone with it")
        await _left(run)
        assert metrics.FEED.get_sample_value("polygon_ws_refused", {"market": "options"}) is None
        assert list(run.feed.markets.open) == ["stocks"]
        server.not_in_plan.clear()
        listed.write_text(both)
        await run.until(lambda: server.subscriptions == {"A.AAPL", "A.MSFT"}, "it is back")
        await run.until(lambda: run.feed.markets.open["options"].publisher.produced > 0, "it flows")
        assert metrics.FEED.get_sample_value("polygon_ws_connected", {"market": "options"}) == 1
        listed.write_text(f"{HEADER}stocks,A,AAPL\n")
        await run.until(lambda: server.subscriptions == {"A.AAPL"}, "its connection is closed")
        await _left(run)
        listed.write_text(both)
        await run.until(lambda: len(run.feed.markets.open) == 2, "it is back again")
        options = run.feed.markets.open["options"]
        await run.until(lambda: options.ready and options.publisher.produced > 0, "it flows")
        await _events(run)
    assert run.records(run.settings.gaps_topic) == [], "what nobody wanted is not missing"


class Quiet:
    """A market whose clock is ours, disconnected in the middle of its hours."""

    def __init__(self, market: str, start: str, delay: timedelta = timedelta(0)) -> None:
        self.now = self._acknowledged = 0
        self.at(start)
        self.producer = RecordingProducer()
        topic = GapsTopic(cast("Any", self.producer), "gaps")
        self.ledger = Ledger(market, f"{market} 1/1", topic)
        self.outages = Outages(market, self.ledger, delay, self.now)
        self.tick()
        self.ledger.disconnected(self.now, self.now, "disconnected: silent")

    def tick(self) -> None:
        """Tell that nothing has come in."""
        self.outages.tick(self.now, 0, frozenset({"A.AAPL"}), ready=False)

    def at(self, text: str) -> None:
        """Set the clock, in UTC."""
        moment = datetime.fromisoformat(text).replace(tzinfo=timezone.utc)
        self.now = round(moment.timestamp() * 1000)

    def run_to(self, text: str) -> None:
        """Let time pass, a tick each minute."""
        end = from_text(f"{text.replace('T', ' ')}:00.000")
        while self.now < end:
            self.now = min(self.now + 60_000, end)
            self.tick()

    def gaps(self) -> list[tuple[str, str]]:
        """Return from and to of what is on record, as hh:mm."""
        for record in self.producer.of("gaps")[self._acknowledged :]:
            self.producer.acknowledge(record)
            self._acknowledged += 1
        found = [decode(record.value) for record in self.producer.of("gaps")]
        return [(to_text(gap.start_ms)[11:16], to_text(gap.end_ms)[11:16]) for gap in found]


def test_a_gap_that_lasts_is_on_record_at_the_close_and_goes_on() -> None:
    quiet = Quiet("stocks", "2026-11-23T20:50")
    quiet.run_to("2026-11-23T20:59")
    assert quiet.gaps() == []
    quiet.run_to("2026-11-23T21:00")
    assert quiet.gaps() == [("20:50", "21:00")]
    quiet.run_to("2026-11-24T04:00")
    assert quiet.gaps() == [("20:50", "21:00")], "at night nothing is asked for in vain"
    assert quiet.ledger.since == from_text("2026-11-23 21:00:00.000")
    assert quiet.ledger.has_outage
    quiet.ledger.restored(quiet.now, ["A.AAPL"])
    assert quiet.gaps()[1:] == [("21:00", "04:00")]


def test_a_gap_in_trading_hours_is_on_record_once_an_hour() -> None:
    quiet = Quiet("crypto", "2026-11-22T03:10")
    quiet.run_to("2026-11-22T05:30")
    assert quiet.gaps() == [("03:10", "04:10"), ("04:10", "05:10")]


def test_a_delayed_feed_has_its_close_a_quarter_of_an_hour_later() -> None:
    quiet = Quiet("stocks", "2026-11-23T20:50", timedelta(minutes=15))
    quiet.run_to("2026-11-23T21:14")
    assert quiet.ledger.has_outage
    assert quiet.producer.of("gaps") == []
    quiet.run_to("2026-11-23T21:15")
    assert len(quiet.producer.of("gaps")) == 1

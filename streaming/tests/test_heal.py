"""Healing from a REST look-alike through a mock broker."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from polygon_streaming.clean import clean, read
from polygon_streaming.errors import ConfigError, StreamError
from polygon_streaming.gaps import Gap
from polygon_streaming.heal import Healer, rest_ticker, stream_symbol
from polygon_streaming.rest import Rest
from polygon_streaming.settings import HealSettings
from polygon_streaming.stamps import now_ms

START = 1763994600000  # 2025-11-24 14:30 UTC


class _Rest(BaseHTTPRequestHandler):
    """Serves a bar for each second or minute asked for, in pages of two."""

    asked: list[str]
    keys: list[str]
    odd: ClassVar[dict[str, Any]] = {}
    status = "DELAYED"

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        type(self).keys.append(self.headers["Authorization"])
        if self.headers["Authorization"] != "Bearer good":
            self._reply(401, {"status": "ERROR", "error": "Unknown API Key"})
            return
        parts = urlsplit(self.path).path.split("/")
        if parts[3] == "grouped":
            self._reply(200, {"status": "OK", "results": [{"T": "AAPL"}, {"T": "MSFT"}]})
            return
        if parts[4] in self.odd:
            self._reply(200, self.odd[parts[4]])
            return
        start, end = int(parts[8]), int(parts[9])
        step = 1000 if parts[7] == "second" else 60_000
        bars = [
            {"t": t, "o": 10, "h": 12.5, "l": 9, "c": 11, "v": 33.5, "vw": 10.5, "n": 3}
            for t in range(-(-start // step) * step, end + 1, step)
        ]
        body: dict[str, Any] = {"status": self.status, "results": bars[:2]}
        if len(bars) > 2:
            following = "/".join([*parts[:8], str(bars[2]["t"]), str(end)])
            body["next_url"] = f"https://elsewhere.example{following}?cursor=x"
        self._reply(200, body)

    def log_message(self, *_: Any) -> None:
        pass

    def _reply(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def rest() -> Iterator[tuple[str, type[_Rest]]]:
    handler = type("Handler", (_Rest,), {"asked": [], "keys": [], "odd": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    server.server_close()


def _settings(kafka: str, url: str, run: str, key: str = "good") -> HealSettings:
    return HealSettings.model_validate(
        {
            "api_key": key,
            "bootstrap_servers": kafka,
            "rest_url": url,
            "requests_per_minute": 60_000,
            "raw_topic": f"raw-{run}",
            "gaps_topic": f"gaps-{run}",
            "group": f"heal-{run}",
        }
    )


def _record(settings: HealSettings, *gaps: Gap | bytes) -> None:
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers})
    for gap in gaps:
        value = gap if isinstance(gap, bytes) else gap.encode()
        producer.produce(settings.gaps_topic, value, partition=0)
    assert producer.flush(10) == 0


def _raw(settings: HealSettings) -> list[tuple[dict[str, Any], dict[str, bytes], bytes]]:
    consumer = Consumer(
        {"bootstrap.servers": settings.bootstrap_servers, "group.id": "x",
         "enable.partition.eof": True}
    )  # fmt: skip
    partitions = consumer.list_topics(settings.raw_topic, timeout=10).topics[settings.raw_topic]
    consumer.assign([TopicPartition(settings.raw_topic, p, 0) for p in partitions.partitions])
    found: list[tuple[Any, Any, bytes]] = []
    ends = 0
    while ends < len(partitions.partitions):
        for message in consumer.consume(100, 1):
            if message.error() is not None:
                ends += 1
                continue
            value, headers = message.value() or b"", dict(message.headers() or [])
            found.append((json.loads(value), headers, value))
    consumer.close()
    return found


def _gap(subscriptions: list[str], seconds: int = 5, market: str = "stocks") -> Gap:
    return Gap(market, START + 500, START + seconds * 1000, "disconnected: x", subscriptions, "f")


def test_a_gap_is_filled_with_bars_that_the_filter_reads(
    mock_kafka: str, rest: tuple[str, type[_Rest]]
) -> None:
    url, handler = rest
    settings = _settings(mock_kafka, url, "bars")
    _record(settings, _gap(["A.AAPL"]))
    done = Healer(settings).run()
    assert (done.gaps, done.left_out, done.unreadable) == (1, 0, 0)
    records = _raw(settings)
    # From five seconds before the gap: bars are sent a little after their window.
    assert done.bars == len(records) == 11
    assert [event["s"] for event, _, _ in records] == [START + 1000 * n for n in range(-5, 6)]
    event, headers, value = records[5]
    assert event == {
        "ev": "A", "sym": "AAPL", "v": 33.5, "vw": 10.5, "o": 10, "c": 11, "h": 12.5, "l": 9,
        "s": START, "e": START + 1000,
    }  # fmt: skip
    assert headers["healed"] == b"disconnected: x"
    assert headers["event_type"] == b"A"
    bar = read(value)
    assert bar is not None
    assert clean(bar, "stocks", START, healed=True).volume == 33.5
    # The next page is asked for at the configured host, and the key is never in an address.
    assert len(handler.asked) == 6
    assert set(handler.keys) == {"Bearer good"}
    assert not any("good" in path for path in handler.asked)


def test_healed_gaps_are_not_healed_again(mock_kafka: str, rest: tuple[str, type[_Rest]]) -> None:
    url, handler = rest
    settings = _settings(mock_kafka, url, "again")
    _record(settings, _gap(["A.AAPL"], seconds=1), b"no gap")
    first = Healer(settings).run()
    assert (first.gaps, first.unreadable) == (1, 1)
    asked = len(handler.asked)
    assert Healer(settings).run().gaps == 0
    assert len(handler.asked) == asked


def test_wildcards_minutes_and_what_cannot_be_healed(
    mock_kafka: str, rest: tuple[str, type[_Rest]]
) -> None:
    url, handler = rest
    settings = _settings(mock_kafka, url, "wild")
    _record(settings, _gap(["AM.*", "T.AAPL"], seconds=60))
    done = Healer(settings).run()
    assert done.left_out == 1
    symbols = {(event["ev"], event["sym"]) for event, _, _ in _raw(settings)}
    assert symbols == {("AM", "AAPL"), ("AM", "MSFT")}
    assert "/market/stocks/2025-11-23" in handler.asked[0]
    assert "/range/1/minute/" in handler.asked[1]


def test_a_wrong_key_is_named_and_the_gap_stays(
    mock_kafka: str, rest: tuple[str, type[_Rest]]
) -> None:
    url, _ = rest
    _record(_settings(mock_kafka, url, "key"), _gap(["A.AAPL"]))
    with pytest.raises(ConfigError, match="does not accept the key: 'Unknown API Key'"):
        Healer(_settings(mock_kafka, url, "key", key="bad")).run()
    assert Healer(_settings(mock_kafka, url, "key")).run().gaps == 1


def test_a_wildcard_of_a_market_without_daily_bars_is_left_out_and_said(
    mock_kafka: str, rest: tuple[str, type[_Rest]]
) -> None:
    settings = _settings(mock_kafka, rest[0], "options")
    _record(settings, _gap(["A.*"], market="options"))
    done = Healer(settings).run()
    assert (done.gaps, done.bars, done.left_out) == (1, 0, 1)


def test_what_does_not_say_its_type_is_healed_with_second_bars(
    mock_kafka: str, rest: tuple[str, type[_Rest]]
) -> None:
    settings = _settings(mock_kafka, rest[0], "type")
    undelivered = {"stocks": "AAPL", "futures/cme": "ESZ6", "crypto": "BTC-USD", "forex": "EUR/USD"}
    _record(settings, *(_gap([f"?.{s}"], seconds=1, market=m) for m, s in undelivered.items()))
    Healer(settings).run()
    bars = [read(value) for _, _, value in _raw(settings)]
    assert {(bar.ev, bar.sym or bar.pair) for bar in bars if bar is not None} == {
        ("A", "AAPL"), ("A", "ESZ6"), ("XAS", "BTC-USD"), ("CAS", "EUR/USD"),
    }  # fmt: skip


def test_a_gap_that_names_nothing_is_healed_with_the_whole_list(
    mock_kafka: str, rest: tuple[str, type[_Rest]], tmp_path: Path
) -> None:
    listed = tmp_path / "subscriptions.csv"
    settings = _settings(mock_kafka, rest[0], "list").model_copy(
        update={"subscriptions": str(listed)}
    )
    _record(settings, Gap("", START, START + 1000, "retention", (), ""))
    with pytest.raises(ConfigError, match="subscriptions: "):
        Healer(settings).run()
    listed.write_text("market,channel,symbol\nstocks,A,AAPL\ncrypto,XAS,BTC-USD\n")
    assert Healer(settings).run().gaps == 1
    healed = {(event["ev"], headers["market"]) for event, headers, _ in _raw(settings)}
    assert healed == {("A", b"stocks"), ("XAS", b"crypto")}


def test_bars_that_are_not_over_are_left_to_the_stream(
    mock_kafka: str, rest: tuple[str, type[_Rest]]
) -> None:
    rest[1].status = "OK"
    settings = _settings(mock_kafka, rest[0], "now")
    before = now_ms()
    gap = Gap("stocks", before - 90_000, before + 1, "disconnected: x", ["AM.AAPL"], "f")
    _record(settings, gap)
    Healer(settings).run()
    events = [event for event, _, _ in _raw(settings)]
    assert events
    assert all(event["e"] <= now_ms() for event in events)


def test_a_delayed_plan_is_asked_again_later(
    mock_kafka: str, rest: tuple[str, type[_Rest]]
) -> None:
    settings = _settings(mock_kafka, rest[0], "delayed")
    before = now_ms()
    _record(settings, Gap("stocks", before - 60_000, before, "disconnected: x", ["A.AAPL"], "f"))
    with pytest.raises(StreamError, match=r"15 minutes late.*Heal again in 1[45] minutes"):
        Healer(settings).run()
    rest[1].status = "OK"
    assert Healer(settings).run().gaps == 1, "the gap has stayed"


@pytest.mark.parametrize("body", [[], "no", 7])
def test_an_answer_that_is_no_object_is_an_error_in_words(
    rest: tuple[str, type[_Rest]], body: Any
) -> None:
    rest[1].odd["AAPL"] = body
    with pytest.raises(StreamError, match="answers 200, and no JSON object"):
        next(Rest(rest[0], "good", 60_000).bars("AAPL", "second", START, START))


def test_the_group_waits_for_a_gap_that_takes_hours(
    mock_kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("polygon_streaming.broker.consumer", lambda *given: asked.append(given))
    Healer(_settings(mock_kafka, "http://127.0.0.1:1", "hours"))
    ((_, _, rules),) = asked
    # 1,000 symbols of a wildcard at five requests a minute take more than three hours.
    assert rules["max.poll.interval.ms"] > 200 * 60 * 1000


@pytest.mark.parametrize(
    ("market", "stream", "ticker"),
    [("stocks", "BRK.B", "BRK.B"), ("crypto", "BTC-USD", "X:BTCUSD"),
     ("forex", "EUR/USD", "C:EURUSD"), ("futures/cme", "ESZ6", "ESZ6"),
     ("options", "O:SPY251219C00650000", "O:SPY251219C00650000")],
)  # fmt: skip
def test_symbols_are_written_differently_in_rest(market: str, stream: str, ticker: str) -> None:
    assert rest_ticker(market, stream) == ticker
    assert stream_symbol(market, ticker) == stream


def test_symbols_with_the_prefix_of_rest_are_known_too() -> None:
    assert rest_ticker("crypto", "X:BTC-USD") == "X:BTCUSD"

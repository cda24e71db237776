"""Healing from a REST look-alike through a mock broker."""

import itertools
import json
import logging
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple, cast
from unittest import mock
from urllib.parse import urlsplit

import msgspec
import pytest
import structlog
from confluent_kafka import Consumer, Producer, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from polygon_streaming.channels import MARKETS
from polygon_streaming.errors import ConfigError, StreamError
from polygon_streaming.filter.records import clean, read
from polygon_streaming.gaps.clients import connect
from polygon_streaming.gaps.gap import Gap, check, decode
from polygon_streaming.gaps.heal import Healer
from polygon_streaming.gaps.rest import BrokenAnswer, Rest
from polygon_streaming.gaps.series import event, rest_ticker, stream_symbol
from polygon_streaming.settings import HealSettings
from polygon_streaming.stamps import now_ms

START = 1763994600000  # 2025-11-24 14:30 UTC


class Reply(NamedTuple):
    """An answer of the look-alike; in a list, the answers one after the other."""

    status: int
    body: Any


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
            odd = self.odd[parts[4]]
            if isinstance(odd, list) and odd and isinstance(odd[0], Reply):
                odd = odd.pop(0) if len(odd) > 1 else odd[0]
            self._reply(*odd if isinstance(odd, Reply) else (200, odd))
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


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polygon_streaming.gaps.rest._AGAIN_SECONDS", (0.01, 0.02))


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """What is logged, as structlog has it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    with structlog.testing.capture_logs() as captured:
        yield captured


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


def _healer(settings: HealSettings) -> Healer:
    return Healer(settings, connect(settings))


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
    done = _healer(settings).run()
    assert (done.gaps, done.left_out, done.skipped) == (1, 0, 0)
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
    assert headers["market"] == b"stocks"
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
    first = _healer(settings).run()
    assert (first.gaps, first.skipped) == (1, 1)
    asked = len(handler.asked)
    assert _healer(settings).run().gaps == 0
    assert len(handler.asked) == asked


def test_wildcards_minutes_and_what_cannot_be_healed(
    mock_kafka: str, rest: tuple[str, type[_Rest]]
) -> None:
    url, handler = rest
    settings = _settings(mock_kafka, url, "wild")
    _record(settings, _gap(["AM.*", "LULD.AAPL"], seconds=60))
    done = _healer(settings).run()
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
        _healer(_settings(mock_kafka, url, "key", key="bad")).run()
    assert _healer(_settings(mock_kafka, url, "key")).run().gaps == 1


def test_a_wildcard_of_a_market_without_daily_bars_is_left_out_and_said(
    mock_kafka: str, rest: tuple[str, type[_Rest]]
) -> None:
    settings = _settings(mock_kafka, rest[0], "options")
    _record(settings, _gap(["A.*"], market="options"))
    done = _healer(settings).run()
    assert (done.gaps, done.bars, done.left_out) == (1, 0, 1)


def test_what_does_not_say_its_type_is_healed_with_second_bars(
    mock_kafka: str, rest: tuple[str, type[_Rest]]
) -> None:
    settings = _settings(mock_kafka, rest[0], "type")
    undelivered = {"stocks": "AAPL", "futures/cme": "ESZ6", "crypto": "BTC-USD", "forex": "EUR/USD"}
    _record(settings, *(_gap([f"?.{s}"], seconds=1, market=m) for m, s in undelivered.items()))
    _healer(settings).run()
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
        _healer(settings).run()
    listed.write_text("market,channel,symbol\nstocks,A,AAPL\ncrypto,XAS,BTC-USD\n")
    assert _healer(settings).run().gaps == 1
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
    _healer(settings).run()
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
        _healer(settings).run()
    rest[1].status = "OK"
    assert _healer(settings).run().gaps == 1, "the gap has stayed"


@pytest.mark.parametrize("body", [[], "no", 7])
def test_an_answer_that_is_no_object_is_an_error_in_words(
    rest: tuple[str, type[_Rest]], body: Any
) -> None:
    rest[1].odd["AAPL"] = body
    with pytest.raises(StreamError, match="answers 200: and not with a JSON object"):
        next(Rest(rest[0], "good", 60_000).bars("AAPL", "second", START, START))


def test_the_group_waits_for_a_gap_that_takes_hours(
    mock_kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(
        "polygon_streaming.kafka.clients.consumer", lambda *given: asked.append(given)
    )
    connect(_settings(mock_kafka, "http://127.0.0.1:1", "hours"))
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


def _bar(**changes: Any) -> dict[str, Any]:
    return {"t": START, "o": 10, "h": 12.5, "l": 9, "c": 11, "v": 33.5, **changes}


GOOD = Reply(200, {"status": "OK", "results": [_bar()]})


def test_absurd_gaps_are_named_skipped_and_counted(
    mock_kafka: str, rest: tuple[str, type[_Rest]], lines: list[Any]
) -> None:
    month = START + 32 * 86_400_000
    absurd = {
        "nothing can be missing from 1970": ("stocks", 0, START),
        "ends .* before it begins": ("stocks", START, START - 1),
        "32 days": ("stocks", START, month),
        "nothing can be missing from 2193": ("stocks", 4 * START, 4 * START + 1),
        "market 'shares' is unknown": ("shares", START, START + 1),
        "market '' is unknown": ("", START, START + 1),
    }
    gaps = [Gap(*window, "volume_jump", ["A.AAPL"], "") for window in absurd.values()]
    settings = _settings(mock_kafka, rest[0], "absurd")
    _record(settings, *gaps, _gap(["A.AAPL"], seconds=1))
    done = _healer(settings).run()
    assert (done.gaps, done.skipped, done.all_well) == (1, 6, False)
    reasons = [line["reason"] for line in lines if line["event"] == "gap skipped"]
    for reason, said in zip(absurd, reasons, strict=True):
        assert re.search(reason, said)
    assert all("/1763994" in path for path in rest[1].asked), "REST is not asked for 56 years"
    assert _healer(settings).run().skipped == 0, "they are passed over for good"


def test_names_that_are_not_subscriptions_are_left_out(
    mock_kafka: str, rest: tuple[str, type[_Rest]]
) -> None:
    settings = _settings(mock_kafka, rest[0], "names")
    names = ["AAPL", "A.", ".", "", "A.A B", "XA.AAPL", "A.AAPL", "\U0001f600"]
    _record(settings, _gap(names, seconds=1))
    done = _healer(settings).run()
    assert (done.gaps, done.left_out) == (1, 7)
    assert {event["sym"] for event, _, _ in _raw(settings)} == {"AAPL"}


@pytest.mark.parametrize(
    "body",
    [
        {"status": "OK", "results": 7},
        {"status": "OK", "results": [7]},
        {"status": "OK", "results": [{}]},
        {"status": "OK", "results": [_bar(t="now")]},
        {"status": "OK", "results": [_bar(t=START * 1_000_000)]},
        {"status": "OK", "results": [_bar(t=10**400)]},
        {"status": "OK", "results": [_bar(o=None)]},
        {"status": "OK", "results": [_bar(c=float("nan"))]},
        {"status": "OK", "results": [_bar(v="much")]},
        {"status": "OK", "results": [_bar(vw=10**400)]},
        {"status": "OK", "results": [_bar()], "next_url": 7},
        {"status": "OK", "results": [_bar()], "next_url": "@elsewhere.example/v2"},
        {"status": "OK", "results": [_bar()], "next_url": "http://[/v2"},
        {"status": "ERROR", "error": "internal"},
        {},
    ],
)
def test_an_answer_that_cannot_be_used_is_broken(rest: tuple[str, type[_Rest]], body: Any) -> None:
    url, handler = rest
    handler.odd["AAPL"] = body
    with pytest.raises(BrokenAnswer):
        list(Rest(url, "good", 60_000).bars("AAPL", "second", START, START))
    assert set(handler.keys) == {"Bearer good"}


def test_a_broken_answer_keeps_the_gap_and_the_others_are_healed(
    mock_kafka: str, rest: tuple[str, type[_Rest]]
) -> None:
    url, handler = rest
    handler.odd["AAPL"] = {"status": "OK", "results": [_bar(t="now")]}
    settings = _settings(mock_kafka, url, "broken")
    _record(settings, _gap(["A.AAPL", "A.MSFT"], seconds=1), _gap(["A.GOOG"], seconds=1))
    done = _healer(settings).run()
    assert (done.gaps, done.kept, done.all_well) == (1, 1, False)
    assert {event["sym"] for event, _, _ in _raw(settings)} == {"MSFT", "GOOG"}
    handler.odd.clear()
    again = _healer(settings).run()
    assert (again.gaps, again.kept, again.all_well) == (2, 0, True)
    assert "AAPL" in {event["sym"] for event, _, _ in _raw(settings)}


def test_a_page_that_leads_back_is_a_broken_answer(rest: tuple[str, type[_Rest]]) -> None:
    url, handler = rest
    following = f"{url}/v2/aggs/ticker/AAPL/range/1/second/{START}/{START}?cursor=1"
    handler.odd["AAPL"] = {"status": "OK", "results": [_bar()], "next_url": following}
    with pytest.raises(StreamError, match="leads back to a page it has given"):
        list(Rest(url, "good", 60_000).bars("AAPL", "second", START, START))
    assert len(handler.asked) == 2


@pytest.mark.parametrize(
    "first", [Reply(200, {"status": "OK", "results": None}), Reply(200, "no"), Reply(200, {})]
)
def test_an_answer_that_is_suspicious_is_asked_for_again(
    rest: tuple[str, type[_Rest]], first: Reply
) -> None:
    url, handler = rest
    handler.odd["AAPL"] = [first, first, GOOD]
    assert list(Rest(url, "good", 60_000).bars("AAPL", "second", START, START)) == [_bar()]
    assert len(handler.asked) == 3


@pytest.mark.parametrize(
    ("body", "asked"), [({"status": "OK"}, 1), ({"status": "OK", "results": None}, 3)]
)
def test_an_empty_answer_is_believed_in_the_end(
    rest: tuple[str, type[_Rest]], body: Any, asked: int
) -> None:
    url, handler = rest
    handler.odd["AAPL"] = body
    assert list(Rest(url, "good", 60_000).bars("AAPL", "second", START, START)) == []
    assert len(handler.asked) == asked


def test_what_the_api_does_not_know_is_left_out(
    mock_kafka: str, rest: tuple[str, type[_Rest]]
) -> None:
    url, handler = rest
    handler.odd["NONE"] = Reply(404, {"status": "NOT_FOUND", "message": "no such ticker"})
    settings = _settings(mock_kafka, url, "unknown")
    _record(settings, _gap(["A.NONE", "A.MSFT"], seconds=1))
    done = _healer(settings).run()
    assert (done.gaps, done.left_out, done.kept) == (1, 1, 0)


def test_a_market_that_the_plan_does_not_include_keeps_its_gap_and_the_others_are_healed(
    mock_kafka: str, rest: tuple[str, type[_Rest]]
) -> None:
    url, handler = rest
    words = {"status": "NOT_AUTHORIZED", "message": "You are not entitled to this data."}
    handler.odd |= {"O:A": Reply(403, words), "O:B": Reply(403, words)}
    settings = _settings(mock_kafka, url, "plan")
    _record(settings, _gap(["A.O:A", "A.O:B"], market="options"), _gap(["A.AAPL"], seconds=1))
    done = _healer(settings).run()
    assert (done.gaps, done.kept) == (1, 1)
    assert sum("O:" in path for path in handler.asked) == 1, "one refusal is enough"


def test_a_likely_gap_inside_a_certain_one_is_not_asked_for_again(
    mock_kafka: str, rest: tuple[str, type[_Rest]]
) -> None:
    url, handler = rest
    settings = _settings(mock_kafka, url, "inside")
    certain = _gap(["A.AAPL", "A.MSFT"], seconds=20)
    inside = Gap("stocks", START - 2_000, START + 9_000, "volume_jump", ["A.AAPL"], "", False)
    across = Gap("stocks", START + 15_000, START + 22_000, "volume_jump", ["A.MSFT"], "", False)
    _record(settings, certain, inside)
    done = _healer(settings).run()
    both = 2 * 26  # five seconds before the gap, and both ends
    assert (done.gaps, done.bars) == (2, both)
    asked = len(handler.asked)
    settings = _settings(mock_kafka, url, "across")
    _record(settings, certain, across)
    assert _healer(settings).run().bars == both + 2
    assert len(handler.asked) == 2 * asked + 1


def test_long_work_says_how_far_it_is(
    mock_kafka: str,
    rest: tuple[str, type[_Rest]],
    lines: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("polygon_streaming.gaps.heal._SAY_SECONDS", 0.0)
    settings = _settings(mock_kafka, rest[0], "progress")
    _record(settings, _gap(["A.AAPL", "A.MSFT"], seconds=1), _gap(["A.GOOG"], seconds=1))
    done = _healer(settings).run()
    said = [(line["gap"], line["series"]) for line in lines if line["event"] == "healing"]
    assert said == [("1 of 2", "0 of 2"), ("1 of 2", "1 of 2"), ("2 of 2", "0 of 1")]
    (last,) = [line for line in lines if line["event"] == "healing ended"]
    assert (last["gaps"], last["bars"]) == (done.gaps, done.bars) == (2, 21)
    assert str(done) == (
        "2 gaps healed with 21 bars; 0 subscriptions left out, 0 gap records skipped, "
        "0 gaps kept for the next run."
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
MOMENTS = st.sampled_from(
    ["2025-11-24 14:30:00.000", "1970-01-01 00:00:00.000", "0001-01-01 00:00:00.000", "",
     "9999-12-31 23:59:59.999", "2025-11-24", "2025-11-24 14:30:01.000"]
) | st.text()  # fmt: skip
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "market": st.sampled_from(["stocks", "crypto", "", "shares"]) | JSON,
        "from": MOMENTS | JSON,
        "to": MOMENTS | JSON,
        "reason": st.text() | JSON,
        "certain": st.booleans() | JSON,
        "subscriptions": st.lists(st.sampled_from(["A.AAPL", "A.*", "AAPL"]) | st.text()) | JSON,
        "feed": st.text() | JSON,
    },
)


@given(JSON | RECORDS)
def test_any_json_is_a_gap_or_is_not(value: Any) -> None:
    raw = json.dumps(value).encode("utf-8", "surrogatepass")
    _judge(raw)


@given(st.binary())
def test_any_bytes_are_a_gap_or_are_not(value: bytes) -> None:
    _judge(value)


@pytest.mark.parametrize("value", [b"[" * 100_000, b'"\xff"', b'{"market":"\xed\xa0\x80"}'])
def test_bytes_that_decoders_trip_over_are_not_a_gap(value: bytes) -> None:
    with pytest.raises(ValueError, match="not a gap"):
        decode(value)


def _judge(value: bytes) -> None:
    try:
        gap = decode(value)
        check(gap, START + 86_400_000)
    except ValueError:
        return
    assert 0 <= gap.end_ms - gap.start_ms <= 31 * 86_400_000
    assert gap.market in MARKETS or not gap.market


@given(JSON | st.fixed_dictionaries({"status": st.just("OK"), "results": JSON | st.lists(
    st.fixed_dictionaries({}, optional={name: JSON | st.just(START) for name in "tohlcv"})
)}, optional={"next_url": JSON}))  # fmt: skip
def test_any_answer_is_bars_or_an_error_in_words(answer: Any) -> None:
    rest = Rest("http://127.0.0.1:1", "good", 1e9)
    replies = [SimpleNamespace(status=200, data=json.dumps(answer).encode())] * 9
    rest._http = cast("Any", SimpleNamespace(request=lambda *_, **__: replies.pop()))
    with mock.patch("polygon_streaming.gaps.rest._AGAIN_SECONDS", ()):
        try:
            bars = list(itertools.islice(rest.bars("AAPL", "second", START, START), 3))
        except StreamError:
            return
    for bar in bars:
        assert read(msgspec.json.encode(event("A", "AAPL", bar))) is not None

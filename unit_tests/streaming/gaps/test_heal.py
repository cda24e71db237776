"""Healing from a REST look-alike through a mock broker."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from polygon_streaming.errors import ConfigError, StreamError
from polygon_streaming.filter.bars import Bar
from polygon_streaming.filter.events import read
from polygon_streaming.filter.records import clean
from polygon_streaming.gaps.clients import connect
from polygon_streaming.gaps.gap import Gap
from polygon_streaming.gaps.heal import Healer
from polygon_streaming.gaps.rest import Rest
from polygon_streaming.settings import HealSettings
from polygon_streaming.stamps import now_ms

from unit_tests.streaming.rest_look_alike import START, Reply, RestLookAlike, bar


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


def _healer(settings: HealSettings, **more: float) -> Healer:
    """Return a healer that asks again soon."""
    key = settings.api_key.get_secret_value()
    rest = Rest(settings.rest_url, key, settings.requests_per_minute, pauses=(0.01, 0.02))
    return Healer(settings, connect(settings)._replace(rest=rest), **more)


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
    mock_kafka: str, rest: tuple[str, type[RestLookAlike]]
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
    assert headers["origin"] == b"stocks/rest"
    bar = read(value)
    assert isinstance(bar, Bar)
    assert clean(bar, "stocks", START, healed=True).volume == 33.5
    # The next page is asked for at the configured host, and the key is never in an address.
    assert len(handler.asked) == 6
    assert set(handler.keys) == {"Bearer good"}
    assert not any("good" in path for path in handler.asked)


def test_healed_gaps_are_not_healed_again(
    mock_kafka: str, rest: tuple[str, type[RestLookAlike]]
) -> None:
    url, handler = rest
    settings = _settings(mock_kafka, url, "again")
    _record(settings, _gap(["A.AAPL"], seconds=1), b"no gap")
    first = _healer(settings).run()
    assert (first.gaps, first.skipped) == (1, 1)
    asked = len(handler.asked)
    assert _healer(settings).run().gaps == 0
    assert len(handler.asked) == asked


def test_wildcards_minutes_and_what_cannot_be_healed(
    mock_kafka: str, rest: tuple[str, type[RestLookAlike]]
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
    mock_kafka: str, rest: tuple[str, type[RestLookAlike]]
) -> None:
    url, _ = rest
    _record(_settings(mock_kafka, url, "key"), _gap(["A.AAPL"]))
    with pytest.raises(ConfigError, match="does not accept the key: 'Unknown API Key'"):
        _healer(_settings(mock_kafka, url, "key", key="bad")).run()
    assert _healer(_settings(mock_kafka, url, "key")).run().gaps == 1


def test_a_wildcard_of_a_market_without_daily_bars_is_left_out_and_said(
    mock_kafka: str, rest: tuple[str, type[RestLookAlike]]
) -> None:
    settings = _settings(mock_kafka, rest[0], "options")
    _record(settings, _gap(["A.*"], market="options"))
    done = _healer(settings).run()
    assert (done.gaps, done.bars, done.left_out) == (1, 0, 1)


def test_what_does_not_say_its_type_is_healed_with_second_bars(
    mock_kafka: str, rest: tuple[str, type[RestLookAlike]]
) -> None:
    settings = _settings(mock_kafka, rest[0], "type")
    undelivered = {"stocks": "AAPL", "futures/cme": "ESZ6", "crypto": "BTC-USD", "forex": "EUR/USD"}
    _record(settings, *(_gap([f"?.{s}"], seconds=1, market=m) for m, s in undelivered.items()))
    _healer(settings).run()
    bars = [read(value) for _, _, value in _raw(settings)]
    assert {(bar.ev, bar.sym or bar.pair) for bar in bars if isinstance(bar, Bar)} == {
        ("A", "AAPL"), ("A", "ESZ6"), ("XAS", "BTC-USD"), ("CAS", "EUR/USD"),
    }  # fmt: skip


def test_a_gap_that_names_nothing_is_healed_with_the_whole_list(
    mock_kafka: str, rest: tuple[str, type[RestLookAlike]], tmp_path: Path
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
    healed = {(event["ev"], headers["origin"]) for event, headers, _ in _raw(settings)}
    assert healed == {("A", b"stocks/rest"), ("XAS", b"crypto/rest")}


def test_bars_that_are_not_over_are_left_to_the_stream(
    mock_kafka: str, rest: tuple[str, type[RestLookAlike]]
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
    mock_kafka: str, rest: tuple[str, type[RestLookAlike]]
) -> None:
    settings = _settings(mock_kafka, rest[0], "delayed")
    before = now_ms()
    _record(settings, Gap("stocks", before - 60_000, before, "disconnected: x", ["A.AAPL"], "f"))
    with pytest.raises(StreamError, match=r"15 minutes late.*Heal again in 1[45] minutes"):
        _healer(settings).run()
    rest[1].status = "OK"
    assert _healer(settings).run().gaps == 1, "the gap has stayed"


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


def test_absurd_gaps_are_named_skipped_and_counted(
    mock_kafka: str, rest: tuple[str, type[RestLookAlike]], lines: list[Any]
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
    mock_kafka: str, rest: tuple[str, type[RestLookAlike]]
) -> None:
    settings = _settings(mock_kafka, rest[0], "names")
    names = ["AAPL", "A.", ".", "", "A.A B", "XA.AAPL", "A.AAPL", "\U0001f600"]
    _record(settings, _gap(names, seconds=1))
    done = _healer(settings).run()
    assert (done.gaps, done.left_out) == (1, 7)
    assert {event["sym"] for event, _, _ in _raw(settings)} == {"AAPL"}


def test_a_broken_answer_keeps_the_gap_and_the_others_are_healed(
    mock_kafka: str, rest: tuple[str, type[RestLookAlike]]
) -> None:
    url, handler = rest
    handler.odd["AAPL"] = {"status": "OK", "results": [bar(t="now")]}
    settings = _settings(mock_kafka, url, "broken")
    _record(settings, _gap(["A.AAPL", "A.MSFT"], seconds=1), _gap(["A.GOOG"], seconds=1))
    done = _healer(settings).run()
    assert (done.gaps, done.kept, done.all_well) == (1, 1, False)
    assert {event["sym"] for event, _, _ in _raw(settings)} == {"MSFT", "GOOG"}
    handler.odd.clear()
    again = _healer(settings).run()
    assert (again.gaps, again.kept, again.all_well) == (2, 0, True)
    assert "AAPL" in {event["sym"] for event, _, _ in _raw(settings)}


def test_what_the_api_does_not_know_is_left_out(
    mock_kafka: str, rest: tuple[str, type[RestLookAlike]]
) -> None:
    url, handler = rest
    handler.odd["NONE"] = Reply(404, {"status": "NOT_FOUND", "message": "no such ticker"})
    settings = _settings(mock_kafka, url, "unknown")
    _record(settings, _gap(["A.NONE", "A.MSFT"], seconds=1))
    done = _healer(settings).run()
    assert (done.gaps, done.left_out, done.kept) == (1, 1, 0)


def test_a_market_that_the_plan_does_not_include_keeps_its_gap_and_the_others_are_healed(
    mock_kafka: str, rest: tuple[str, type[RestLookAlike]]
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
    mock_kafka: str, rest: tuple[str, type[RestLookAlike]]
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
    rest: tuple[str, type[RestLookAlike]],
    lines: list[Any],
) -> None:
    settings = _settings(mock_kafka, rest[0], "progress")
    _record(settings, _gap(["A.AAPL", "A.MSFT"], seconds=1), _gap(["A.GOOG"], seconds=1))
    done = _healer(settings, say_seconds=0.0).run()
    said = [(line["gap"], line["series"]) for line in lines if line["event"] == "healing"]
    assert said == [("1 of 2", "0 of 2"), ("1 of 2", "1 of 2"), ("2 of 2", "0 of 1")]
    (last,) = [line for line in lines if line["event"] == "healing ended"]
    assert (last["gaps"], last["bars"]) == (done.gaps, done.bars) == (2, 21)
    assert str(done) == (
        "2 gaps healed with 21 bars; 0 subscriptions left out, 0 gap records skipped, "
        "0 gaps kept for the next run."
    )

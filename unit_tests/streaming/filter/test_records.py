import json
from importlib.resources import files
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polygon_streaming.channels import AGGREGATE_SECONDS
from polygon_streaming.filter.bars import Bar
from polygon_streaming.filter.events import read
from polygon_streaming.filter.records import Record, clean
from polygon_streaming.raw import Unreadable

BAR = {
    "ev": "A", "sym": "BRK.B", "v": 4989, "dv": "4989.25", "av": 4332125, "dav": "4332125.038360",
    "op": 500.1, "vw": 501.25, "o": 501, "c": 501.5, "h": 502, "l": 500.5, "a": 500.9, "z": 12.0,
    "otc": True, "s": 1795444200000, "e": 1795444201000, "unknown": {"x": [1]},
}  # fmt: skip
RECEIVED = 1795444201234


def _clean(**changes: Any) -> Record:
    event = {k: v for k, v in {**BAR, **changes}.items() if v is not None}
    bar = read(json.dumps(event).encode())
    assert isinstance(bar, Bar)
    return clean(bar, "stocks", RECEIVED, healed=False)


def _schema() -> Any:
    return json.loads((files("polygon_streaming") / "schemas" / "record.json").read_text())


def test_a_bar_becomes_a_record() -> None:
    record = msgspec.to_builtins(_clean())
    assert record == {
        "event_type": "A", "market": "stocks", "symbol": "BRK.B",
        "window_start": "2026-11-23 14:30:00.000", "window_end": "2026-11-23 14:30:01.000",
        "open": 501.0, "high": 502.0, "low": 500.5, "close": 501.5, "vwap": 501.25,
        "volume": 4989.25, "accumulated_volume": 4332125.03836, "official_open": 500.1,
        "day_vwap": 500.9, "average_trade_size": 12.0, "otc": True,
        "received_at": "2026-11-23 14:30:01.234", "healed": False,
    }  # fmt: skip
    jsonschema.validate(record, _schema())
    assert set(_schema()["properties"]) == set(Record.__struct_fields__)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"dv": None, "v": 33.5}, {"volume": 33.5}),
        ({"dv": None, "v": None}, {"volume": 0.0}),
        ({"dav": None}, {"accumulated_volume": 4332125.0}),
        ({"dv": "5.", "dav": "+5"}, {"volume": 5.0, "accumulated_volume": 5.0}),
        ({"dv": " 5 ", "dav": "1e3"}, {"volume": 5.0, "accumulated_volume": 1000.0}),
        ({"otc": None, "vw": None, "z": None}, {"otc": False, "vwap": None}),
        ({"e": None}, {"window_end": "2026-11-23 14:30:01.000"}),
        ({"e": None, "ev": "AM"}, {"window_end": "2026-11-23 14:31:00.000"}),
        ({"sym": None, "pair": "BTC-USD", "ev": "XAS"}, {"symbol": "BTC-USD"}),
        ({"s": 1795444200000.0}, {"window_start": "2026-11-23 14:30:00.000"}),
    ],
)
def test_what_bars_lack_or_spell_differently(changes: Any, expected: Any) -> None:
    record = msgspec.to_builtins(_clean(**changes))
    assert {name: record[name] for name in expected} == expected
    jsonschema.validate(record, _schema())


@pytest.mark.parametrize("channel", AGGREGATE_SECONDS)
def test_a_bar_of_each_channel_is_read_as_one_of_it(channel: str) -> None:
    assert _clean(ev=channel).event_type == channel


@given(st.decimals(0, 10**17, allow_nan=False).map(str) | st.floats(0, 1e17).map(repr))
def test_an_exact_volume_is_the_float_that_python_reads(text: str) -> None:
    assert _clean(dv=text).volume == float(text)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"s": 1795444200}, "not in milliseconds"),
        ({"s": 1795444200000000000}, "not in milliseconds"),
        ({"s": "1795444200000"}, "not a bar: Expected `int | float`"),
        ({"o": None}, "missing required field `o`"),
        ({"c": "12"}, "Expected `float`"),
        ({"o": 1e308}, r"at `\$.o`"),
        ({"vw": -1e19}, r"at `\$.vw`"),
        ({"o": 1e18}, r"< 1e\+?18 - at `\$.o`"),
        ({"o": -1e18}, r"> -1e\+?18 - at `\$.o`"),
        ({"v": 1e18}, r"< 1e\+?18 - at `\$.v`"),
        ({"dv": "1e18"}, "dv is '1e18', not a volume"),
        ({"e": 1795444260001}, "e is 60001 ms after s, and no bar is so long"),
        (
            {"s": RECEIVED + 3_600_000, "e": RECEIVED + 3_660_001},
            "e is 60001 ms after s, and no bar is so long",
        ),
        ({"s": 4_102_444_800_000, "e": None}, "its window starts 640833.5 h after"),
        ({"s": 946_684_799_999}, "s is 9.467e.11, not in milliseconds"),
        ({"s": 4_102_444_800_001, "e": None}, "s is 4.102e.12, not in milliseconds"),
        ({"e": 10**17}, "e is 1e.17, not in milliseconds"),
        ({"s": 1e300}, "s is beyond all bounds"),
        ({"s": 9e299}, "s is 9e.299, not"),
        ({"s": RECEIVED + 9_000_000, "e": None}, "its window starts 2.5 h after it was received"),
        ({"v": -9}, r">= 0.0 - at `\$.v`"),
        ({"av": -1}, r">= 0.0 - at `\$.av`"),
        ({"z": -0.5}, r">= 0.0 - at `\$.z`"),
        ({"v": 1e300}, r"at `\$.v`"),
        ({"dav": "1e19"}, "dav is '1e19'"),
        ({"s": -5}, "s is -5, not in milliseconds"),
        ({"s": 10**400}, "s is beyond all bounds"),
        ({"e": 1795444201}, "e is 1.795e.09, not in milliseconds"),
        ({"e": 1795444199999}, "e is -1 ms after s"),
        ({"e": 1795530600000}, "e is 86400000 ms after s"),
        ({"s": RECEIVED + 3_600_001, "e": None}, "1.0 h after it was received"),
        ({"sym": "A" * 101}, "length <= 100"),
        ({"dv": "NaN"}, "dv is 'NaN'"),
        ({"dv": 4989.25}, "dv is 4989.25, not a volume"),
        ({"dv": "-1"}, "dv is '-1'"),
        ({"dv": "many"}, "dv is 'many'"),
        ({"sym": None}, "no symbol"),
    ],
)
def test_what_the_table_would_refuse_is_unreadable(changes: Any, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        _clean(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"o": -37.63, "l": -40.32, "vw": -30.1},  # crude oil on 2020-04-20
        {"e": 1795444200000},  # as the vendor's example of indices has it
        {"e": 1795444260000},  # and that of XAS
        {"s": RECEIVED + 3_600_000, "e": None},
        {"s": 1005000000000, "e": None},
        {"v": 0, "z": 0},
        {"dv": "0", "dav": "0"},
        {"sym": "A" * 100},
        {"o": 999_999_999_999_999_872.0, "c": -999_999_999_999_999_872.0},
        {"s": 946_684_800_000, "e": None},  # the first instant of the century
    ],
)
def test_what_is_unusual_passes(changes: Any) -> None:
    jsonschema.validate(msgspec.to_builtins(_clean(**changes)), _schema())


@pytest.mark.parametrize("edge_ms", [946_684_800_000, 4_102_444_800_000])
def test_the_first_and_the_last_instant_are_instants(edge_ms: int) -> None:
    bar = read(json.dumps({**BAR, "s": edge_ms, "e": edge_ms}).encode())
    assert isinstance(bar, Bar)
    record = clean(bar, "stocks", edge_ms, healed=True)
    assert record.window_start == record.window_end == record.received_at
    assert record.healed


@pytest.mark.parametrize(
    "received_ms", [-1, 0, 1795444201, 946_684_799_999, 4_102_444_800_001, 10**17]
)
def test_a_record_that_does_not_say_when_it_was_received_is_unreadable(received_ms: int) -> None:
    bar = read(json.dumps(BAR).encode())
    assert isinstance(bar, Bar)
    with pytest.raises(Unreadable, match="does not say when it was received"):
        clean(bar, "stocks", received_ms, healed=False)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b'{"ev":"T","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "recursion"),
        (b'{"ev":"A","s":"x","sym":"\xff"}', "not a bar"),
        (b'{"ev":"\xff"}', "not UTF-8"),
        (b'{"ev":"A","sym":"\\ud800"}', "not an event: half of a surrogate pair"),
        (b'{"ev":"A","s":' + b"9" * 100_000 + b"}", "not a bar"),
    ],
)
def test_what_no_decoder_takes_is_unreadable_in_few_words(value: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason) as caught:
        read(value)
    assert len(str(caught.value)) <= 500


@pytest.mark.parametrize("value", [None, b"", b"[]", b"7", b'{"sym":"A"}', b"\xff", b'{"ev":1}'])
def test_what_is_no_event_is_unreadable(value: bytes | None) -> None:
    with pytest.raises(Unreadable):
        read(value)


@pytest.mark.parametrize("event", ['{"ev":"LULD","T":"A","s":5}', '{"ev":"NEW"}'])
def test_other_events_are_left_alone(event: str) -> None:
    assert read(event.encode()) is None


@pytest.mark.parametrize("market", ["futures", "futures/cme"])
@pytest.mark.parametrize("dav", ["5", "5."])
def test_the_value_traded_of_futures_is_not_their_volume(market: str, dav: str) -> None:
    event = {
        "ev": "AM", "sym": "ESZ6", "v": 12, "dv": 72624, "n": 7, "o": 6052, "c": 6052.25,
        "h": 6052.5, "l": 6051.75, "s": BAR["s"], "e": BAR["s"],
    }  # fmt: skip
    bar = read(json.dumps(event).encode())
    assert isinstance(bar, Bar)
    assert clean(bar, market, RECEIVED, healed=False).volume == 12
    bar.dav = dav
    record = clean(bar, market, RECEIVED, healed=False)
    assert (record.volume, record.accumulated_volume) == (12, 5)
    with pytest.raises(Unreadable, match="dv is 72624, not a volume"):
        clean(bar, "stocks", RECEIVED, healed=False)


def test_no_volume_is_a_volume_however_it_is_spelt() -> None:
    record = _clean(dv="0.", dav="0.")
    assert (record.volume, record.accumulated_volume) == (0, 0)

import json
from importlib.resources import files
from typing import Any

import jsonschema
import msgspec
import pytest

from polygon_streaming.clean import Record, Unreadable, clean, read

BAR = {
    "ev": "A", "sym": "BRK.B", "v": 4989, "dv": "4989.25", "av": 4332125, "dav": "4332125.038360",
    "op": 500.1, "vw": 501.25, "o": 501, "c": 501.5, "h": 502, "l": 500.5, "a": 500.9, "z": 12.0,
    "otc": True, "s": 1795444200000, "e": 1795444201000, "unknown": {"x": [1]},
}  # fmt: skip
RECEIVED = 1795444201234


def _clean(**changes: Any) -> Record:
    event = {k: v for k, v in {**BAR, **changes}.items() if v is not None}
    bar = read(json.dumps(event).encode())
    assert bar is not None
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


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"s": 1795444200}, "not in milliseconds"),
        ({"s": 1795444200000000000}, "not in milliseconds"),
        ({"s": "1795444200000"}, "not a bar: Expected `int | float`"),
        ({"o": None}, "missing required field `o`"),
        ({"c": "12"}, "Expected `float`"),
        ({"o": 1e308, "c": 1e308}, "too large"),
        ({"dv": "NaN"}, "dv is 'NaN'"),
        ({"dv": "-1"}, "dv is '-1'"),
        ({"dv": "many"}, "dv is 'many'"),
        ({"sym": None}, "no symbol"),
    ],
)
def test_what_the_table_would_refuse_is_unreadable(changes: Any, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        _clean(**changes)


@pytest.mark.parametrize("value", [None, b"", b"[]", b"7", b'{"sym":"A"}', b"\xff", b'{"ev":1}'])
def test_what_is_no_event_is_unreadable(value: bytes | None) -> None:
    with pytest.raises(Unreadable):
        read(value)


@pytest.mark.parametrize("event", ['{"ev":"T","sym":"A","p":1,"s":5}', '{"ev":"NEW"}'])
def test_other_events_are_left_alone(event: str) -> None:
    assert read(event.encode()) is None

"""Records as the filter produces them, from events as the vendor sends them."""

import json
from typing import Any

import msgspec
from polygon_streaming.filter.bars import Bar
from polygon_streaming.filter.events import read
from polygon_streaming.filter.records import clean

_START_MS = 1_793_629_800_000  # 2026-11-02 14:30:00 UTC


def events(count: int) -> list[dict[str, Any]]:
    """Return events of many kinds: all fields, few fields, fractions, other markets."""
    made = []
    for number in range(count):
        start = _START_MS + 1000 * number + number % 3
        price = round(100 + number / 7, 4)
        bar: dict[str, Any] = {
            "ev": "A", "sym": f"SYM{number % 50}", "v": number, "o": price, "c": price + 0.01,
            "h": price + 1, "l": price - 1, "s": start, "e": start + 1000,
        }  # fmt: skip
        if number % 2:
            bar |= {"av": 10 * number, "op": 99.5, "vw": price, "a": price, "z": 7, "otc": True}
            bar |= {"dv": f"{number}.123456789", "dav": f"{10 * number}.5"}
        if number % 5 == 0:
            bar = {**bar, "ev": "XAS", "pair": "BTC-USD"}
            del bar["sym"]
        made.append(bar)
    return made


def values(count: int) -> list[tuple[str, bytes]]:
    """Return keys and values of the filtered topic, byte for byte."""
    encode = msgspec.json.Encoder().encode
    made = []
    for number, event in enumerate(events(count)):
        bar = read(json.dumps(event).encode())
        assert isinstance(bar, Bar)
        market = "crypto" if event["ev"] == "XAS" else "stocks"
        record = clean(bar, market, _START_MS + 1000 * number + 250, healed=number % 11 == 0)
        made.append((record.symbol, encode(record)))
    return made


def as_row(value: bytes) -> dict[str, Any]:
    """Return a record as ClickHouse prints the row that must come of it."""
    return {name: _number(content) for name, content in json.loads(value).items()}


def _number(content: Any) -> Any:
    return float(content) if type(content) is int else content

"""Whatever lies on a topic becomes a record, nothing or a dead letter, and stops no stage."""

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polygon_streaming.channels import AGGREGATE_SECONDS, QUOTES, TRADES
from polygon_streaming.gaps.gap import Gap, check, decode
from polygon_streaming.stamps import EARLIEST_MS, LATEST_MS

from unit_tests.streaming.fake_consumer import FakeMessage
from unit_tests.streaming.filter_stage import stage_of

NOW = 1795444200000
FILTERED = "custom_filtered_stock_data_topic"
# The topics of clean records, and the schema of each.
TOPICS = {
    FILTERED: "record",
    "custom_filtered_trades_topic": "trade",
    "custom_filtered_quotes_topic": "quote",
}

_odd_numbers = st.one_of(
    st.integers(),
    st.integers(-(10**40), 10**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, -1, -0.0, 1e18, 1e308, 5e-324, 2**63, 2**64, 10**400, -(2**63)]),
)
_stamps = st.one_of(
    _odd_numbers,
    st.integers(NOW - 10**8, NOW + 10**8),
    st.sampled_from([1, 1000, 10**6]).map(lambda unit: NOW // 1000 * unit),
    st.integers(EARLIEST_MS, LATEST_MS),
)
_texts = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["AAPL", "BRK.B", "\ud800", "\x00", "x" * 101, "1e5", "-1", "NaN", "12.5"]),
)
_json = st.recursive(
    st.none() | st.booleans() | _odd_numbers | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)
_fields = {
    "ev": st.sampled_from([*AGGREGATE_SECONDS, *TRADES, *QUOTES, "status"]) | _json,
    "sym": _texts | _json,
    "pair": _texts | _json,
    "s": _stamps | _json,
    "e": _stamps | _json,
    **dict.fromkeys(("v", "av", "o", "h", "l", "c", "vw", "op", "a", "z"), _odd_numbers | _json),
    "dv": _texts | _json,
    "dav": _texts | _json,
    "otc": _json,
}
# Those of trades and quotes; some names of theirs are of bars as well.
_tick_fields = {
    "ev": _fields["ev"],
    **dict.fromkeys(("sym", "pair", "ds", "i"), _texts | _json),
    **dict.fromkeys(("t", "trft", "r", "bt", "at", "participant_timestamp"), _stamps | _json),
    **dict.fromkeys(
        ("p", "s", "x", "z", "q", "trfi", "bp", "bs", "bx", "ap", "as", "ax", "a", "b"),
        _odd_numbers | _json,
    ),
    "c": st.lists(_odd_numbers, max_size=2) | _json,
}
_good_ticks: list[dict[str, Any]] = [
    {"ev": "T", "sym": "AAPL", "p": 1, "s": 1, "t": NOW},
    {"ev": "Q", "sym": "AAPL", "bp": 1, "bs": 1, "ap": 2, "as": 1, "t": NOW},
    {"ev": "C", "p": "EUR/USD", "a": 1, "b": 1, "t": NOW},
]
_events = st.one_of(
    _json,
    st.fixed_dictionaries({}, optional=_fields),
    # A good bar, of which a few fields are anything.
    st.fixed_dictionaries({}, optional=_fields).map(
        lambda odd: {
            "ev": "A", "sym": "AAPL", "v": 5, "av": 50, "o": 1, "h": 1, "l": 1, "c": 1, "s": NOW,
            **dict(list(odd.items())[:2]),
        }
    ),
    st.builds(
        lambda good, odd: {**good, **dict(list(odd.items())[:2])},
        st.sampled_from(_good_ticks),
        st.fixed_dictionaries({}, optional=_tick_fields),
    ),
)  # fmt: skip
_values = st.one_of(
    st.none(), st.binary(max_size=20), _events.map(lambda event: json.dumps(event).encode())
)
_texts_of_headers = [b"stocks", b"stocks/c0ffee", "/", b"x" * 101, b"x" * 101 + b"/"]
_header = st.none() | st.binary(max_size=5) | st.sampled_from(_texts_of_headers)
_headers = st.none() | st.lists(
    st.tuples(st.sampled_from(["origin", "market", "connection", "healed", "lost", ""]), _header),
    max_size=4,
)
_messages = st.builds(
    FakeMessage,
    content=_values,
    place=st.just(0),
    sent=_headers,
    received_ms=st.sampled_from([-1, 0, 10**17, -(2**63)]) | st.integers(NOW - 5000, NOW + 5000),
    marked=st.none() | st.binary(max_size=4),
    headers_fail=st.booleans(),
)


@given(st.lists(_messages, max_size=6))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_record_ends_as_record_drop_or_dead_letter(messages: list[FakeMessage]) -> None:
    stage, producer, _, stop = stage_of([messages, []], dead_letter_limit=0)
    counts = _outcomes()
    stage.run(stop)
    kept, dropped, dead = (now - before for now, before in zip(_outcomes(), counts, strict=True))
    assert kept + dropped + dead == len(messages)
    assert sum(len(producer.of(topic)) for topic in TOPICS) == kept
    assert len(producer.of("polygon_stream_dead_letter")) == dead
    for topic, name in TOPICS.items():
        for record in producer.of(topic):
            value = msgspec.json.decode(record.value)
            jsonschema.validate(value, _SCHEMAS[name])
            assert record.key == value["symbol"]
    for record in producer.of("polygon_stream_gaps"):
        gap = decode(record.value)
        assert 0 <= gap.end_ms - gap.start_ms <= 86_400_000


_SCHEMAS = {
    name: json.loads((files("polygon_streaming") / "schemas" / f"{name}.json").read_text())
    for name in TOPICS.values()
}


def _outcomes() -> list[float]:
    from polygon_streaming.process import metrics

    return [
        metrics.FILTER.get_sample_value("polygon_filter_records_total", {"outcome": outcome}) or 0.0
        for outcome in ("kept", "dropped", "dead_lettered")
    ]


_INSERT = """
import json, sys
from polygon_streaming.sink.clickhouse import connect, table_statement
from polygon_streaming.sink.sink import INSERT_SETTINGS
client = connect("chdb:" + sys.argv[1], "")
for line in sys.stdin.buffer.read().split(b"\\n\\n"):
    kind, _, rows = line.partition(b"\\n")
    client.command(table_statement(kind.decode(), kind.decode()))
    client.raw_insert(kind.decode(), insert_block=rows, fmt="JSONEachRow",
                      settings=INSERT_SETTINGS)
    print(client.command(f"SELECT count() FROM {kind.decode()}"))
"""


@pytest.fixture(scope="module")
def records() -> dict[str, list[bytes]]:
    """What the filter lets through of any events, by topic: many of them, some at each edge."""
    found: dict[str, list[bytes]] = {topic: [] for topic in TOPICS}

    @given(st.lists(st.builds(FakeMessage, content=_edges, place=st.just(0)), min_size=10,
                    max_size=30))  # fmt: skip
    @settings(max_examples=60, deadline=None, database=None)
    def collect(messages: list[FakeMessage]) -> None:
        _note(messages)

    def _note(messages: list[FakeMessage]) -> None:
        stage, producer, _, stop = stage_of([messages, []], dead_letter_limit=0)
        stage.run(stop)
        for topic, values in found.items():
            values.extend(record.value for record in producer.of(topic))

    collect()
    _note([FakeMessage(_month(number), 0) for number in range(200)])
    return found


def _month(number: int) -> bytes:
    start = EARLIEST_MS + number * 32 * 86_400_000
    return f'{{"ev":"A","sym":"AAPL","v":1,"o":1,"h":1,"l":1,"c":1,"s":{start}}}'.encode()


_prices = st.floats(-1e18, 1e18, exclude_min=True, exclude_max=True) | st.integers(
    -(10**17), 10**17
)
_sizes = st.floats(0, 1e18, exclude_max=True) | st.integers(0, 10**17)
_name = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100)
_times = st.integers(EARLIEST_MS, NOW) | st.sampled_from([EARLIEST_MS, NOW + 3_600_000])
_exact = st.decimals(0, 10**17, places=6).map(str)
_codes = st.integers(0, 2**31 - 1)
_edges = st.one_of(
    st.fixed_dictionaries(
        {
            "ev": st.sampled_from(list(AGGREGATE_SECONDS)), "sym": _name, "s": _times,
            **dict.fromkeys(("o", "h", "l", "c"), _prices),
        },
        optional={
            **{name: st.none() | _prices for name in ("vw", "op", "a")},
            **{name: st.none() | _sizes for name in ("v", "av", "z")},
            "dv": st.none() | _exact,
            "otc": st.none() | st.booleans(),
        },
    ),
    st.fixed_dictionaries(
        {"ev": st.sampled_from(TRADES), "sym": _name, "p": _prices, "t": _times,
         "s": st.integers(0, 10**17) | st.sampled_from([0.1, 1e-17, 999999999999999999])},
        optional={
            "ds": _exact | st.sampled_from(["999999999999999999.999999999999999999", "1E-18"]),
            "q": st.sampled_from([0, 2**63 - 1]), "i": _name, "c": st.lists(_codes, max_size=4),
            **dict.fromkeys(("x", "z", "trfi", "correction"), _codes),
            **dict.fromkeys(("trft", "r", "participant_timestamp"), _times),
        },
    ),
    st.fixed_dictionaries(
        {"ev": st.sampled_from(["Q", "XQ"]), "sym": _name, "t": _times},
        optional={
            **dict.fromkeys(("bp", "ap"), _prices), **dict.fromkeys(("bs", "as"), _exact),
            **dict.fromkeys(("bx", "ax", "x", "z", "c"), _codes), "q": st.just(2**63 - 1),
            **dict.fromkeys(("bt", "at"), _times),
        },
    ),
).map(lambda event: json.dumps(event).encode())  # fmt: skip


def test_the_tables_take_whatever_the_filter_lets_through(
    records: dict[str, list[bytes]], tmp_path: Path
) -> None:
    blocks = []
    for (topic, schema), kind in zip(TOPICS.items(), ("bars", "trades", "quotes"), strict=True):
        assert len(records[topic]) > 50
        for record in records[topic]:
            jsonschema.validate(msgspec.json.decode(record), _SCHEMAS[schema])
        blocks.append(b"\n".join([kind.encode(), *records[topic]]))
    done = subprocess.run(
        [sys.executable, "-c", _INSERT, str(tmp_path / "db")],
        input=b"\n\n".join(blocks), capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    bars, trades, quotes = map(int, done.stdout.split())
    # Of bars with one key the table keeps one.
    keys = ("event_type", "market", "symbol", "window_start")
    rows = [msgspec.json.decode(record) for record in records[FILTERED]]
    assert bars == len({tuple(row[key] for key in keys) for row in rows})
    assert 20 < trades <= len(records["custom_filtered_trades_topic"])
    assert 20 < quotes <= len(records["custom_filtered_quotes_topic"])


_gap_fields = {
    "market": _texts | _json,
    "from": st.sampled_from(
        ["2026-11-23 14:20:00.000", "0001-01-01 00:00:00.000", "9999-12-31 23:59:59.999"]
    )
    | _texts
    | _json,
    "to": st.sampled_from(["2026-11-23 14:30:00.000", "2026-11-23 14:30:00"]) | _json,
    "reason": _texts | _json,
    "certain": st.booleans() | _json,
    "subscriptions": st.lists(_texts, max_size=2) | _json,
    "feed": _texts | _json,
}  # fmt: skip


@given(
    st.binary(max_size=20)
    | (st.fixed_dictionaries(_gap_fields) | _json).map(lambda gap: json.dumps(gap).encode())
)
@settings(max_examples=300, deadline=None)
def test_any_value_is_a_gap_or_refused(value: bytes) -> None:
    try:
        gap = decode(value)
        check(gap, NOW)
    except ValueError:
        return
    assert isinstance(gap, Gap)
    assert EARLIEST_MS <= gap.start_ms <= gap.end_ms <= NOW + 86_400_000
    assert decode(gap.encode()) == gap

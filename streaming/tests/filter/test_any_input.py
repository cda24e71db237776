"""Whatever lies on a topic becomes a record, nothing or a dead letter, and stops no stage."""

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import jsonschema
import msgspec
import pytest
from filter_stage import FakeMessage, stage_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polygon_streaming.channels import AGGREGATE_SECONDS
from polygon_streaming.gaps.gap import Gap, check, decode
from polygon_streaming.stamps import EARLIEST_MS, LATEST_MS

NOW = 1795444200000
FILTERED = "custom_filtered_stock_data_topic"

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
    "ev": st.sampled_from([*AGGREGATE_SECONDS, "T", "status"]) | _json,
    "sym": _texts | _json,
    "pair": _texts | _json,
    "s": _stamps | _json,
    "e": _stamps | _json,
    **dict.fromkeys(("v", "av", "o", "h", "l", "c", "vw", "op", "a", "z"), _odd_numbers | _json),
    "dv": _texts | _json,
    "dav": _texts | _json,
    "otc": _json,
}
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
)  # fmt: skip
_values = st.one_of(
    st.none(), st.binary(max_size=20), _events.map(lambda event: json.dumps(event).encode())
)
_header = st.none() | st.binary(max_size=5) | st.sampled_from([b"stocks", "crypto", b"x" * 101])
_headers = st.none() | st.lists(
    st.tuples(st.sampled_from(["market", "connection", "healed", "", "received_at"]), _header),
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

_out: list[bytes] = []


@given(st.lists(_messages, max_size=6))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_record_ends_as_record_drop_or_dead_letter(messages: list[FakeMessage]) -> None:
    stage, producer, _, stop = stage_of([messages, []], dead_letter_limit=0)
    counts = _outcomes()
    stage.run(stop)
    kept, dropped, dead = (now - before for now, before in zip(_outcomes(), counts, strict=True))
    assert kept + dropped + dead == len(messages)
    records = producer.of(FILTERED)
    assert len(records) == kept
    assert len(producer.of("polygon_stream_dead_letter")) == dead
    for record in records:
        value = msgspec.json.decode(record.value)
        jsonschema.validate(value, _SCHEMA)
        assert record.key == value["symbol"]
        _out.append(record.value)
    for record in producer.of("polygon_stream_gaps"):
        gap = decode(record.value)
        assert 0 <= gap.end_ms - gap.start_ms <= 86_400_000


_SCHEMA = json.loads((files("polygon_streaming") / "schemas" / "record.json").read_text())


def _outcomes() -> list[float]:
    from polygon_streaming.process import metrics

    return [
        metrics.filtered.labels(outcome)._value.get()
        for outcome in ("kept", "dropped", "dead_lettered")
    ]


_INSERT = """
import sys
from polygon_streaming.sink.clickhouse import connect, table_statement
from polygon_streaming.sink.sink import _INSERT_SETTINGS
client = connect("chdb:" + sys.argv[1], "")
client.command(table_statement("t"))
rows = sys.stdin.buffer.read()
client.raw_insert("t", insert_block=rows, fmt="JSONEachRow", settings=_INSERT_SETTINGS)
print(client.command("SELECT count() FROM t"))
"""


@pytest.fixture(scope="module")
def records() -> list[bytes]:
    """What the filter lets through of any bars: many of them, some at each edge."""
    found: list[bytes] = []

    @given(
        st.lists(st.builds(FakeMessage, content=_edges, place=st.just(0)), min_size=10, max_size=30)
    )
    @settings(max_examples=60, deadline=None, database=None)
    def collect(messages: list[FakeMessage]) -> None:
        stage, producer, _, stop = stage_of([messages, []], dead_letter_limit=0)
        stage.run(stop)
        found.extend(record.value for record in producer.of(FILTERED))

    collect()
    months = [FakeMessage(_month(number), 0) for number in range(200)]
    stage, producer, _, stop = stage_of([months, []])
    stage.run(stop)
    found.extend(record.value for record in producer.of(FILTERED))
    return found


def _month(number: int) -> bytes:
    start = EARLIEST_MS + number * 32 * 86_400_000
    return f'{{"ev":"A","sym":"AAPL","v":1,"o":1,"h":1,"l":1,"c":1,"s":{start}}}'.encode()


_prices = st.floats(-1e18, 1e18, exclude_min=True, exclude_max=True) | st.integers(
    -(10**17), 10**17
)
_sizes = st.floats(0, 1e18, exclude_max=True) | st.integers(0, 10**17)
_edges = st.fixed_dictionaries(
    {
        "ev": st.sampled_from(list(AGGREGATE_SECONDS)),
        "sym": st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100),
        "s": st.integers(EARLIEST_MS, NOW) | st.sampled_from([EARLIEST_MS, NOW + 3_600_000]),
        **dict.fromkeys(("o", "h", "l", "c"), _prices),
    },
    optional={
        **{name: st.none() | _prices for name in ("vw", "op", "a")},
        **{name: st.none() | _sizes for name in ("v", "av", "z")},
        "dv": st.none() | st.decimals(0, 10**17, places=6).map(str),
        "otc": st.none() | st.booleans(),
    },
).map(lambda bar: json.dumps(bar).encode())  # fmt: skip


def test_the_table_takes_whatever_the_filter_lets_through(
    records: list[bytes], tmp_path: Path
) -> None:
    assert len(records) > 500
    for record in records:
        jsonschema.validate(msgspec.json.decode(record), _SCHEMA)
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _INSERT, str(tmp_path / "db")],
        input=b"\n".join(records), capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    # Of bars with one key the table keeps one.
    keys = ("event_type", "market", "symbol", "window_start")
    rows = [msgspec.json.decode(record) for record in records]
    assert int(done.stdout) == len({tuple(row[key] for key in keys) for row in rows})


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

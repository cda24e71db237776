"""From the lines of a flat file to records: nothing changed, nothing passed unjudged, and fast."""

import csv
import gzip
import io
import json
import tracemalloc
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from source_polygon.streams.flat import by_row, compiled
from source_polygon.streams.flat.kept import Kept
from source_polygon.streams.flat.layout import Kind, Layout
from source_polygon.vendor.unpacked import BrokenFile, lines

from unit_tests.connector.flat.lines import (
    BARS,
    FACTS,
    NANO,
    SCHEMA,
    START,
    TRADES,
    texts,
    writer,
)


@pytest.fixture(params=["compiled", "python"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test with compiled code and with Python alone."""
    if request.param == "python":
        monkeypatch.setattr(compiled, "SPEEDUPS", None)
    elif compiled.SPEEDUPS is None:
        pytest.skip("There was no compiler when this was installed.")


@pytest.fixture
def row_by_row(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return the blocks that were not read at once."""
    seen: list[bytes] = []
    slow = by_row.records

    def noted(block: bytes, *rest: Any) -> Any:
        seen.append(block)
        return slow(block, *rest)

    monkeypatch.setattr(by_row, "records", noted)
    return seen


def test_a_bar_leaves_as_it_is_written() -> None:
    block = f"AAPL,4930,200.290,1.5e-05,{NANO},129\nBRK.A,0,1,2,{START}000000000,1\n"
    assert texts(writer(BARS, numbered=False).records(block.encode(), 1)) == [
        b'{"asset_class":"stocks","file_date":"2026-11-24",'
        b'"file_modified_utc":"2026-11-25T16:00:05Z","ticker":"AAPL","volume":4930,'
        b'"open":200.290,"close":1.5e-05,"window_start":1795521600123456789,'
        b'"window_start_utc":"2026-11-24T12:00:00.123456789Z","transactions":129}',
        b'{"asset_class":"stocks","file_date":"2026-11-24",'
        b'"file_modified_utc":"2026-11-25T16:00:05Z","ticker":"BRK.A","volume":0,'
        b'"open":1,"close":2,"window_start":1795521600000000000,'
        b'"window_start_utc":"2026-11-24T12:00:00.000000000Z","transactions":1}',
    ]


def test_a_number_that_is_missing_is_left_out_of_a_single_row_too() -> None:
    (text,) = texts(writer(BARS, numbered=False).records(f"A,1,2,3,{NANO},\n".encode(), 1))
    assert text.endswith(b'"window_start_utc":"2026-11-24T12:00:00.123456789Z"}')


def test_what_is_missing_is_left_out_where_symbols_are_picked_out_too() -> None:
    block = f"B,,4,,1,{NANO},2,\nA,,4,,1,{NANO},2,\n".encode()
    (row,) = writer(TRADES, wanted={"A"}.__contains__).records(block, 1)
    assert {"conditions", "id", "venue"}.isdisjoint(row)
    assert (row["file_row"], row["exchange"], row["size"]) == (2, 4, 2)


def test_a_trade_has_its_row_its_conditions_as_numbers_and_what_is_not_known_as_text(
    row_by_row: list[bytes],
) -> None:
    block = (
        f'A,"12,37",4,0071,10.00,{NANO},0.5,007\nB,14,,x y,1,{NANO + 1},3,\nB,,9,,1,{NANO},2,v\n'
    )
    rows = list(writer(TRADES).records(block.encode(), 41))
    assert not row_by_row
    shared = {"asset_class": "stocks", "file_date": "2026-11-24"}
    shared["file_modified_utc"] = "2026-11-25T16:00:05Z"
    first, second, third = ({k: v for k, v in row.items() if k not in shared} for row in rows)
    stamp = "2026-11-24T12:00:00.12345678"
    assert all(shared.items() <= row.items() for row in rows)
    assert first == {
        "ticker": "A", "file_row": 41, "conditions": [12, 37], "exchange": 4, "id": "0071",
        "price": 10.0, "sip_timestamp": NANO, "timestamp_utc": f"{stamp}9Z", "size": 0.5,
        "venue": "007",
    }  # fmt: skip
    assert second == {
        "ticker": "B", "file_row": 42, "conditions": [14], "id": "x y", "price": 1,
        "sip_timestamp": NANO + 1, "timestamp_utc": "2026-11-24T12:00:00.123456790Z", "size": 3,
    }  # fmt: skip
    assert third == {
        "ticker": "B", "file_row": 43, "exchange": 9, "price": 1, "sip_timestamp": NANO,
        "timestamp_utc": f"{stamp}9Z", "size": 2, "venue": "v",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (".5", "0.5"),
        ("5.", "5"),
        ("+5", "5"),
        ("007.50", "7.50"),
        ("-0.10", "-0.10"),
        ("1E3", "1E3"),
        ("1e0005", "1e0005"),
    ],
)
def test_a_number_in_another_form_is_written_as_json_has_it(written: str, value: str) -> None:
    block = f"A,1,{written},2,{NANO},3\n"
    (text,) = texts(writer(BARS, numbered=False).records(block.encode(), 1))
    assert f'"open":{value},'.encode() in text
    assert json.loads(text, parse_float=Decimal)["open"] == Decimal(written)


GOOD = f"A,1,2,3,{NANO},4\n"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"A,1,2,3,{NANO}\n", "has 5 values for 6 columns"),
        (f"A,1,2,3,{NANO},4,5\nA,1,2,3,{NANO}\n", "row 3 has 7 values"),
        ("\n", "has 0 values"),
        (f"A,1,2,x,{NANO},4\n", "'x' for close, which is not a number"),
        (f"A,1,2,1.2.3,{NANO},4\n", "'1.2.3' for close"),
        (f"A,1,2,NaN,{NANO},4\n", "'NaN' for close"),
        (f"A,1,2,-inf,{NANO},4\n", "'-inf' for close"),
        (f"A,1,2,null,{NANO},4\n", "'null' for close"),
        (f"A,1,[2,3],{NANO},4\n", "'\\[2' for open"),
        (f"A,1,2,1e999,{NANO},4\n", "'1e999' for close"),
        (f"A,1,2,-1e-305,{NANO},4\n", "'-1e-305' for close"),
        (f"A,1,2,{'9' * 400},{NANO},4\n", "'9{40}' for close"),
        (f"A,1,2,3,{NANO},{'9' * 400}\n", "'9{40}' for transactions"),
        (f"A,1,2,1_0,{NANO},4\n", "'1_0' for close"),
        (f"A,1,2, 3,{NANO},4\n", "' 3' for close"),
        (f"A,1,2,3,{NANO},4\r\n" * 2 + f"A,1,2,3\r,{NANO},4\n", "after row|row"),
        (f"A,1,2,3,{NANO},4.5\n", "'4.5' for transactions, which is not a whole number"),
        (f"A,1,2,3,{NANO},0x4\n", "'0x4' for transactions"),
        ("A,1,2,3,1795521600,4\n", "'1795521600' for window_start, which is not a time"),
        ("A,1,2,3,,4\n", "'' for window_start"),
        (f"A,1,2,3,1.{NANO},4\n", "for window_start, which is not a whole number"),
        (f",1,2,3,{NANO},4\n", "has no ticker"),
        (f'"A,1,2,3,{NANO},4\n', "quotes are wrong"),
        (f'A"B"x,1,2,"3"x,{NANO},4\n', "quotes are wrong"),
        (f"A\x02,1,2,3\x1f,{NANO},4\n", "for close"),
    ],
)
def test_a_row_that_is_not_in_order_is_refused_by_name(line: str, words: str) -> None:
    block = (GOOD * 2 + line + GOOD * 2).encode()
    with pytest.raises(BrokenFile, match=words):
        writer(BARS, numbered=False).records(block, 1)


def test_a_block_that_is_not_text_is_refused() -> None:
    with pytest.raises(BrokenFile, match="not text, after row 7"):
        writer(BARS).records(GOOD.encode() + b"\xff,1,2,3,4,5\n", 7)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("symbol,open,window_start", "names no ticker"),
        ("ticker,open", "names no time"),
        ("ticker,open,open,window_start", "twice"),
        ("ticker,,window_start", "not at all"),
        ("ticker,file_date,window_start", "file_date has the name of a field"),
        ("ticker,window_start,window_start_utc", "window_start_utc has the name of a field"),
        ("<!DOCTYPE html>", "names no ticker"),
    ],
)
def test_another_header_is_refused(header: str, words: str) -> None:
    with pytest.raises(BrokenFile, match=words):
        Layout.of(header.encode(), SCHEMA)


def test_columns_are_found_by_name_in_any_order() -> None:
    layout = Layout.of(b'\xef\xbb\xbf"window_start",close,ticker,new\r\n', SCHEMA)
    assert layout.names == ("window_start", "close", "ticker", "new")
    assert layout.kinds == (Kind.INTEGER, Kind.DECIMAL, Kind.TEXT, Kind.TEXT)
    assert layout.unknown(SCHEMA) == ["new"]


def test_symbols_are_picked_out_and_rows_keep_their_number(row_by_row: list[bytes]) -> None:
    block = "".join(f"{name},1,4,9,1,{NANO},2,v\n" for name in "ABAC").encode()
    picked = writer(TRADES, wanted={"A"}.__contains__).records(block, 1)
    assert [(row["ticker"], row["file_row"]) for row in picked] == [("A", 1), ("A", 3)]
    none = writer(TRADES, wanted=lambda _: False).records(block, 1)
    assert (len(none), texts(none)) == (0, [])
    assert not row_by_row
    with pytest.raises(BrokenFile, match="row 5 has 1 values"):
        writer(TRADES, wanted=lambda _: False).records(block + b"x\n", 1)


def test_what_is_kept_of_symbols_is_bounded() -> None:
    kept = Kept(bytes.lower, most=10)
    assert [kept[b"S%d" % n] for n in range(100)] == [b"s%d" % n for n in range(100)]
    assert len(kept) == 10


names = st.text("AZaz09.:-/ é\"\\,'", min_size=1, max_size=6)
numbers = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**6), max_value=10**12)
values = {
    "ticker": names,
    "conditions": st.lists(st.integers(0, 99), max_size=3).map(lambda c: ",".join(map(str, c))),
    "exchange": st.one_of(st.just(""), st.integers(-5, 400).map(str)),
    "id": st.one_of(st.just(""), names, st.integers(0).map(str)),
    "price": st.one_of(st.just(""), numbers.map(str)),
    "sip_timestamp": st.timedeltas(timedelta(0), timedelta(days=1)).map(
        lambda of: str(NANO + of // timedelta(microseconds=1) * 1_000)
    ),
    "size": st.one_of(st.just(""), st.integers(0, 10**15).map(str)),
    "venue": st.one_of(st.just(""), names),
}


@given(st.lists(st.fixed_dictionaries(values), max_size=8))
def test_blocks_at_once_and_row_by_row_are_one_and_what_csv_has(
    rows: list[dict[str, str]],
) -> None:
    out = io.StringIO()
    csv.DictWriter(out, TRADES.split(","), lineterminator="\n").writerows(rows)
    block = out.getvalue().encode()
    made = writer(TRADES)
    at_once = texts(made.records(block, 1))
    assert at_once == texts(by_row.records(block, made.layout, FACTS, 1, lambda _: True))
    assert len(at_once) == len(rows)
    for number, (text, row) in enumerate(zip(at_once, rows, strict=True), 1):
        found = json.loads(text, parse_float=Decimal)
        assert found["file_row"] == number
        assert found["ticker"] == row["ticker"]
        for name in ("id", "venue"):
            assert found.get(name, "") == row[name]
        for name in ("price", "size", "exchange", "sip_timestamp"):
            assert (name in found) == bool(row[name])
            if row[name]:
                assert found[name] == Decimal(row[name])
        conditions = [int(each) for each in row["conditions"].split(",") if each]
        assert found.get("conditions", []) == conditions
        moment = datetime.fromisoformat(found["timestamp_utc"][:19] + "+00:00")
        nanoseconds = int(moment.timestamp()) * 10**9 + int(found["timestamp_utc"][20:29])
        assert nanoseconds == int(row["sip_timestamp"])


def test_memory_does_not_grow_with_the_file() -> None:
    """Of ten times the rows, symbols and moments the peak is that of what is kept of symbols."""

    def peak(rows: int) -> int:
        made, first = writer(TRADES), 1
        packed = io.BytesIO()
        with gzip.open(packed, "wb", compresslevel=1) as file:
            for n in range(rows):
                file.write(b'S%d,"12,%d",4,%d,1.5,%d,2,v\n' % (n // 9, n % 50, n, NANO + n * 10**6))
        packed.seek(0)
        tracemalloc.start()
        try:
            for block in lines(iter(lambda: packed.read(1 << 16), b"")):
                records = made.records(block, first)
                first += len(records)
                texts(records)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    small, large = peak(9_000), peak(90_000)
    # What is kept of up to 20,000 symbols is a few megabytes.
    assert large < small + 5_000_000
    assert small < 60_000_000

"""Compiled code and Python alone: the same bytes, or the same error, of any lines whatever."""

import json
from datetime import datetime, timezone
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from source_polygon.streams.flat import compiled
from source_polygon.streams.flat.compiled import PlainBlocks
from source_polygon.streams.flat.layout import Layout
from source_polygon.vendor.lines import Messages
from source_polygon.vendor.unpacked import BrokenFile

from unit_tests.connector.flat.lines import (
    AFTER,
    BARS,
    BEFORE,
    FACTS,
    NANO,
    SCHEMA,
    TRADES,
    texts,
    writer,
)

pytestmark = pytest.mark.skipif(
    compiled.SPEEDUPS is None, reason="There was no compiler when this was installed."
)

LONG = "9" * 400
plain_cells = {
    "ticker": st.sampled_from(["A", "A", "AA", "BRK.A", "X:BTC-USD", "O:A261218C00100000"]),
    "conditions": st.sampled_from(["", "12", '"12,37"', '"-1,0,99999"', '"1,2,3,4,5,6,7,8"']),
    "id": st.sampled_from(["", "0071", "x y", "~!@#$%^&*()_+{}[]|:;'<>?/`"]),
    "decimal": st.sampled_from(["", "0", "-0", "1.50", "-0.10", "1e-05", "2.5E+3", "12345.678901"]),
    "integer": st.sampled_from(["", "0", "7", "-5", "18446744073709551616"]),
    "time": st.one_of(
        st.integers(10**17, 10**19 - 1).map(str),
        st.sampled_from([str(NANO), f"{NANO + 1}", "951782400000000000", "4107542399999999999"]),
    ),
}
# What Python is to judge: other forms, faults, and what is not what it seems.
hostile_cells = st.one_of(
    st.sampled_from(['"', '""', '"A"', '"a\nb"', 'a"b', '"12, 37"', '"12,,37"', '"12', '"12"x']),
    st.sampled_from(["-", "+5", ".5", "5.", "007", "-0", "-01", "1.2.3", "1E", "1e", "--1", "4.0"]),
    st.sampled_from(["1e999", "1e5000", "0e-123", "1e0005", LONG, f"0.{LONG}", f"-{LONG}"]),
    st.sampled_from(["NaN", "null", "true", "1_0", " 3", "3 ", "0x4", "[1]", "{}", "a,b", ","]),
    st.sampled_from(["1795521600", "0" * 19, "9" * 20, f"1.{NANO}", "9" * 64, "9" * 65]),
    st.sampled_from(["\\", "\r", "\x00", "\x02", "\x1f", "\x7f", "\xe9", "\u2028", "\uff11", ""]),
    st.text(max_size=5),
)


def rows_of(header: str, cells: st.SearchStrategy[str] | None) -> st.SearchStrategy[list[str]]:
    kinds = {"ticker": "ticker", "conditions": "conditions", "id": "id", "venue": "id"}
    kinds |= dict.fromkeys(["window_start", "sip_timestamp"], "time")
    kinds |= dict.fromkeys(["exchange", "transactions"], "integer")
    plain = [plain_cells[kinds.get(name, "decimal")] for name in header.split(",")]
    return st.tuples(*(st.one_of(of, of, cells) if cells is not None else of for of in plain)).map(
        list
    )


def blocks(header: str, cells: st.SearchStrategy[str] | None) -> st.SearchStrategy[bytes]:
    return st.lists(rows_of(header, cells).map(",".join), max_size=6).map(
        lambda lines: "".join(f"{line}\n" for line in lines).encode(errors="surrogatepass")
    )


@st.composite
def mangled(draw: st.DrawFn, header: str) -> bytes:
    """A plain block of which some bytes are others, gone or doubled."""
    block = bytearray(draw(blocks(header, None)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(block)))
        size = draw(st.integers(0, 3))
        block[at : at + size] = draw(st.binary(max_size=3))
    return bytes(block) + b"\n" if block and not block.endswith(b"\n") else bytes(block)


def outcome(header: str, block: bytes, speedups: Any, **how: Any) -> tuple[list[bytes], str]:
    """Return the records, and what is wrong with the block."""
    with mock.patch.object(compiled, "SPEEDUPS", speedups):
        try:
            return texts(writer(header, **how).records(block, 41)), ""
        except BrokenFile as error:
            return [], str(error)


cases = st.sampled_from([BARS, TRADES]).flatmap(
    lambda header: st.tuples(
        st.just(header),
        st.one_of(blocks(header, None), blocks(header, hostile_cells), mangled(header)),
    )
)
how = st.fixed_dictionaries(
    {"numbered": st.booleans(), "wanted": st.sampled_from([None, {"A", "BRK.A"}.__contains__])}
)


@settings(max_examples=300)
@given(cases, how)
@example((BARS, f"A,1,2,3,{NANO},4\nA,1,2,3,{NANO},4\r\n".encode()), {"numbered": True})
@example((BARS, b'B,"\n",2,3,4,5\n'), {"wanted": {"A"}.__contains__})
@example((BARS, b"B,1,2\nA,1,2,3,4,5\n"), {"wanted": {"A"}.__contains__})
@example((BARS, b""), {})
def test_any_block_is_to_both_the_same(case: tuple[str, bytes], how: dict[str, Any]) -> None:
    header, block = case
    assert outcome(header, block, compiled.SPEEDUPS, **how) == outcome(header, block, None, **how)


@settings(max_examples=100)
@given(st.sampled_from([BARS, TRADES]).flatmap(lambda of: st.tuples(st.just(of), blocks(of, None))))
def test_what_is_plain_is_never_left_to_python(case: tuple[str, bytes]) -> None:
    header, block = case
    records = writer(header).records(block, 1)
    assert isinstance(records, Messages)
    assert records.rows == len(records) == block.count(b"\n")
    assert list(records) == [json.loads(text) for text in texts(records)]


@given(st.integers(10**8, 10**10 - 1))
@example(951_782_400)  # 29 February 2000
@example(4_107_542_399)  # the last second of February 2100, which is not a leap year
@example(9_999_999_999)
def test_a_time_is_the_calendars(seconds: int) -> None:
    (row,) = writer(BARS).records(b"A,1,2,3,%d000000007,4\n" % seconds, 1)
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    assert row["window_start_utc"] == f"{moment:%Y-%m-%dT%H:%M:%S}.000000007Z"


def test_rows_that_are_not_wanted_are_counted_and_not_written() -> None:
    block = "".join(f'{name},"1,2",9,1,,{NANO},2,"a,b"\n' for name in "BCB").encode()
    block += f"A,1,4,9,1,{NANO},2,v\n".encode()
    picked = writer(TRADES, wanted={"A"}.__contains__).records(block, 5)
    assert isinstance(picked, Messages)
    assert (picked.rows, [row["file_row"] for row in picked]) == (4, [8])


def plain_blocks(wanted: Any) -> PlainBlocks:
    layout = Layout.of(BARS.encode(), SCHEMA)
    return PlainBlocks(layout, FACTS, wanted, lambda: (BEFORE, AFTER))


def test_what_goes_wrong_while_a_symbol_is_judged_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        plain_blocks(lambda _: 1 // 0).messages(f"A,1,2,3,{NANO},4\n".encode(), 1)


@pytest.mark.parametrize("block", [b"A", b"A,1,2,3", f"A,1,2,3,{NANO},4".encode(), b"\0"])
def test_a_block_without_its_last_newline_is_not_read_past_its_end(block: bytes) -> None:
    assert plain_blocks(None).messages(block, 1) is None


@pytest.mark.parametrize(
    ("columns", "heads", "error"),
    [
        (((9, b""),), {b"A": b""}, ValueError),
        ((1,), {b"A": b""}, SystemError),
        ((), {b"A": "text"}, TypeError),
        ((), {}, KeyError),
    ],
)
def test_what_it_is_not_made_for_is_an_error(
    columns: Any, heads: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        compiled.SPEEDUPS.messages(b"A\n", columns, heads, b"", b"}\n", 0)


def test_names_may_be_long_and_columns_many() -> None:
    """Room is made for each row by what it may come to, not by what is usual."""
    names = [f"c{n}" + "x" * 5000 for n in range(200)]
    header = ",".join(["ticker", "window_start", *names])
    block = f"A,{NANO}{',v' * 200}\n".encode() * 50
    expected = outcome(header, block, None)
    assert outcome(header, block, compiled.SPEEDUPS) == expected
    assert len(expected[0]) == 50


def test_other_columns_first_are_left_to_python() -> None:
    records = writer("window_start,ticker").records(b"%d,A\n" % NANO, 1)
    assert not isinstance(records, Messages)
    assert texts(records)[0].endswith(b'Z"}')


def test_without_compiled_code_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    compiled.tell.cache_clear()
    with mock.patch.object(compiled, "SPEEDUPS", None), caplog.at_level("INFO", "airbyte"):
        writer(BARS)
        writer(BARS)
    assert caplog.text.count("read without compiled code") == 1
    compiled.tell.cache_clear()

"""A session leaves as written under other names, or bar by bar: with the same values."""

import json
from datetime import date
from typing import Any

import orjson
import pytest
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from hypothesis import given
from hypothesis import strategies as st
from source_polygon.streams.grouped_bars import grouped_bars
from source_polygon.vendor.answers import Data
from source_polygon.vendor.cut import Cut

DAY = date(2026, 11, 20)
END = 1_795_208_400_000  # that Friday, 16:00 in New York
BAR = {"T": "A", "o": 1.5, "h": 2, "l": 1, "c": 1.75, "v": 100, "vw": 1.6, "n": 3, "t": END}


def records(rows: Any, *, adjusted: bool = False) -> tuple[list[Any], bool]:
    """Return the records of a session, and whether they left as the vendor wrote them."""
    leaving = list(grouped_bars(Data(rows, {"adjusted": adjusted}), "stocks", DAY))
    if len(leaving) == 1 and isinstance(leaving[0], Cut):
        return list(leaving[0]), True
    return leaving, False


def text(*rows: object) -> bytes:
    return orjson.dumps(rows)


prices = st.one_of(st.floats(0, 1e9), st.integers(0, 10**12))
symbols = st.one_of(
    st.from_regex(r"[A-Z]{1,5}(\.[A-Z])?", fullmatch=True),
    st.sampled_from(["X:BTCUSD", "BRK A", "o", "t", "T", "otc", "Zürich"]),
    st.sampled_from(["}", '"', "a:b", "null", "\\\\"]),
)
rows = st.fixed_dictionaries(
    {"T": symbols, **dict.fromkeys("ohlcv", prices), "t": st.sampled_from([END, END - 60_000])},
    optional={"vw": prices, "n": st.integers(0, 10**9), "otc": st.booleans(), "x": prices},
)


@given(st.lists(rows, max_size=5), st.booleans(), st.sampled_from([(",", ":"), (", ", ": ")]))
def test_the_values_are_those_that_come_bar_by_bar(
    found: list[Any], adjusted: bool, separators: tuple[str, str]
) -> None:
    written = json.dumps(found, separators=separators, ensure_ascii=False).encode()
    cut, _ = records(Cut(written), adjusted=adjusted)
    plain, _ = records(orjson.loads(written), adjusted=adjusted)
    assert cut == plain


@pytest.mark.parametrize(
    "found",
    [
        [BAR],
        [BAR, {**BAR, "T": "B", "otc": True}, {**BAR, "T": "C", "otc": False}],
        [BAR, {**BAR, "T": "B", "t": END - 60_000}],
        [{name: BAR[name] for name in "Tohlcvt"}, {**BAR, "T": "o"}],
        [{"t": END, **BAR, "T": "Zürich"}],
        [{**BAR, "T": 'a"b{'}],
        [{**BAR, "x": {"o": 7}}],  # a field that the schema does not have
        [{**BAR, "o": "1.5", "n": {"o": 1}}],  # the types of numbers are the schema's business
        [],
    ],
)
def test_bars_in_order_leave_as_written(found: list[Any]) -> None:
    cut, as_written = records(Cut(text(*found)), adjusted=True)
    assert as_written
    assert cut == records(found, adjusted=True)[0]


def test_digits_stay() -> None:
    written = text(BAR).replace(b"1.5", b"1.50").replace(b"100", b"1.0e2")
    (leaving,) = grouped_bars(Data(Cut(written), {}), "stocks", DAY)
    assert isinstance(leaving, Cut)
    assert b'"open":1.50,' in bytes(leaving.text)
    assert b'"volume":1.0e2,' in bytes(leaving.text)


@pytest.mark.parametrize(
    "found",
    [
        [{**BAR, "vw": None}],
        [{**BAR, "o": None}],
        [BAR, {**BAR, "o": 9}],  # one symbol twice
        [{**BAR, "otc": 1}],
    ],
)
def test_all_else_goes_bar_by_bar(found: list[Any]) -> None:
    cut, as_written = records(Cut(text(*found)))
    assert not as_written
    assert cut == records(found)[0]


def test_bars_on_several_lines_leave_on_one() -> None:
    found = [{**BAR, "n": {"o": 1}}]
    cut, as_written = records(Cut(json.dumps(found, indent=1).encode()))
    assert (cut, as_written) == (records(found)[0], False)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({**BAR, "t": END // 1000}, "expected Unix milliseconds"),
        ({**BAR, "t": float(END)}, "expected Unix milliseconds"),
        ({**BAR, "t": True}, "expected Unix milliseconds"),
        ({name: BAR[name] for name in ("T", "o", "h", "l", "c", "t")}, "v is missing"),
        ({**BAR, "T": 5}, "has no symbol"),
    ],
)
def test_a_malformed_bar_is_named(row: Any, words: str) -> None:
    with pytest.raises(AirbyteTracedException) as error:
        records(Cut(text({**BAR, "T": "B"}, row)))
    assert words in str(error.value.message)


def test_a_name_that_comes_twice_is_not_renamed_in_one_and_missed_in_another() -> None:
    one, other = text(BAR)[1:-1], text({**BAR, "T": "B"})[1:-1]
    doubled = one.replace(b'"o":1.5', b'"o":1.5,"o":2.5') + b"," + other.replace(b'"o":1.5,', b"")
    with pytest.raises(AirbyteTracedException, match=r"\(B\) is malformed: o is missing"):
        records(Cut(b"[" + doubled + b"]"))

"""Any record on the gaps topic is a gap or is said not to be one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from polygon_streaming.channels import MARKETS
from polygon_streaming.gaps.gap import check, decode

from unit_tests.streaming.json_of_any_kind import JSON
from unit_tests.streaming.rest_look_alike import START

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

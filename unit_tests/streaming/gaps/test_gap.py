"""Any record on the gaps topic is a gap or is said not to be one."""

import json
from dataclasses import FrozenInstanceError, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from polygon_streaming.channels import MARKETS
from polygon_streaming.gaps.gap import Gap, check, decode
from polygon_streaming.stamps import EARLIEST_MS

from unit_tests.streaming.json_of_any_kind import JSON
from unit_tests.streaming.rest_look_alike import START

NOW = START + 1_234
DAY_MS = 86_400_000
GAP = Gap("stocks", START, START + 1, "disconnected", ["A.AAPL"], "stocks 1/1")

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


def test_a_gap_is_certain_unless_said_and_stays_as_it_is() -> None:
    assert GAP.certain
    with pytest.raises(FrozenInstanceError):
        GAP.end_ms = START  # type: ignore[misc]


def test_a_gap_comes_back_from_the_topic_as_it_went() -> None:
    unsure = replace(GAP, certain=False)
    assert [decode(gap.encode()) for gap in (GAP, unsure)] == [GAP, unsure]


def test_a_gap_at_another_time_is_later_by_so_many_milliseconds() -> None:
    later = GAP.later(timedelta(seconds=1, milliseconds=5))
    assert later == replace(GAP, start_ms=START + 1_005, end_ms=START + 1_006)


@pytest.mark.parametrize(
    ("names", "parts"), [(0, [0]), (1, [1]), (10_000, [10_000]), (10_001, [10_000, 1])]
)
def test_a_gap_has_a_part_for_each_ten_thousand_names_and_one_for_none(
    names: int, parts: list[int]
) -> None:
    all_names = [f"A.{n:05d}" for n in range(names)]
    found = list(replace(GAP, subscriptions=all_names).parts())
    assert [len(part.subscriptions) for part in found] == parts
    assert [name for part in found for name in part.subscriptions] == all_names


@pytest.mark.parametrize(
    "gap",
    [
        replace(GAP, market="", subscriptions=[]),
        replace(GAP, end_ms=START),
        replace(GAP, start_ms=EARLIEST_MS, end_ms=EARLIEST_MS + 1),
        replace(GAP, end_ms=NOW + DAY_MS),
        replace(GAP, end_ms=START - 1, start_ms=START - 1 - 31 * DAY_MS),
    ],
)
def test_the_utmost_that_a_gap_can_be(gap: Gap) -> None:
    check(gap, NOW)


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (replace(GAP, market="shares"), "^market 'shares' is unknown$"),
        (replace(GAP, market="shares", subscriptions=[]), "^market 'shares' is unknown$"),
        (replace(GAP, market=""), "^market '' is unknown$"),
        (replace(GAP, end_ms=START - 1), "before it begins"),
        (replace(GAP, start_ms=EARLIEST_MS - 1, end_ms=EARLIEST_MS), "nothing can be missing"),
        (replace(GAP, end_ms=NOW + DAY_MS + 1), "nothing can be missing"),
        (replace(GAP, start_ms=START - 31 * DAY_MS, end_ms=START + 1), "^31 days, from "),
        (replace(GAP, start_ms=START - 32 * DAY_MS, end_ms=START), "^32 days, from "),
    ],
)
def test_what_a_gap_cannot_be(gap: Gap, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check(gap, NOW)

"""A bar is the same whoever makes it: no two different ones of one symbol, channel and window."""

import itertools
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from polygon_sandbox.intraday import DAY_SECONDS, Intraday
from polygon_sandbox.tape import ClockTape, Tape

SYMBOLS = ["AAPL", "BRK.B", "SYM1"]
CHANNELS = {"A": 1, "AM": 60, "XAS": 1, "CA": 60}
# Around any midnight UTC, so that days and minutes end among the bars.
MOMENTS = st.builds(
    lambda day, second: day * DAY_SECONDS + second,
    st.integers(11_000, 45_000),
    st.integers(-90, 90),
)
ASKED = st.lists(
    st.tuples(
        st.sampled_from(["clock", "rate", "another"]),
        st.sampled_from(list(CHANNELS)),
        st.sampled_from([*SYMBOLS, "*"]),
        st.integers(0, 120),
        st.integers(1, 40),
    ),
    min_size=1, max_size=12,
)  # fmt: skip


@given(MOMENTS, ASKED)
def test_there_are_no_two_different_bars_of_one_key(moment: int, asked: list[Any]) -> None:
    clock, rate, another = ClockTape(SYMBOLS), Tape(SYMBOLS), Tape(SYMBOLS)
    bars: dict[tuple[Any, ...], Any] = {}
    seen: dict[int, set[Any]] = {id(rate): set(), id(another): set()}
    for maker, channel, symbol, later, count in asked:
        second = moment + later
        if maker == "clock":
            events = clock.events(channel, symbol, second)
        else:
            tape = rate if maker == "rate" else another
            events = tape.events(channel, symbol, count, second * 1000)
            keys = [_key(json.loads(event)) for event in events]
            assert len(keys) == len({*keys}) == count, "each window once"
            assert not seen[id(tape)] & {*keys}
            seen[id(tape)] |= {*keys}
        for text in events:
            event = json.loads(text)
            number = event.pop("n")
            assert number > 0
            assert bars.setdefault(_key(event), event) == event
            assert event["e"] - event["s"] == CHANNELS[channel] * 1000
            assert event["l"] <= min(event["o"], event["c"]) <= max(event["o"], event["c"])
            assert max(event["o"], event["c"]) <= event["h"]


@given(MOMENTS, st.permutations(range(8)))
def test_a_bar_does_not_hang_on_what_was_asked_before(moment: int, order: list[int]) -> None:
    in_order = [Intraday(1_000_003).bar("AAPL", moment + n, 1) for n in range(8)]
    bars = Intraday(1_000_003)
    for n in order:
        assert bars.bar("AAPL", moment + n, 1) == in_order[n]
    alone = Intraday(1_000_003).bar("AAPL", moment, 8)
    assert (alone.open, alone.close) == (in_order[0].open, in_order[-1].close)
    assert alone.volume == sum(bar.volume for bar in in_order)


def test_the_volume_of_a_day_is_that_of_its_bars() -> None:
    tape = Tape(["AAPL"])
    events = [json.loads(event) for event in tape.events("A", "AAPL", 200, 1_795_651_140_000)]
    for before, after in itertools.pairwise(events):
        assert after["s"] == before["e"], "without a hole"
        day_before = before["av"] if after["s"] % (DAY_SECONDS * 1000) else 0
        assert after["av"] - after["v"] == day_before


def _key(event: dict[str, Any]) -> tuple[Any, ...]:
    return event["ev"], event.get("sym") or event.get("pair"), event["s"]

from typing import Any

from polygon_streaming.filter.bars import Bar
from polygon_streaming.filter.volume_watch import VolumeWatch

START = 1795444200000


def _bar(second: int, v: float, av: float | None, **changes: Any) -> Bar:
    start = START + 1000 * second
    fields: dict[str, Any] = {
        "s": start, "e": start + 1000, "o": 1, "h": 1, "l": 1, "c": 1, "sym": "AAPL",
        "v": v, "av": av,
    }  # fmt: skip
    return Bar(**{**fields, **changes})


def test_volume_that_no_bar_brought_is_a_likely_gap() -> None:
    watch = VolumeWatch()
    assert watch.see(_bar(0, 10, 1000), b"c1") is None
    assert watch.see(_bar(5, 10, 1010), b"c1") is None
    gap = watch.see(_bar(9, 10, 1120), b"c1")
    assert gap is not None
    assert (gap.start_ms, gap.end_ms) == (START + 6000, START + 9000)
    assert gap.subscriptions == ["A.AAPL"]
    assert not gap.certain


def test_repetitions_new_days_and_other_symbols_are_none() -> None:
    watch = VolumeWatch()
    watch.see(_bar(5, 10, 1000), b"c1")
    assert watch.see(_bar(5, 12, 1002), b"c1") is None  # the bar again, corrected
    assert watch.see(_bar(3, 10, 980), b"c1") is None
    assert watch.see(_bar(8, 10, 1012), b"c1") is None  # follows the corrected bar
    assert watch.see(_bar(9, 10, 10), b"c1") is None  # a new day
    assert watch.see(_bar(19, 10, 99999, sym="MSFT"), b"c1") is None
    assert watch.see(_bar(29, 10, None), b"c1") is None


def test_after_a_reset_nothing_follows() -> None:
    watch = VolumeWatch()
    watch.see(_bar(0, 10, 1000), b"c1")
    watch.reset()
    assert watch.see(_bar(9, 10, 99999), b"c1") is None


def test_a_new_connection_begins_anew_since_its_gap_is_on_record() -> None:
    watch = VolumeWatch()
    watch.see(_bar(0, 10, 1000), b"c1")
    assert watch.see(_bar(9, 10, 5000), b"c2") is None
    assert watch.see(_bar(10, 10, 5010), b"c2") is None
    gap = watch.see(_bar(15, 10, 5100), b"c2")
    assert gap is not None
    assert (gap.start_ms, gap.end_ms) == (START + 11000, START + 15000)


def test_two_connections_of_one_symbol_are_followed_side_by_side() -> None:
    watch = VolumeWatch()
    for second in range(0, 10, 2):
        av = 1000 + 10 * second
        # Each hears every other bar twice as large: by itself it is whole.
        assert watch.see(_bar(second, 20, av + 20), b"c1") is None
        assert watch.see(_bar(second + 1, 20, av + 20), b"c2") is None
    gap = watch.see(_bar(20, 10, 2000), b"c1")
    assert gap is not None
    assert gap.start_ms == START + 9000


def test_memory_of_connections_is_bounded() -> None:
    watch = VolumeWatch()
    for number in range(100):
        watch.see(_bar(0, 10, 1000), b"c%d" % number)
    assert watch.see(_bar(9, 10, 5000), b"c84") is not None
    assert watch.see(_bar(9, 10, 5000), b"c99") is not None
    assert watch.see(_bar(9, 10, 5000), b"c83") is None


def test_a_jump_reaches_over_no_night() -> None:
    watch = VolumeWatch()
    watch.see(_bar(0, 10, 1000), b"c1")
    assert watch.see(_bar(86_400, 10, 9000), b"c1") is None
    assert watch.see(_bar(86_409, 10, 9900), b"c1") is not None

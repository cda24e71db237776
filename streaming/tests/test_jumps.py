from typing import Any

from polygon_streaming.clean import Bar
from polygon_streaming.jumps import VolumeWatch

START = 1795444200000


def _bar(second: int, v: float, av: float | None, **changes: Any) -> Bar:
    start = START + 1000 * second
    fields: dict[str, Any] = {
        "ev": "A", "s": start, "e": start + 1000, "o": 1, "h": 1, "l": 1, "c": 1, "sym": "AAPL",
        "v": v, "av": av,
    }  # fmt: skip
    return Bar(**{**fields, **changes})


def test_volume_that_no_bar_brought_is_a_likely_gap() -> None:
    watch = VolumeWatch()
    assert watch.see(_bar(0, 10, 1000)) is None
    assert watch.see(_bar(5, 10, 1010)) is None
    gap = watch.see(_bar(9, 10, 1120))
    assert gap is not None
    assert (gap.start_ms, gap.end_ms) == (START + 6000, START + 9000)
    assert gap.subscriptions == ["A.AAPL"]
    assert not gap.certain


def test_repetitions_new_days_and_other_symbols_are_none() -> None:
    watch = VolumeWatch()
    watch.see(_bar(5, 10, 1000))
    assert watch.see(_bar(5, 12, 1002)) is None  # the bar again, corrected
    assert watch.see(_bar(3, 10, 980)) is None
    assert watch.see(_bar(8, 10, 1012)) is None  # follows the corrected bar
    assert watch.see(_bar(9, 10, 10)) is None  # a new day
    assert watch.see(_bar(19, 10, 99999, sym="MSFT")) is None
    assert watch.see(_bar(29, 10, None)) is None


def test_after_a_reset_nothing_follows() -> None:
    watch = VolumeWatch()
    watch.see(_bar(0, 10, 1000))
    watch.reset()
    assert watch.see(_bar(9, 10, 99999)) is None

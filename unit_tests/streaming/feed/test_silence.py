import itertools
from datetime import datetime, timedelta, timezone

from polygon_streaming.feed.silence import SilenceWatch


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def test_silence_is_a_fault_in_trading_hours_only() -> None:
    watch = SilenceWatch("stocks", 60, timedelta(0))
    night, day = _at("2026-11-23T05:00"), _at("2026-11-23T15:00")
    assert not watch.too_long(night, 0)
    assert not watch.too_long(night, 10_000)
    assert not watch.too_long(day, 10_001)
    assert not watch.too_long(day, 10_060)
    assert watch.too_long(day, 10_061)


def test_an_event_starts_the_count_anew() -> None:
    watch = SilenceWatch("crypto", 60, timedelta(0))
    now = _at("2026-11-23T15:00")
    watch.too_long(now, 0)
    watch.heard()
    assert not watch.too_long(now, 100)
    assert not watch.too_long(now, 159)
    assert watch.too_long(now, 160)


def test_a_list_that_stays_silent_is_asked_less_and_less_often() -> None:
    watch = SilenceWatch("crypto", 60, timedelta(0))
    now = _at("2026-11-23T15:00")
    told = [second for second in range(2000) if watch.too_long(now, second)]
    waits = [later - earlier for earlier, later in itertools.pairwise(told)]
    assert told[0] == 60
    assert waits[:3] == [121, 241, 481]


def test_a_delayed_feed_is_silent_for_a_while_after_the_open() -> None:
    watch = SilenceWatch("stocks", 60, timedelta(minutes=15))
    assert not watch.too_long(_at("2026-11-23T14:40"), 0)
    assert not watch.too_long(_at("2026-11-23T14:44"), 240)


def test_zero_never_tells() -> None:
    watch = SilenceWatch("crypto", 0, timedelta(0))
    assert not watch.too_long(_at("2026-11-23T15:00"), 0)
    assert not watch.too_long(_at("2026-11-23T15:00"), 1e6)

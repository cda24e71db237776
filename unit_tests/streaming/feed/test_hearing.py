from hypothesis import given
from hypothesis import strategies as st
from polygon_streaming.feed.hearing import Hearing

T = 1795444200000


def test_nothing_is_known_before_anything_was_expected() -> None:
    assert Hearing(T).until(0) == 0


def test_silence_and_a_connection_prove_nothing() -> None:
    hearing = Hearing(T)
    hearing.connected()
    hearing.ready(T + 100)
    assert hearing.until(0) == T + 100, "from then on events were expected"
    assert hearing.until(T + 50) == T + 50, "one that came before is a better proof"
    assert hearing.tick(T + 200, T + 150)
    hearing.connected()
    hearing.ready(T + 3_000)
    for now in range(T + 300, T + 600_000, 100):
        assert not hearing.tick(now, T + 150)
    assert hearing.until(T + 150) == T + 150


def test_a_predecessor_is_followed_until_an_event_comes() -> None:
    hearing = Hearing(T)
    hearing.follow(T - 60_000)
    hearing.ready(T + 100)
    assert hearing.until(0) == T - 60_000
    assert hearing.until(T + 200) == T + 200


def test_only_an_event_after_the_confirmations_counts_as_one_of_all() -> None:
    hearing = Hearing(T)
    hearing.connected()
    hearing.tick(T + 100, T + 50)
    assert not hearing.since_ready
    hearing.ready(T + 200)
    hearing.tick(T + 300, T + 250)
    assert hearing.since_ready
    hearing.ready(T + 1_000)
    assert not hearing.since_ready


def test_after_a_standstill_what_comes_in_may_have_waited_with_more_behind_it() -> None:
    hearing = Hearing(T)
    hearing.tick(T + 100, T + 90)
    hearing.tick(T + 30_000, T + 29_990)
    assert hearing.until(T + 29_990) == T + 100
    for now in range(T + 30_100, T + 90_100, 100):
        hearing.tick(now, now - 10)
    assert hearing.until(T + 90_080) == T + 90_080


@given(st.lists(st.integers(1, 4_000), min_size=1, max_size=40))
def test_what_flowed_is_the_time_between_first_and_last_event(pauses: list[int]) -> None:
    hearing = Hearing(T)
    hearing.connected()
    assert hearing.flowed_seconds == 0
    now = T
    times = []
    for pause in pauses:
        now += pause
        times.append(now)
        assert hearing.tick(now, now)
    assert hearing.flowed_seconds == (times[-1] - times[0]) / 1000
    hearing.connected()
    assert hearing.flowed_seconds == 0

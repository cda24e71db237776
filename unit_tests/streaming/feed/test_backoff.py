from hypothesis import given
from hypothesis import strategies as st
from polygon_streaming.feed.backoff import Backoff
from polygon_streaming.feed.protocol import End
from polygon_streaming.settings import FeedSettings

REASONS = ["handshake", "closed 1006", "closed 1001", "silent", "slow_consumer", "auth_timeout"]
Ended = tuple[str, float, float]


def _backoff() -> Backoff:
    return Backoff(FeedSettings.model_validate({"api_key": "k"}))


def _endings(reasons: list[str]) -> st.SearchStrategy[list[Ended]]:
    """Return reason, seconds it lasted, and the part of them that events flowed in."""
    ended = st.tuples(st.sampled_from(reasons), st.floats(0, 10_000), st.floats(0, 1))
    return st.lists(ended.map(lambda e: (e[0], e[1], e[1] * e[2])), max_size=60)


def _waits(backoff: Backoff, endings: list[Ended]) -> list[float]:
    return [backoff.after(End(reason), lasted, flowed) for reason, lasted, flowed in endings]


def test_weeks_of_evictions_are_waited_out() -> None:
    backoff = _backoff()
    waits = [backoff.after(End("max_connections"), 5) for _ in range(2_000)]
    assert 60 <= waits[0] <= 120
    assert all(900 <= wait <= 1_800 for wait in waits[4:])


def test_a_refused_market_is_tried_again_every_few_minutes() -> None:
    backoff = _backoff()
    waits = [backoff.after(End("auth_failed"), 0.2) for _ in range(2_000)]
    assert 60 <= waits[0] <= 120
    assert all(900 <= wait <= 1_800 for wait in waits[4:])


def test_only_ten_undisturbed_minutes_end_a_cool_down() -> None:
    backoff = _backoff()
    for _ in range(3):
        backoff.after(End("max_connections"), 5, 5)
    backoff.after(End("closed 1006"), 599, 599)
    assert backoff.after(End("max_connections"), 599, 599) >= 480
    assert backoff.after(End("max_connections"), 600) <= 120


def test_other_failures_wait_a_minute_at_most() -> None:
    backoff = _backoff()
    waits = [backoff.after(End("handshake"), 0) for _ in range(2_000)]
    assert waits[0] <= 1
    assert all(30 <= wait <= 60 for wait in waits[6:])
    assert backoff.after(End("closed 1001"), 60) <= 1


def test_six_drops_in_forty_seconds_cost_a_second_each() -> None:
    """As seen: connections of some six seconds, on which events flowed, cut one after the other."""
    backoff = _backoff()
    assert sum(backoff.after(End("closed 1006"), 6.5, 5.5) for _ in range(6)) <= 6


@given(_endings(REASONS))
def test_data_bring_the_connection_back_within_a_second(endings: list[Ended]) -> None:
    backoff = _backoff()
    _waits(backoff, endings)
    assert 0.5 <= backoff.after(End("closed 1006"), 5.0, 5.0) <= 1.0


@given(_endings([*REASONS, "max_connections", "auth_failed"]))
def test_no_end_is_followed_by_a_tight_loop_or_a_wait_without_bound(endings: list[Ended]) -> None:
    for (reason, _, _), wait in zip(endings, _waits(_backoff(), endings), strict=True):
        least, most = (60, 1_800) if reason in ("max_connections", "auth_failed") else (0.5, 60)
        assert least <= wait <= most


@given(_endings(REASONS))
def test_a_minute_holds_two_dozen_connections_at_most(endings: list[Ended]) -> None:
    """Waits in a row grow, unless events flowed for five seconds before."""
    clock, starts = 0.0, [0.0]
    for (_, lasted, _), wait in zip(endings, _waits(_backoff(), endings), strict=True):
        clock += lasted + wait
        starts.append(clock)
    for first in starts:
        assert sum(first <= start < first + 60 for start in starts) <= 24


@given(st.lists(st.sampled_from(REASONS), min_size=1, max_size=12))
def test_connections_that_bring_nothing_wait_longer_and_longer(reasons: list[str]) -> None:
    backoff = _backoff()
    for number, reason in enumerate(reasons):
        wait = backoff.after(End(reason), 0.1)
        assert min(2.0**number, 60) / 2 <= wait <= min(2.0**number, 60)

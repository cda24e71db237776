from polygon_streaming.backoff import Backoff
from polygon_streaming.connection import End
from polygon_streaming.settings import FeedSettings


def _backoff() -> Backoff:
    return Backoff(FeedSettings.model_validate({"api_key": "k"}))


def test_weeks_of_evictions_are_waited_out() -> None:
    backoff = _backoff()
    waits = [backoff.after(End("max_connections"), 5) for _ in range(2_000)]
    assert 60 <= waits[0] <= 120
    assert all(900 <= wait <= 1_800 for wait in waits[4:])


def test_only_ten_undisturbed_minutes_end_a_cool_down() -> None:
    backoff = _backoff()
    for _ in range(3):
        backoff.after(End("max_connections"), 5)
    backoff.after(End("closed 1006"), 599)
    assert backoff.after(End("max_connections"), 599) >= 480
    assert backoff.after(End("max_connections"), 600) <= 120


def test_other_failures_wait_a_minute_at_most() -> None:
    backoff = _backoff()
    waits = [backoff.after(End("handshake"), 0) for _ in range(2_000)]
    assert waits[0] <= 1
    assert all(30 <= wait <= 60 for wait in waits[6:])
    assert backoff.after(End("closed 1001"), 60) <= 1

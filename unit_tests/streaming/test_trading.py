from datetime import datetime, timezone

import pytest
from polygon_streaming.trading import is_open


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("market", "moment", "expected"),
    [
        ("stocks", "2026-11-23T14:29", False),  # 9:29 in New York
        ("stocks", "2026-11-23T14:30", True),
        ("stocks", "2026-07-01T13:30", True),  # summer time
        ("stocks", "2026-11-23T21:00", False),
        ("stocks", "2026-11-26T15:00", False),  # Thanksgiving
        ("stocks", "2026-11-27T18:30", False),  # half-day, over at 13:00
        ("stocks", "2026-11-22T15:00", False),  # Sunday
        ("crypto", "2026-11-22T03:00", True),
        ("forex", "2026-11-21T15:00", False),  # Saturday
        ("forex", "2026-11-22T22:00", True),  # Sunday 17:00 in New York
        ("futures/cme", "2026-11-23T22:30", False),  # the daily pause
        ("futures/cme", "2026-11-23T15:00", True),
    ],
)
def test_when_markets_are_open(market: str, moment: str, expected: bool) -> None:
    assert is_open(market, _at(moment)) is expected

"""What a key may read: markets, history, today, and how many requests a minute."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

NOT_ENTITLED = "You are not entitled to this data."
TIMEFRAME = "Your plan doesn't include this data timeframe."
BEFORE_END_OF_DAY = "Attempted to request today's data before end of day."


@dataclass(frozen=True, slots=True)
class Plan:
    """The entitlements behind the sandbox's key.

    `markets` is about grouped bars; ticker lists of every market stay open (unverified).
    `history_start` is a date, or an age that is subtracted from today in New York.
    `sees_today` false refuses today's bars until the New York day is over (the hour is
    unverified); true serves partial bars of an open session. `delayed` answers with the status
    DELAYED. `requests_per_minute` counts requests in a sliding window of `window_seconds`, for
    all products together: the vendor keeps one count a product, so the sandbox is stricter.
    `refused` are the beginnings of paths that the key is not entitled to, such as /benzinga or
    /stocks/financials.
    """

    markets: frozenset[str] = frozenset({"stocks", "crypto", "fx"})
    history_start: date | timedelta | None = None
    sees_today: bool = True
    delayed: bool = False
    requests_per_minute: int | None = None
    window_seconds: float = 60.0
    retry_after: bool = False
    empty_429_body: bool = False
    key_known: bool = True
    refused: tuple[str, ...] = ()

    @classmethod
    def free(cls, **overrides: Any) -> "Plan":
        """The free tier: five requests a minute, two years of history, not today."""
        plan = cls(
            history_start=timedelta(days=730),
            sees_today=False,
            requests_per_minute=5,
        )
        return replace(plan, **overrides)

    @classmethod
    def unlimited(cls, **overrides: Any) -> "Plan":
        """Everything, with no rate limit."""
        return replace(cls(), **overrides)

    def refusal_of_path(self, path: str) -> str | None:
        """Why everything under a path is refused, or None."""
        return NOT_ENTITLED if path.startswith(self.refused) else None

    def refusal_of_bars(self, market: str, day: date, today: date) -> str | None:
        """Why bars of that day are refused, or None; `today` is the date in New York."""
        if market not in self.markets:
            return NOT_ENTITLED
        if day == today and not self.sees_today:
            return BEFORE_END_OF_DAY
        # Observed: a future date gets the message about the timeframe, on paid plans as well.
        if day > today:
            return TIMEFRAME
        return self.refusal_of_history(day, today)

    def refusal_of_history(self, day: date, today: date) -> str | None:
        """Why a day is too old for the plan, or None."""
        start = self.history_start
        if isinstance(start, timedelta):
            start = today - start
        return TIMEFRAME if start is not None and day < start else None


class RateLimiter:
    """Counts the requests that were let through in a sliding window; refused ones do not count."""

    def __init__(self, plan: Plan, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._plan = plan
        self._monotonic = monotonic
        self._passed: deque[float] = deque()

    def wait_seconds(self) -> float:
        """0 lets the request through and counts it; else the time until one would pass."""
        allowed = self._plan.requests_per_minute
        if allowed is None:
            return 0.0
        now = self._monotonic()
        while self._passed and self._passed[0] <= now - self._plan.window_seconds:
            self._passed.popleft()
        if len(self._passed) < allowed:
            self._passed.append(now)
            return 0.0
        oldest = self._passed[0] if self._passed else now
        return max(oldest + self._plan.window_seconds - now, 0.001)

"""What a key may read: markets, history, today, and how many requests a minute."""

import itertools
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import unquote

NOT_ENTITLED = "You are not entitled to this data."
TIMEFRAME = "Your plan doesn't include this data timeframe."
BEFORE_END_OF_DAY = "Attempted to request today's data before end of day."

ALL_MARKETS = frozenset({"stocks", "options", "indices", "crypto", "fx", "futures"})


@dataclass(frozen=True, slots=True)
class Plan:
    """The entitlements behind the sandbox's key.

    `markets` is about bars; ticker lists of every market stay open (unverified).
    `history_start` is a date, or an age that is subtracted from today in New York.
    `sees_today` false refuses today's bars until the New York day is over (the hour is
    unverified); true serves partial bars of an open session. `delayed` answers with the status
    DELAYED. `requests_per_minute` counts requests in a sliding window of `window_seconds` of the
    clock `monotonic`, for all products together; with `a_count_a_product` for each on its own, as
    the vendor was seen to do. `unlimited_products` are not counted.
    `refused` are the beginnings of paths that the key is not entitled to, such as /benzinga or
    /stocks/financials.
    """

    markets: frozenset[str] = ALL_MARKETS
    history_start: date | timedelta | None = None
    sees_today: bool = True
    delayed: bool = False
    requests_per_minute: int | None = None
    window_seconds: float = 60.0
    monotonic: Callable[[], float] = time.monotonic
    a_count_a_product: bool = False
    unlimited_products: frozenset[str] = frozenset()
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

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._passed: defaultdict[str, deque[float]] = defaultdict(deque)

    def wait_seconds(self, path: str) -> float:
        """0 lets a request for `path` through and counts it; else the time until one would pass."""
        allowed, product = self._plan.requests_per_minute, product_of(path)
        if allowed is None or product in self._plan.unlimited_products:
            return 0.0
        passed = self._passed[product if self._plan.a_count_a_product else ""]
        now = self._plan.monotonic()
        while passed and passed[0] <= now - self._plan.window_seconds:
            passed.popleft()
        if len(passed) < allowed:
            passed.append(now)
            return 0.0
        oldest = passed[0] if passed else now
        return max(oldest + self._plan.window_seconds - now, 0.001)


def product_of(path: str) -> str:
    """The product that a path counts for; reference and partner data for stocks (unverified)."""
    parts = unquote(path).strip("/").split("/")
    if parts[0] in _OF_FIRST_PART:
        return _OF_FIRST_PART[parts[0]]
    if parts[1:2] in (["reference"], ["snapshot"]) and parts[2:3] in (["options"], ["indices"]):
        return parts[2]
    for before, part in itertools.pairwise(parts):
        if before in ("market", "markets"):
            return _OF_FIRST_PART.get(part, part)
    prefixes = [_OF_PREFIX[part[:2]] for part in parts if part[:2] in _OF_PREFIX]
    return prefixes[0] if prefixes else "stocks"


_OF_FIRST_PART = {"crypto": "crypto", "forex": "fx", "futures": "futures", "options": "options"}
_OF_PREFIX = {"O:": "options", "I:": "indices", "X:": "crypto", "C:": "fx"}

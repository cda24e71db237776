"""What became known of trades too late for the stream: REST has it, and so has the day's file.

A cancelled trade stays, marked by its `correction`, and counts in no bar any more (the vendor's
knowledge base on cancelled trades; that its bars are made anew is what was seen of daily ones). A
trade reported late is there as if it had always been. Of futures there are no amendments.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from polygon_sandbox.intraday import DAY_SECONDS, Bar
from polygon_sandbox.ticks import NS, SLOTS, Trade, is_counted, sets_prices

# Unverified: the number that the tape gives to a trade that was cancelled later.
_CANCELLED = 8


@dataclass(frozen=True, slots=True)
class _Amendment:
    at: datetime
    cancelled_ns: int = 0
    late: Trade | None = None


class Amendments:
    """The amendments of a world, by ticker and second; `at` is when each became known."""

    def __init__(self) -> None:
        self._of: dict[str, dict[int, list[_Amendment]]] = defaultdict(lambda: defaultdict(list))

    def cancel(self, trade: Trade, at: datetime) -> None:
        """Cancel a trade."""
        made = _Amendment(at, cancelled_ns=trade.time_ns)
        self._of[trade.ticker][trade.time_ns // NS].append(made)

    def report(self, like: Trade, time_ns: int, price: float, size: int, at: datetime) -> Trade:
        """Add a trade, `size` in hundredths, that is otherwise like another of its ticker."""
        second = time_ns // NS
        before = len(self._of[like.ticker][second])
        late = replace(
            like,
            time_ns=time_ns,
            price=price,
            size=size,
            # The made ones have odd numbers from the first on.
            sequence=second % DAY_SECONDS * SLOTS + SLOTS - 2 - 2 * before,
        )
        self._of[like.ticker][second].append(_Amendment(at, late=late))
        return late

    def seconds(self, ticker: str, first: int, last: int) -> list[int]:
        """The seconds of which something became known, from `first` to `last`, both included."""
        return sorted(second for second in self._of.get(ticker, ()) if first <= second <= last)

    def trades(
        self, ticker: str, second: int, made: Iterable[Trade], as_of: datetime | None
    ) -> list[Trade]:
        """The trades of a second as they were known at an instant, now by default."""
        known = [
            amendment
            for amendment in self._of.get(ticker, {}).get(second, ())
            if as_of is None or amendment.at <= as_of
        ]
        cancelled = {amendment.cancelled_ns for amendment in known}
        found = [*made, *(amendment.late for amendment in known if amendment.late)]
        found.sort(key=lambda trade: (trade.time_ns, trade.sequence))
        return [
            replace(trade, correction=_CANCELLED) if trade.time_ns in cancelled else trade
            for trade in found
        ]


def rebuilt(bar: Bar, trades: Iterable[Trade]) -> Bar | None:
    """The bar of a second made anew of its trades; None if none is left that sets a price."""
    valid = [trade for trade in trades if not trade.correction]
    priced = [trade for trade in valid if sets_prices(trade.conditions)]
    counted = [trade for trade in valid if is_counted(trade.conditions)]
    if not priced:
        return None
    size = sum(trade.size for trade in counted)
    return replace(
        bar,
        open=priced[0].price,
        high=max(trade.price for trade in priced),
        low=min(trade.price for trade in priced),
        close=priced[-1].price,
        vwap=round(sum(trade.price * trade.size for trade in counted) / size, 4),
        volume=size / 100 if size % 100 else size // 100,
        trades=len(counted),
    )

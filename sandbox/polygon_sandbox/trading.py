"""What is traded second by second, as it is known: bars, trades and quotes, amendments and all."""

from datetime import datetime
from threading import RLock

from polygon_sandbox.amendments import Amendments, rebuilt
from polygon_sandbox.intraday import Bar, Intraday, together
from polygon_sandbox.minutes import Minute, minutes
from polygon_sandbox.ticks import NS, Kind, Quote, Trade, kind_of, quotes, sets_prices, trades


class Trading:
    """The trading of one seed, of any ticker and at any time, in seconds since 1970 UTC.

    `as_of` is the instant of which the knowledge is wanted; None for all there is.
    """

    def __init__(self, seed: int) -> None:
        self._lock = RLock()
        self._bars = Intraday(seed)
        self._amendments = Amendments()

    def bar(
        self, ticker: str, start: int, seconds: int, as_of: datetime | None = None
    ) -> Bar | None:
        """The bar of a window; None if amendments left nothing of it."""
        with self._lock:
            amended = self._amendments.seconds(ticker, start, start + seconds - 1)
        if not amended:
            return self._bars.bar(ticker, start, seconds)
        made = [self._bars.bar(ticker, start + n, 1) for n in range(seconds)]
        left = [
            rebuilt(bar, self.trades(ticker, kind_of(ticker), bar.start, as_of))
            if bar.start in amended
            else bar
            for bar in made
        ]
        kept = [bar for bar in left if bar is not None]
        return together(start, kept) if kept else None

    def minutes(
        self, ticker: str, first: int, count: int, as_of: datetime | None = None
    ) -> list[Minute]:
        """The same bars of `count` minutes from `first` on, much faster."""
        made = minutes(self._bars, ticker, first, count)
        with self._lock:
            amended = self._amendments.seconds(ticker, first, first + 60 * count - 1)
        for number in sorted({(second - first) // 60 for second in amended}, reverse=True):
            bar = self.bar(ticker, first + 60 * number, 60, as_of)
            made[number : number + 1] = [] if bar is None else [Minute.of(bar)]
        return made

    def trades(
        self, ticker: str, kind: Kind, second: int, as_of: datetime | None = None
    ) -> list[Trade]:
        """The trades of a second, in the order of the tape."""
        made = trades(self._bars.bar(ticker, second, 1), ticker, kind)
        with self._lock:
            return self._amendments.trades(ticker, second, made, as_of)

    def quotes(self, ticker: str, kind: Kind, second: int) -> list[Quote]:
        """The quotes of a second, in their order."""
        return list(quotes(self._bars.bar(ticker, second, 1), ticker, kind))

    def cancel(self, ticker: str, time_ns: int, at: datetime) -> None:
        """Cancel the trade that the tape has at an instant; it becomes known `at`."""
        with self._lock:
            second = self.trades(ticker, kind_of(ticker), time_ns // NS)
            found = [trade for trade in second if trade.time_ns == time_ns]
            if not found:
                raise KeyError(f"{ticker!r} has no trade at {time_ns}")
            self._amendments.cancel(found[0], at)

    def report(self, ticker: str, time_ns: int, price: float, size: float, at: datetime) -> None:
        """Add a trade that becomes known `at`; `size` is in units, down to hundredths."""
        with self._lock:
            second = self.trades(ticker, kind_of(ticker), time_ns // NS)
            usual = next(trade for trade in second if sets_prices(trade.conditions))
            self._amendments.report(usual, time_ns, price, round(size * 100), at)

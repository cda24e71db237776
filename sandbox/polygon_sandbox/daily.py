"""The bars of whole days: what was traded, and what was done to the bars later."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

import orjson

from polygon_sandbox.bars import Edits, Tape
from polygon_sandbox.clock import Clock
from polygon_sandbox.listings import STOCK_MARKETS, Register, Row
from polygon_sandbox.reference import Split
from polygon_sandbox.sessions import Calendar, calendar_until

# A full day of the US market is about 1.5 MB: this keeps a year of it.
_KEPT_BYTES = 400_000_000
_FORTNIGHT = timedelta(days=14)


class DailyBars:
    """Makes them of a register; the answers of days that are over are kept. The world locks it."""

    def __init__(
        self, seed: int, register: Register, clock: Clock, splits: Callable[[], Sequence[Split]]
    ) -> None:
        self._seed = seed
        self._register = register
        self._clock = clock
        self._splits = splits
        self._edits = Edits()
        self._tapes: dict[str, tuple[int, Tape]] = {}
        self._answers: OrderedDict[object, tuple[int, bytes]] = OrderedDict()
        self._answer_bytes = 0
        self._by_ticker: dict[tuple[str, date, bool], tuple[bytes, dict[str, Row]]] = {}

    @property
    def calendar(self) -> Calendar:
        """The sessions of all markets, a year and more ahead."""
        return calendar_until(self._clock.today().year + 2)

    def tape(self, market: str) -> Tape:
        """Who trades in a market, and at what prices."""
        version, tape = self._tapes.get(market, (-1, None))
        if tape is None or version != self._register.trading_version:
            markets = STOCK_MARKETS if market == "stocks" else (market,)
            tape = Tape(market, (r for r in self._register if r.market in markets), self._seed)
            self._tapes[market] = self._register.trading_version, tape
        return tape

    def bars(
        self,
        market: str,
        day: date,
        adjusted: bool = False,
        include_otc: bool = False,
        as_of: datetime | None = None,
    ) -> list[Row]:
        """`results` of the grouped answer for that day; see `World.bars`."""
        elapsed = self._elapsed(market, day)
        if elapsed <= 0:
            return []
        splits = self._splits() if market == "stocks" else []
        today = self._clock.today()
        bars = self.tape(market).bars(day, splits, today, adjusted, include_otc, elapsed)
        return self._edits.apply(market, day, bars, as_of)

    def grouped(
        self, market: str, day: date, adjusted: bool, include_otc: bool
    ) -> tuple[int, bytes]:
        """How many bars the day has, and the same as a JSON array, kept for the next time."""
        key = (
            (market, day, adjusted, include_otc),
            self._register.trading_version,
            self._edits.version(market, day),
            # Each split changes the adjusted past on the day it executes.
            (self._clock.today(), len(self._splits())) if adjusted else None,
        )
        if key in self._answers:
            self._answers.move_to_end(key)
            return self._answers[key]
        bars = self.bars(market, day, adjusted, include_otc)
        answer = len(bars), orjson.dumps(bars)
        if self._elapsed(market, day) >= 1:
            self._keep(key, answer)
        return answer

    def bar(self, market: str, ticker: str, day: date, adjusted: bool) -> Row | None:
        """The grouped bar of one symbol, over the counter or not; None if it has none that day."""
        _, answer = self.grouped(market, day, adjusted, include_otc=market == "stocks")
        kept, bars = self._by_ticker.get((market, day, adjusted), (b"", {}))
        if kept is not answer:
            bars = {bar["T"]: bar for bar in orjson.loads(answer)}
            self._by_ticker[market, day, adjusted] = answer, bars
        return bars.get(ticker)

    def close_before(self, ticker: str, day: date) -> float | None:
        """The last close before a day, if the stock had one in the fortnight before it."""
        before = day - timedelta(days=1)
        for session in reversed(self.calendar.sessions("stocks", day - _FORTNIGHT, before)):
            closes = self.tape("stocks").closes(session, [ticker], self._splits())
            if ticker in closes:
                return closes[ticker]
        return None

    def correct(self, market: str, day: date, ticker: str) -> None:
        """Count one more late correction of a bar.

        Raises:
            KeyError: there is no such bar.
        """
        self._require(market, day, ticker)
        self._edits.correct(market, day, ticker, self._clock.now())

    def copy(self, market: str, day: date, ticker: str, copies: int) -> None:
        """Send a bar that many times from now on: 0 drops it, 2 duplicates it.

        Raises:
            KeyError: there is no such bar.
        """
        self._require(market, day, ticker)
        self._edits.copy(market, day, ticker, copies, self._clock.now())

    def _elapsed(self, market: str, day: date) -> float:
        """How much of a session is over: 0 before it opens or on a day without one, 1 after it."""
        if not self.calendar.has_bars(market, day):
            return 0.0
        opens, closes = self.calendar.hours(market, day)
        return min(max((self._clock.now() - opens) / (closes - opens), 0.0), 1.0)

    def _keep(self, key: object, answer: tuple[int, bytes]) -> None:
        self._answers[key] = answer
        self._answer_bytes += len(answer[1])
        while self._answer_bytes > _KEPT_BYTES:
            _, (_, dropped) = self._answers.popitem(last=False)
            self._answer_bytes -= len(dropped)

    def _require(self, market: str, day: date, ticker: str) -> None:
        bars = self.bars(market, day, include_otc=True)
        if not any(bar["T"] == ticker for bar in bars):
            raise KeyError(f"{ticker!r} has no {market} bar on {day}")

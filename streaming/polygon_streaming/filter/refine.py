"""What becomes of one raw record: a clean record, nothing, or the reason why it is a dead letter.

A record is judged before anything remembers it, and whatever it holds, it ends as one of the three.
"""

from collections.abc import Callable

import msgspec
from confluent_kafka import Message

from polygon_streaming import raw
from polygon_streaming.filter.events import read
from polygon_streaming.filter.quotes import clean_quote
from polygon_streaming.filter.records import Bar, clean
from polygon_streaming.filter.rules import RulesFile
from polygon_streaming.filter.trades import TradeEvent, clean_trade
from polygon_streaming.filter.volume_watch import VolumeWatch
from polygon_streaming.gaps.gap import Gap

# `bars`, `trades` or `quotes`, the symbol, and the record. One with names takes longer to make than
# a price to read.
Refined = tuple[str, str, bytes]


class Refinery:
    """Judges raw records one by one, in the order of their partitions."""

    def __init__(self, rules: RulesFile, on_gap: Callable[[Gap], None]) -> None:
        """Prepare to judge by the rules; `on_gap` hears of each likely gap."""
        self._rules = rules
        self._on_gap = on_gap
        self._jumps = VolumeWatch()
        self._encode = msgspec.json.Encoder().encode

    def forget(self) -> None:
        """Forget what was seen: what comes next does not follow what came last."""
        self._jumps.reset()

    def refine(self, message: Message) -> Refined | None:
        """Return the clean record of a message; None if it does not pass.

        Raises:
            Unreadable: it is not an event, or one that cannot be cleaned.
        """
        event = read(message.value())
        if event is None:
            return None
        origin, received_ms = raw.origin(message), message.timestamp()[1]
        if isinstance(event, Bar):
            return self._bar(event, origin, received_ms)
        judge = self._rules.judge
        if isinstance(event, TradeEvent):
            trade = clean_trade(event, origin.market, received_ms, origin.healed)
            if not judge.trades.passes(trade):
                return None
            return "trades", trade.symbol, self._encode(trade)
        quote = clean_quote(event, origin.market, received_ms, origin.healed)
        if not judge.quotes.passes(quote):
            return None
        return "quotes", quote.symbol, self._encode(quote)

    def _bar(self, bar: Bar, origin: raw.Origin, received_ms: int) -> Refined | None:
        record = clean(bar, origin.market, received_ms, origin.healed)
        if bar.ev == "A" and origin.market == "stocks":
            gap = self._jumps.see(bar, origin.stretch)
            if gap is not None:
                self._on_gap(gap)
        judge = self._rules.judge
        if not judge.passes(record, bar.s):
            return None
        if judge.fields is None:
            return "bars", record.symbol, self._encode(record)
        some = {name: getattr(record, name) for name in judge.fields}
        return "bars", record.symbol, self._encode(some)

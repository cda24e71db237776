"""What becomes of one raw record: a clean record, nothing, or the reason why it is a dead letter.

A record is judged before anything remembers it, and whatever it holds, it ends as one of the three.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from confluent_kafka import Message

from polygon_streaming import raw
from polygon_streaming.filter.bars import Bar
from polygon_streaming.filter.events import TYPES, read
from polygon_streaming.filter.quotes import ForexQuote, QuoteEvent, clean_quote
from polygon_streaming.filter.records import Record
from polygon_streaming.filter.records import clean as clean_bar
from polygon_streaming.filter.rules import RulesFile
from polygon_streaming.filter.tick_rules import Tick
from polygon_streaming.filter.trades import TradeEvent, clean_trade
from polygon_streaming.filter.volume_watch import VolumeWatch
from polygon_streaming.gaps.gap import Gap

# `bars`, `trades` or `quotes`, the symbol, the record, and when it was received. One with names
# takes longer to make than a price to read.
Refined = tuple[str, str, bytes, int]
_Clean = Callable[[Any, raw.Origin, int], Any]


class Refinery:
    """Judges raw records one by one, in the order of their partitions."""

    def __init__(self, rules: RulesFile, on_gap: Callable[[Gap], None]) -> None:
        """Prepare to judge by the rules; `on_gap` hears of each likely gap."""
        self._rules = rules
        self._on_gap = on_gap
        self._jumps = VolumeWatch()
        self._encode_into = msgspec.json.Encoder().encode_into
        self._room = bytearray()
        cleaners: dict[str, _Clean] = {
            "bars": self._bar, "trades": self._trade, "quotes": self._quote,
        }  # fmt: skip
        self._cleaners = {
            event: (kind, cleaners[kind]) for kind, events in TYPES.items() for event in events
        }

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
        kind, clean = self._cleaners[type(event)]
        received_ms = message.timestamp()[1]
        record = clean(event, raw.origin(message), received_ms)
        if record is None:
            return None
        fields, shown = self._rules.judge.fields, record
        if fields is not None and kind == "bars":
            shown = {name: getattr(record, name) for name in fields}
        # A record of its own would grow step by step; this room has grown already.
        room = self._room
        self._encode_into(shown, room)
        return kind, record.symbol, bytes(room), received_ms

    def _bar(self, bar: Bar, origin: raw.Origin, received_ms: int) -> Record | None:
        market = origin.market
        record = clean_bar(bar, market, received_ms, origin.healed)
        if market == "stocks" and bar.ev == "A":
            gap = self._jumps.see(bar, origin.stretch)
            if gap is not None:
                self._on_gap(gap)
        return record if self._rules.judge.passes(record, bar.s) else None

    def _trade(self, trade: TradeEvent, origin: raw.Origin, received_ms: int) -> Tick | None:
        record = clean_trade(trade, origin.market, received_ms, origin.healed)
        return record if self._rules.judge.trades.passes(record) else None

    def _quote(
        self, quote: QuoteEvent | ForexQuote, origin: raw.Origin, received_ms: int
    ) -> Tick | None:
        record = clean_quote(quote, origin.market, received_ms, origin.healed)
        return record if self._rules.judge.quotes.passes(record) else None

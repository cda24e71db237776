"""What becomes of one raw record: a clean record, nothing, or the reason why it is a dead letter.

A record is judged before anything remembers it, and whatever it holds, it ends as one of the three.
"""

from collections.abc import Callable

import msgspec
from confluent_kafka import Message

from polygon_streaming import raw
from polygon_streaming.filter.records import clean, read
from polygon_streaming.filter.rules import RulesFile
from polygon_streaming.filter.volume_watch import VolumeWatch
from polygon_streaming.gaps.gap import Gap


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

    def refine(self, message: Message) -> tuple[str, bytes] | None:
        """Return symbol and clean record of a message; None if it does not pass.

        Raises:
            Unreadable: it is not an event, or a bar that cannot be cleaned.
        """
        bar = read(message.value())
        if bar is None:
            return None
        origin = raw.origin(message)
        record = clean(bar, origin.market, message.timestamp()[1], origin.healed)
        if bar.ev == "A" and origin.market == "stocks":
            gap = self._jumps.see(bar, origin.stretch)
            if gap is not None:
                self._on_gap(gap)
        judge = self._rules.judge
        if not judge.passes(record, int(bar.s)):
            return None
        if judge.fields is None:
            return record.symbol, self._encode(record)
        return record.symbol, self._encode({name: getattr(record, name) for name in judge.fields})

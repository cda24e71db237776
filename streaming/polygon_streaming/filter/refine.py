"""What becomes of a batch of raw records: clean records, nothing, or dead letters with the reason.

A record is judged before anything remembers it, and whatever it holds, it ends as one of the three.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import Message

from polygon_streaming.filter.events import NOT_DECODED, TYPES, decode, read
from polygon_streaming.filter.output import Output
from polygon_streaming.filter.quotes import clean_quote
from polygon_streaming.filter.records import clean as clean_bar
from polygon_streaming.filter.rules import RulesFile
from polygon_streaming.filter.trades import clean_trade
from polygon_streaming.filter.volume_watch import VolumeWatch
from polygon_streaming.raw import Unreadable, origin

# Its topic, what cleans and what judges its records, whether the volumes of its kind are watched,
# and the fields to show, if not all.
_Way = tuple[str, Callable[..., Any], Callable[[Any], bool], bool, tuple[str, ...] | None]


class Refined(NamedTuple):
    """What a batch became.

    Attributes:
        kept: how many records passed.
        dropped: how many did not.
        unreadable: how many are dead letters.
        unreadable_in_a_row: how many of the last records in a row are; those before the batch
            count as well.
    """

    kept: int
    dropped: int
    unreadable: int
    unreadable_in_a_row: int


class Refinery:
    """Judges raw records, in the order of their partitions, and produces what they become."""

    def __init__(self, targets: Mapping[str, str], rules: RulesFile, output: Output) -> None:
        """Prepare to judge.

        Args:
            targets: the topics of `bars`, `trades` and `quotes`.
            rules: says what passes.
            output: produces records, dead letters and likely gaps.
        """
        self._targets = targets
        self._rules = rules
        self._output = output
        self._jumps = VolumeWatch()
        self._encode_into = msgspec.json.Encoder().encode_into
        self._room = bytearray()

    def forget(self) -> None:
        """Forget what was seen: what comes next does not follow what came last."""
        self._jumps.reset()

    def refine(self, messages: Sequence[Message], unreadable_in_a_row: int = 0) -> Refined:
        """Produce what a batch becomes; so many records before it were unreadable in a row."""
        kept = dropped = unreadable = 0
        # The hot path of the filter: what takes a tenth of a microsecond here takes a hundredth of
        # all. So one loop with names of its own, and no calls but those that do something.
        ways, see, output = self._ways(), self._jumps.see, self._output
        encode_into, room, produce = self._encode_into, self._room, output.producer.produce
        for message in messages:
            received_ms = message.timestamp()[1]
            try:
                try:
                    event: Any = decode(message.value())
                except NOT_DECODED:
                    event = read(message.value())
                if event is None:
                    unreadable_in_a_row = 0
                    dropped += 1
                    continue
                topic, clean, passes, watched, fields = ways[type(event)]
                market, stretch, healed = origin(message)
                record = clean(event, market, received_ms, healed)
            except Unreadable as reason:
                unreadable += 1
                unreadable_in_a_row += 1
                output.dead_letter(message, str(reason))
                continue
            unreadable_in_a_row = 0
            if watched and market == "stocks":
                gap = see(event, stretch)
                if gap is not None:
                    output.gap(gap)
            if not passes(record):
                dropped += 1
                continue
            kept += 1
            # A record of its own would grow step by step; this room has grown already.
            encode_into(record if fields is None else _shown(record, fields), room)
            try:
                # The timestamp stays that of the receipt, so that lag tools see the whole way.
                # Keywords would make this call half as long again.
                produce(topic, bytes(room), record.symbol, -1, None, None, received_ms)
            except BufferError:
                output.produce(topic, bytes(room), record.symbol, timestamp=received_ms)
        return Refined(kept, dropped, unreadable, unreadable_in_a_row)

    def _ways(self) -> dict[type, _Way]:
        """Return what to do with each type of event by the rules as they are now."""
        judge, targets = self._rules.judge, self._targets
        kinds: dict[str, tuple[Any, ...]] = {
            "bars": (targets["bars"], clean_bar, judge.passes),
            "trades": (targets["trades"], clean_trade, judge.trades.passes),
            "quotes": (targets["quotes"], clean_quote, judge.quotes.passes),
        }
        return {
            event: (*kinds[kind], event.ev == "A", judge.fields if kind == "bars" else None)
            for kind, events in TYPES.items()
            for event in events
        }


def _shown(record: Any, fields: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(record, name) for name in fields}

"""What becomes of one raw record: a clean record, nothing, or the reason why it is a dead letter.

A record is judged before anything remembers it, and whatever it holds, it ends as one of the three.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from confluent_kafka import Message

from polygon_streaming.filter.records import Unreadable, clean, read
from polygon_streaming.filter.rules import RulesFile
from polygon_streaming.filter.volume_watch import VolumeWatch
from polygon_streaming.gaps.gap import Gap
from polygon_streaming.stamps import is_instant

Header = str | bytes | None

# The longest market's name has 13 characters.
_LONGEST_MARKET: Final = 100


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
        headers = dict(headers_of(message))
        market = _market(headers.get("market"))
        record = clean(bar, market, message.timestamp()[1], "healed" in headers)
        if bar.ev == "A" and market == "stocks":
            gap = self._jumps.see(bar, (headers.get("connection"), headers.get("lost")))
            if gap is not None:
                self._on_gap(gap)
        judge = self._rules.judge
        if not judge.passes(record, int(bar.s)):
            return None
        if judge.fields is None:
            return record.symbol, self._encode(record)
        return record.symbol, self._encode({name: getattr(record, name) for name in judge.fields})


def headers_of(message: Message) -> list[tuple[str, Header]]:
    """Return the headers of a message.

    Raises:
        Unreadable: a name is not UTF-8.
    """
    try:
        return list(message.headers() or ())  # type: ignore[arg-type]  # never a dictionary
    except (SystemError, UnicodeDecodeError):  # the former is what the client library says
        raise Unreadable("the name of a header is not UTF-8") from None


def received_ms(message: Message) -> int | None:
    """Return when a record was received, in milliseconds since 1970; None if it does not say."""
    ms = message.timestamp()[1]
    return ms if is_instant(ms) else None


def _market(header: Header) -> str:
    text = header.decode(errors="replace") if isinstance(header, bytes) else header or ""
    if len(text) > _LONGEST_MARKET:
        raise Unreadable("the header market is not the name of a market")
    return text

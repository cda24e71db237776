"""Gaps: what is known, or likely, to be missing from the raw topic."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import msgspec

from polygon_streaming.channels import MARKETS
from polygon_streaming.stamps import EARLIEST_MS, from_text, to_text

# The brokers refuse records over a megabyte; the longest names, of options, have 26 characters.
_NAMES_PER_RECORD: Final = 10_000
_DAY_MS: Final = 86_400_000
# Beyond that, history is what is missing.
_LONGEST_MS: Final = 31 * _DAY_MS
# What clocks may disagree by.
_SKEW_MS: Final = _DAY_MS


class GapRecord(msgspec.Struct, rename={"start": "from", "end": "to"}):
    """A gap as it stands on the topic; `schemas/gap.json` describes it.

    Attributes:
        market: market of the subscriptions; empty if the records that are missing could be of any.
        start: last instant, UTC, up to which events are known to be there (`from`).
        end: first instant, UTC, from which they are there again (`to`).
        reason: one of `reasons`, some with more behind a colon: `disconnected: closed 1006`.
        certain: false if something is likely missing rather than known to be.
        subscriptions: what was not heard: `A.AAPL`, `AM.*`; empty if that is not known.
        feed: which feed found it: `stocks 1/1`; empty if the filter did.
    """

    market: str
    start: str
    end: str
    reason: str
    certain: bool
    subscriptions: list[str]
    feed: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A gap with its instants in milliseconds since 1970 UTC."""

    market: str
    start_ms: int
    end_ms: int
    reason: str
    subscriptions: Sequence[str]
    feed: str
    certain: bool = True

    def later(self, by: timedelta) -> "Gap":
        """Return the same gap at another time."""
        ms = round(by.total_seconds() * 1000)
        return replace(self, start_ms=self.start_ms + ms, end_ms=self.end_ms + ms)

    def parts(self) -> Iterator["Gap"]:
        """Return the gap as one or more that fit into a record each."""
        for start in range(0, max(1, len(self.subscriptions)), _NAMES_PER_RECORD):
            names = self.subscriptions[start : start + _NAMES_PER_RECORD]
            yield replace(self, subscriptions=names)

    def encode(self) -> bytes:
        """Return the gap as the topic has it."""
        return msgspec.json.encode(
            GapRecord(
                market=self.market,
                start=to_text(self.start_ms),
                end=to_text(self.end_ms),
                reason=self.reason,
                certain=self.certain,
                subscriptions=sorted(self.subscriptions),
                feed=self.feed,
            )
        )


def decode(value: bytes) -> Gap:
    """Return a gap read from the topic.

    Raises:
        ValueError: it is not one.
    """
    try:
        record = msgspec.json.decode(value, type=GapRecord)
        start_ms, end_ms = from_text(record.start), from_text(record.end)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"not a gap: {error}") from error
    return Gap(
        market=record.market,
        start_ms=start_ms,
        end_ms=end_ms,
        reason=record.reason,
        subscriptions=record.subscriptions,
        feed=record.feed,
        certain=record.certain,
    )


def check(gap: Gap, now_ms: int) -> None:
    """Look whether a gap can be one, whoever wrote it.

    Raises:
        ValueError: it cannot.
    """
    start, end = to_text(gap.start_ms), to_text(gap.end_ms)
    if gap.market not in MARKETS and (gap.market or gap.subscriptions):
        raise ValueError(f"market {gap.market!r} is unknown")
    if gap.end_ms < gap.start_ms:
        raise ValueError(f"it ends at {end}, before it begins at {start}")
    if gap.start_ms < EARLIEST_MS or gap.end_ms > now_ms + _SKEW_MS:
        raise ValueError(f"nothing can be missing from {start} to {end}")
    if gap.end_ms - gap.start_ms > _LONGEST_MS:
        days = (gap.end_ms - gap.start_ms) // _DAY_MS
        raise ValueError(f"{days} days, from {start} to {end}, are too many to heal bar by bar")

"""Why something is missing: the words of gaps and losses, which metrics have as a label.

A word may have more behind a colon, such as `disconnected: closed 1006`, which labels leave out.
A new reason belongs in here: its series then begins at 0, so that alerts see the first event.
"""

from collections.abc import Collection
from typing import Final

LOST: Final = ("buffer_full", "refused", "not_delivered")
"""Why the feed could not produce an event."""

FEED_GAPS: Final = ("restart", "disconnected", *LOST)
"""Why the feed records a gap."""

FILTER_GAPS: Final = {"volume_jump": "stocks", "retention": ""}
"""Why the filter records a gap, and the market that it names."""

OTHER: Final = "other"
"""Stands in labels for what is not listed here."""


def label(reason: str, known: Collection[str]) -> str:
    """Return the word of a reason, or `other` if it is not one of those known."""
    word = reason.partition(":")[0]
    return word if word in known else OTHER

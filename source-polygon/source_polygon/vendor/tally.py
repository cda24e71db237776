"""What this process counts for the summary of a sync."""

from threading import Lock
from typing import Final


class Tally:
    """A number that several threads count up."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._number = 0

    def add_one(self) -> None:
        """Count one more."""
        with self._lock:
            self._number += 1

    @property
    def number(self) -> int:
        """The count so far."""
        return self._number


REQUESTS: Final = Tally()
"""Requests sent, retries included: what a sync costs."""

BELIEVED: Final = Tally()
"""Answers without rows where there should be some, believed after asking again."""

"""What a sync costs, and what it had to take on trust."""

from threading import Lock
from typing import Final


class Tally:
    """What was asked for in this process, over all threads.

    Attributes:
        requests: sent, retries included.
        believed: answers without rows that were unlikely, asked for again, and then believed.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self.requests = 0
        self.believed = 0

    def sent(self) -> None:
        """Count a request."""
        with self._lock:
            self.requests += 1

    def believed_empty(self) -> None:
        """Count an empty answer that was believed."""
        with self._lock:
            self.believed += 1


TALLY: Final = Tally()

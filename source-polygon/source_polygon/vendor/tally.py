"""What a sync costs, and what it had to take on trust."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final


class Tally:
    """What was asked for in this process, over all threads.

    Attributes:
        believed: answers without rows that were unlikely, asked for again, and then believed.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Count from nothing; `clock` gives seconds."""
        self._clock = clock
        self._lock = Lock()
        self.believed = 0
        self._sent: Counter[str] = Counter()
        self._waited: dict[str, float] = {}
        self._waiting: dict[object, tuple[str, float]] = {}

    def sends(self, product: str) -> None:
        """Count a request."""
        with self._lock:
            self._sent[product] += 1

    def sent(self) -> Counter[str]:
        """Return the requests sent for each product, retries included."""
        with self._lock:
            return self._sent.copy()

    def believed_empty(self) -> None:
        """Count an empty answer that was believed."""
        with self._lock:
            self.believed += 1

    @contextmanager
    def waiting(self, product: str) -> Iterator[None]:
        """Count the time inside as one of waiting for the budget of a product."""
        wait = object()
        with self._lock:
            self._waiting[wait] = (product, self._clock())
        try:
            yield
        finally:
            with self._lock:
                _, since = self._waiting.pop(wait)
                self._waited[product] = self._waited.get(product, 0.0) + self._clock() - since

    def waited(self) -> dict[str, float]:
        """Return the seconds waited for the budget of each product, up to this moment."""
        with self._lock:
            waited, now = dict(self._waited), self._clock()
            for product, since in self._waiting.values():
                waited[product] = waited.get(product, 0.0) + now - since
        return waited


TALLY: Final = Tally()

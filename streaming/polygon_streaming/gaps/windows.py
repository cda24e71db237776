"""Windows of time that have been dealt with, so that none is dealt with twice."""

from bisect import insort
from collections import defaultdict
from collections.abc import Hashable


class Windows:
    """Windows by key; instants are milliseconds since 1970 UTC, the end is not part of a window."""

    def __init__(self) -> None:
        self._done: defaultdict[Hashable, list[tuple[int, int]]] = defaultdict(list)

    def add(self, key: Hashable, start_ms: int, end_ms: int) -> None:
        """Note that a window has been dealt with."""
        if start_ms < end_ms:
            insort(self._done[key], (start_ms, end_ms))

    def open(self, key: Hashable, start_ms: int, end_ms: int) -> list[tuple[int, int]]:
        """Return what of a window has not been dealt with, in order."""
        left: list[tuple[int, int]] = []
        for start, end in self._done[key]:
            if start >= end_ms:
                break
            if start_ms < start:
                left.append((start_ms, start))
            start_ms = max(start_ms, end)
        if start_ms < end_ms:
            left.append((start_ms, end_ms))
        return left

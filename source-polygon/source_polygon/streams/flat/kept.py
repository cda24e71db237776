"""What is made of values that many rows share, made once for each."""

from collections.abc import Callable
from typing import Any, Final

_MOST: Final = 20_000


class Kept(dict[bytes, Any]):
    """What is made of a value: looked up like an item, made once, a bounded number of them kept.

    Files are in the order of symbols, so that what went is not asked for again soon.
    """

    def __init__(self, make: Callable[[bytes], Any], most: int = _MOST) -> None:
        """Keep up to `most` of what `make` returns."""
        self._make, self._most = make, most

    def __missing__(self, value: bytes) -> Any:
        if len(self) >= self._most:
            self.clear()
        made = self[value] = self._make(value)
        return made

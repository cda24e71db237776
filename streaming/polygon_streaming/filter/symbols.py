"""Which symbols pass: patterns and a sample. Decisions are remembered."""

import re
import zlib
from collections.abc import Sequence
from fnmatch import translate
from typing import Final

_REMEMBERED: Final = 200_000


class Symbols(dict[str, bool]):
    """Whether each symbol passes: some patterns let it pass, some do not, and a share at that.

    `symbols[symbol]` is always the same for the same symbol. A dictionary of answers, which looks
    for those that are missing: no call for each event.
    """

    def __init__(self, include: Sequence[str], exclude: Sequence[str], sample: float) -> None:
        super().__init__()
        self._include = _pattern(include)
        self._exclude = _pattern(exclude)
        self._below = sample * 2**32

    def __missing__(self, symbol: str) -> bool:
        if len(self) >= _REMEMBERED:
            self.clear()
        wanted = (
            bool(self._include.fullmatch(symbol))
            and not self._exclude.fullmatch(symbol)
            and zlib.crc32(symbol.encode()) < self._below
        )
        self[symbol] = wanted
        return wanted


def _pattern(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern) for pattern in patterns) or r"(?!)")

"""Which symbols pass: patterns and a sample. Decisions are remembered."""

import re
import zlib
from collections.abc import Sequence
from fnmatch import translate
from typing import Final

_REMEMBERED: Final = 200_000


class Symbols:
    """The symbols that some patterns let pass, some do not, and a share of them at that."""

    def __init__(self, include: Sequence[str], exclude: Sequence[str], sample: float) -> None:
        self._include = _pattern(include)
        self._exclude = _pattern(exclude)
        self._below = sample * 2**32
        self._known: dict[str, bool] = {}

    def wants(self, symbol: str) -> bool:
        """Tell whether a symbol passes: always the same answer for the same symbol."""
        known = self._known.get(symbol)
        return self._remember(symbol) if known is None else known

    def _remember(self, symbol: str) -> bool:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        wanted = (
            bool(self._include.fullmatch(symbol))
            and not self._exclude.fullmatch(symbol)
            and zlib.crc32(symbol.encode()) < self._below
        )
        self._known[symbol] = wanted
        return wanted


def _pattern(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern) for pattern in patterns) or r"(?!)")

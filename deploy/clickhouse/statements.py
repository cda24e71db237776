"""The migrations as statements."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MIGRATIONS: Final = Path(__file__).parent / "migrations"
# What the tables of trades and quotes are cut by, and what they may be cut by instead.
_BY_MONTH: Final = "PARTITION BY toYYYYMM(timestamp)"
_BY_DAY: Final = "PARTITION BY toYYYYMMDD(timestamp)"
_END: Final = re.compile(r";[ \t]*(?:\n|$)")


@dataclass(frozen=True, slots=True)
class Migration:
    """A numbered file.

    Attributes:
        name: of the file, without its ending.
        statements: in their order, without comments at the beginning.
    """

    name: str
    statements: tuple[str, ...]


def migrations(folder: Path = MIGRATIONS, *, daily_ticks: bool = False) -> list[Migration]:
    """Return the migrations in their order.

    Args:
        folder: where they are.
        daily_ticks: a partition for each day of trades and quotes instead of each month.
    """
    found = []
    for path in sorted(folder.glob("[0-9]*.sql")):
        text = path.read_text(encoding="utf-8")
        if daily_ticks:
            text = text.replace(_BY_MONTH, _BY_DAY)
        found.append(Migration(path.stem, tuple(split(text))))
    return found


def split(script: str) -> Iterator[str]:
    """Return the statements of a script; each ends in a semicolon at the end of a line."""
    for part in _END.split(script):
        lines = part.strip().splitlines()
        while lines and (not lines[0].strip() or lines[0].startswith("--")):
            del lines[0]
        if lines:
            yield "\n".join(lines)

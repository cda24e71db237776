"""The end of a bar, as the vendor gives it and as a record has it."""

from datetime import date, datetime, timezone
from typing import Any, Final

from source_polygon.stamps import from_milliseconds

# A bar's end is taken from the vendor, and only its unit is judged: another one is years off.
_OFF_MS: Final = 31 * 86_400_000


def stamp_of_end(end: Any, day: date) -> str:
    """Return the end of a bar as text.

    Raises:
        ValueError: `end` is not a time within a month of `day` in Unix milliseconds.
    """
    due = round(datetime(day.year, day.month, day.day, tzinfo=timezone.utc).timestamp() * 1000)
    if type(end) is not int or abs(end - due) > _OFF_MS:
        raise ValueError(
            f"t is {repr(end)[:40]}, expected Unix milliseconds of that session, near {due}"
        )
    return from_milliseconds(end)

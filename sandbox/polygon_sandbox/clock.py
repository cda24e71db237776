"""The world's clock: a fixed instant that can be moved forward, or real time."""

from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

UTC = timezone.utc
NEW_YORK = ZoneInfo("America/New_York")

# Observed stamps: 06:05-06:11 UTC in summer, 07:06 UTC in winter, so about 02:06 New York.
_NIGHTLY_BATCH = time(2, 6)


def parse_instant(text: str | datetime) -> datetime:
    """Read an ISO 8601 instant that carries an offset or `Z`; the answer is in UTC."""
    instant = text if isinstance(text, datetime) else _from_iso(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset; write 2026-11-20T22:30:00Z")
    return instant.astimezone(UTC)


def _from_iso(text: str) -> datetime:
    # Python 3.10 does not know the suffix Z.
    return datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)


def to_ns(instant: datetime) -> int:
    """Nanoseconds since 1970 UTC, exact for the microseconds a datetime holds."""
    return round((instant - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 1000


def last_nightly_batch(now: datetime) -> datetime:
    """The latest 02:06 New York at or before `now` (UTC): when active rows were last stamped."""
    local = now.astimezone(NEW_YORK)
    night = datetime.combine(local.date(), _NIGHTLY_BATCH, tzinfo=NEW_YORK)
    if night > local:
        night = datetime.combine(local.date() - timedelta(days=1), _NIGHTLY_BATCH, tzinfo=NEW_YORK)
    return night.astimezone(UTC)


class Clock:
    """What time it is in the world: `now=None` follows the machine, anything else stands still."""

    def __init__(self, now: str | datetime | None = None) -> None:
        self._fixed = None if now is None else parse_instant(now)

    def now(self) -> datetime:
        """The current instant, in UTC."""
        return self._fixed or datetime.now(UTC)

    def today(self) -> date:
        """The current date in New York, the calendar the vendor's date checks follow."""
        return self.now().astimezone(NEW_YORK).date()

    def advance(self, to: str | datetime) -> None:
        """Move a fixed clock forward to an instant."""
        target = parse_instant(to)
        if self._fixed is None:
            raise ValueError("this world follows real time; give World(now=...) to move its clock")
        if target < self._fixed:
            raise ValueError(f"the clock cannot go back from {self._fixed} to {target}")
        self._fixed = target

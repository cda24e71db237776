"""Which days' files a sync reads of one asset class, and the state that it has reached by each.

The state is the last complete day, the version of each file of the days before it that are looked
at again (ETag, and when it was put there), and the trading days whose file was missing:

    {"file_date": "2026-11-24", "versions": {"2026-11-24": "..."}, "missing": ["2026-11-13"]}

The time counts too: of a version that turned out to be truncated, rows may have left before the one
before it was put back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from source_polygon.engine.lanes import Lane, UnreadableState, saved_day
from source_polygon.sessions import sessions
from source_polygon.streams.history import History
from source_polygon.vendor.flat_files import Listed

_VERSIONS: Final = "versions"
_MISSING: Final = "missing"


@dataclass(frozen=True)
class Known:
    """What is known of the files so far.

    Attributes:
        day: the last complete day; None before the first.
        versions: those that were read of the last days' files.
        missing: trading days without a file, or with one that is not theirs.
    """

    day: date | None = None
    versions: Mapping[date, str] = field(default_factory=dict)
    missing: frozenset[date] = frozenset()

    @staticmethod
    def of(cursor: Mapping[str, Any], cursor_field: str) -> "Known":
        """Read it from a lane's checkpoint.

        Raises:
            UnreadableState: it is not of that form.
        """
        try:
            return Known(
                saved_day(cursor, cursor_field),
                {
                    date.fromisoformat(day): str(tag)
                    for day, tag in cursor.get(_VERSIONS, {}).items()
                },
                frozenset(map(date.fromisoformat, cursor.get(_MISSING, []))),
            )
        except (AttributeError, TypeError, ValueError) as error:
            raise UnreadableState(repr(dict(cursor))) from error

    def checkpoint(self, cursor_field: str) -> Mapping[str, Any]:
        """Return it as it stands in the state."""
        return {
            cursor_field: str(self.day),
            _VERSIONS: {day.isoformat(): self.versions[day] for day in sorted(self.versions)},
            _MISSING: [day.isoformat() for day in sorted(self.missing)],
        }


class FlatLane(Lane):
    """The files of one asset class and dataset that a sync reads, oldest first.

    Attributes:
        asset_class: the asset class.
        known: what was known before the sync.
        since: the first day of which the list of files is wanted.
        files: those to read, once `found` has been told.
        history: what the plan's history allows of them.
        missing: trading days without a file.
    """

    def __init__(
        self,
        partition: Mapping[str, Any],
        cursor: Mapping[str, Any],
        known: Known,
        first_day: date,
        lookback_days: int,
        run_ahead: int,
    ) -> None:
        """Go on from what is known; `first_day` is the first that is wanted at all."""
        super().__init__(partition, cursor, run_ahead)
        self.asset_class = str(partition["asset_class"])
        self.known = known
        self.files: list[Listed] = []
        self.history = History([])
        self.missing: set[date] = set()
        self._lookback = timedelta(days=lookback_days)
        since = first_day
        if known.day:
            since = max(since, known.day - self._lookback)
        self.since = max(first_day, min([since, *known.missing]))
        self._versions: dict[date, str] = {}

    def found(self, listed: Sequence[Listed]) -> None:
        """Take the list of all files since the first day that is wanted, oldest first."""
        there = {each.day for each in listed}
        if there:
            # Before its first file a dataset has not begun.
            begun = self.since if self.known.day else min(there)
            self.missing = {
                day for day in expected(self.asset_class, begun, max(there)) if day not in there
            }
        self.files = [each for each in listed if self._is_wanted(each)]
        self._versions = {each.day: each.version for each in listed}
        self.history = History([each.day for each in self.files])

    def was_replaced(self, day: date) -> None:
        """Note that another version of a day's file was read than is in the list."""
        self._versions[day] = ""

    def was_absent(self, day: date) -> None:
        """Note that a day's file was gone, without rows, or that of another day."""
        self.missing.add(day)

    def complete(self, position: int, cursor: Mapping[str, Any] | None) -> bool:
        """Note as `Lane` does that a file is read; its day alone is what `cursor` has.

        What else the checkpoint holds is taken up here: only now all files before it are read.
        """
        moved = super().complete(position, cursor)
        if moved:
            (field, day), *_ = self.cursor.items()
            self.cursor = self._reached(date.fromisoformat(day)).checkpoint(field)
        return moved

    def _reached(self, day: date) -> Known:
        """Return what is known once the file of a day is read, and all files before it."""
        known = self.known
        last = max(day, known.day or day)
        oldest = last - self._lookback

        def news(days: Iterable[date]) -> list[date]:
            return [each for each in days if each <= day]

        def still(days: Iterable[date]) -> list[date]:
            return [each for each in days if each > day]

        versions = {each: self._versions[each] for each in news(self._versions)}
        versions |= {each: known.versions[each] for each in still(known.versions)}
        missing = frozenset([*news(self.missing), *still(known.missing)])
        return Known(
            last,
            {each: tag for each, tag in versions.items() if each > oldest and each not in missing},
            missing,
        )

    def _is_wanted(self, each: Listed) -> bool:
        known = self.known
        if known.day is None or each.day > known.day or each.day in known.missing:
            return True
        return (
            each.day > known.day - self._lookback and known.versions.get(each.day) != each.version
        )


def expected(asset_class: str, start: date, end: date) -> list[date]:
    """Return the days from `start` to `end` of which there must be a file.

    Crypto trades on every day. The others are expected on the days of New York's sessions; what
    else there is of them (futures on some holidays) is read where it is there.
    """
    return sessions("crypto" if asset_class == "crypto" else "stocks", start, end)

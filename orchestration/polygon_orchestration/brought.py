"""Which sessions a sync brought bars of. The others are not marked as read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone

from polygon_orchestration.sessions import NEW_YORK, close, due
from polygon_orchestration.warehouse import QueryError, Row, Warehouse


@dataclass(frozen=True)
class Brought:
    """What has landed, and why a session has not.

    Attributes:
        warehouse: where the bars land.
        plan_delay_minutes: see `Settings`.
    """

    warehouse: Warehouse
    plan_delay_minutes: int | None

    def landed(self, first: date, last: date) -> dict[date, Row]:
        """Return what there is of each session: the number of bars, when the last one was read.

        Raises:
            QueryError: the warehouse does not answer, or has no table of bars yet.
        """
        rows = self.warehouse.rows(
            "SELECT date, COUNT(*) AS bars, MAX(_airbyte_extracted_at) AS extracted_at "  # noqa: S608 - dates
            "FROM LANDING.GROUPED_DAILY WHERE market = 'stocks' "
            f"AND date BETWEEN '{first}' AND '{last}' GROUP BY date"
        )
        return {row["date"]: row for row in rows}

    def before(self, first: date, last: date) -> dict[date, Row]:
        """Return the same before a sync; nothing where there is no table yet."""
        try:
            return self.landed(first, last)
        except QueryError:
            return {}

    def over(self, days: Sequence[date]) -> list[date]:
        """Return the sessions that the plan serves by now."""
        return [day for day in days if due(day, self.plan_delay_minutes) <= _now()]

    def why_not(self, day: date) -> str:
        """Return the reason why a session has no bars, as far as it can be told."""
        closes, served = close(day), due(day, self.plan_delay_minutes)
        if _now() < closes:
            return f"{day} is not over: New York closes at {_clock(closes)}"
        if _now() < served:
            return f"{day} is over, but the plan serves it from {_clock(served)} on"
        return (
            f"{day} is over, and the vendor sent no bars. The connector's warnings in the log say "
            "more: the plan's history may begin later"
        )


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(NEW_YORK):%Y-%m-%d %H:%M} New York"

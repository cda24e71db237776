"""Asset checks: what goes wrong with this data. Most are a query that finds the rows at fault."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from importlib.resources import files

import dagster as dg

from polygon_orchestration.ingestion import BARS
from polygon_orchestration.sessions import last_due, sessions
from polygon_orchestration.warehouse import QueryError, Row, Warehouse

ASSET = dg.AssetKey(["landing", BARS])
_SHOWN = 20


@dataclass(frozen=True)
class Check:
    """A check of a table.

    Attributes:
        name: as Dagster and the alerts show it; that of a file in `checks/` if it is a query.
        blocking: whether nothing is modelled from what fails it.
        description: what is at fault, in words.
        faults: returns the rows at fault.
        asset: the table; by default that of the bars.
    """

    name: str
    blocking: bool
    description: str
    faults: Callable[[], Sequence[Row]]
    asset: dg.AssetKey = ASSET

    def definition(self) -> dg.AssetChecksDefinition:
        """Return the check for Dagster."""

        @dg.asset_check(
            asset=self.asset, name=self.name, description=self.description, blocking=self.blocking
        )
        def run() -> dg.AssetCheckResult:
            try:
                found = self.faults()
            except QueryError as error:  # not the same as nothing found
                return dg.AssetCheckResult(passed=False, description=f"not checked: {error}")
            return dg.AssetCheckResult(
                passed=not found,
                severity=dg.AssetCheckSeverity.ERROR,
                description=f"{len(found)} at fault, such as {_text(found[0])}" if found else None,
                metadata={"faults": len(found), "such as": [_text(row) for row in found[:_SHOWN]]},
            )

        return run


def checks(warehouse: Warehouse, plan_delay_minutes: int | None) -> list[Check]:
    """Return the checks that need nothing but the warehouse."""
    # What is corrupt is not modelled; what is incomplete is, and says so.
    queries = {
        "duplicate_key": True,
        "price_outside_range": True,
        "symbol_count": False,
        "zero_volume": False,
        "bars_without_ticker": False,
    }
    # Those of the other tables see that nothing was lost, multiplied or turned round on the way.
    others = {
        ("landing", "tickers"): "ticker_twice",
        ("landing", "splits"): "split_without_shares",
        ("landing", "dividends"): "dividend_without_amount",
        ("market", "latest_tickers"): "symbol_twice",
        ("market", "listings"): "bars_after_delisting",
        ("market", "active_universe"): "listed_twice",
        ("market", "daily_bars"): "bars_lost",
        ("market", "adjustments"): "periods_overlap",
        ("market", "daily_bars_adjusted"): "adjusted_bars_differ",
        ("market", "daily_bars_total_return"): "total_return_bars_differ",
    }
    return [
        *(_query(name, blocking, warehouse, ASSET) for name, blocking in queries.items()),
        *(_query(name, False, warehouse, dg.AssetKey(key)) for key, name in others.items()),
        Check(
            "missing_session",
            False,
            "Trading days between the first session and the last one that have no bars.",
            lambda: _missing(_there(warehouse)),
        ),
        Check(
            "staleness",
            False,
            "The latest session, if it is not the one that the plan serves by now.",
            lambda: _stale(_there(warehouse), plan_delay_minutes),
        ),
    ]


def sql(name: str) -> str:
    """Return the text of a query in `checks/`."""
    path = files("polygon_orchestration") / "checks" / f"{name}.sql"
    return path.read_text(encoding="utf-8")


def _query(name: str, blocking: bool, warehouse: Warehouse, asset: dg.AssetKey) -> Check:
    text = sql(name)
    comment = [line[3:] for line in text.splitlines() if line.startswith("-- ")]
    return Check(name, blocking, " ".join(comment), lambda: warehouse.rows(text), asset)


def _there(warehouse: Warehouse) -> list[date]:
    return [row["date"] for row in warehouse.rows(sql("sessions"))]


def _missing(there: list[date]) -> list[Row]:
    if not there:
        return []
    return [{"date": day} for day in sessions(there[0], there[-1]) if day not in there]


def _stale(there: list[date], plan_delay_minutes: int | None) -> list[Row]:
    due = last_due(datetime.now(timezone.utc), plan_delay_minutes)
    if there and there[-1] >= due:
        return []
    return [{"latest": there[-1] if there else None, "due": due}]


def _text(row: Row) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items())

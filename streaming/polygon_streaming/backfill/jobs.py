"""What a backfill has to do: each day that has a file or should have one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Any

from polygon_streaming.backfill import days
from polygon_streaming.backfill.kinds import Dataset, datasets
from polygon_streaming.backfill.ledger import Ledger, Loaded
from polygon_streaming.backfill.outcomes import Outcome
from polygon_streaming.backfill.sources import Found, Source, quoted
from polygon_streaming.backfill.target import Target, sweep, target
from polygon_streaming.errors import ConfigError
from polygon_streaming.settings import BackfillSettings
from polygon_streaming.sink import clickhouse


@dataclass(frozen=True, slots=True)
class Job:
    """A day of a dataset.

    Attributes:
        dataset: see there.
        day: of the file.
        found: the file that is listed; None if there is none.
        known: what is in the table of it; None if nothing is known to be.
        to: the table.
    """

    dataset: Dataset
    day: date
    found: Found | None
    known: Loaded | None
    to: Target


def jobs_of(
    client: Any,
    source: Source,
    dataset: Dataset,
    span: tuple[date, date],
    settings: BackfillSettings,
) -> Iterator[Job]:
    """Return the days of a dataset, after the table was created, if that is wanted, and swept.

    Args:
        client: of ClickHouse.
        source: has the files.
        dataset: see there.
        span: the first day and the last.
        settings: see there.

    Raises:
        ClickHouseError, ConfigError, StreamError: the source or ClickHouse refuses.
    """
    table, first, last = settings.tables[dataset.kind.name], *span
    ledger = Ledger(client, dataset, table)
    if settings.create_table and not settings.dry_run:
        client.command(clickhouse.table_statement(table, dataset.kind.name))
        ledger.create()
    there = bool(int(client.command(f"EXISTS TABLE {table}")))
    known = {} if settings.dry_run else ledger.loaded()
    if known and not (there and _has_rows(client, dataset, table)):
        known = {}  # the table was emptied or made anew since
    if there and not settings.dry_run:
        sweep(client, table, embedded=settings.clickhouse.startswith("chdb:"))
    to = target(client, table) if there else Target(table, "", "", "")
    listed = source.listed(dataset, first, last)
    for day in days.between(first, last):
        if day in listed or days.is_expected(dataset.market, day):
            yield Job(dataset, day, listed.get(day), known.get(day), to)


def absent(job: Job) -> Outcome:
    """Return what there is to say of a day that has no file."""
    name = job.dataset.name
    if not days.is_due(job.day, datetime.now(timezone.utc)):
        words = "it is published at about 11:00 New York time of the day after."
        return Outcome(name, job.day, "unpublished", words=words)
    words = "a trading day without a file: the vendor has not published it. Run again later."
    return Outcome(name, job.day, "missing", words=words)


def chosen(data: str, markets: str) -> list[Dataset]:
    """Return the datasets that settings name.

    Raises:
        ConfigError: there are none of that name.
    """
    try:
        return datasets(_listed(data), _listed(markets))
    except ValueError as error:
        raise ConfigError(f"data, markets: {error}.") from None


def _listed(text: str) -> list[str]:
    return list(dict.fromkeys(filter(None, (part.strip() for part in text.split(",")))))


def _has_rows(client: Any, dataset: Dataset, table: str) -> bool:
    """Tell whether a table has any row of a market."""
    query = f"SELECT 1 FROM {table} WHERE market = {quoted(dataset.market)} LIMIT 1"
    return bool(client.query(query).result_rows)

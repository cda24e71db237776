"""What was loaded, remembered in ClickHouse beside the rows: the table `flat_files`."""

from datetime import date
from typing import Any, Final, NamedTuple

from polygon_streaming.backfill.kinds import Dataset
from polygon_streaming.backfill.outcomes import Outcome
from polygon_streaming.backfill.sources import quoted
from polygon_streaming.sink import clickhouse

TABLE: Final = "flat_files"


class Loaded(NamedTuple):
    """A file that is in its table: the tag that it had, its size in bytes, its rows."""

    etag: str
    size: int
    rows: int


class Ledger:
    """The files of one dataset that are in one table."""

    def __init__(self, client: Any, dataset: Dataset, table: str) -> None:
        self._client = client
        self._dataset = dataset
        self._table = table

    def create(self) -> None:
        """Create the table if it is missing."""
        self._client.command(clickhouse.table_statement(TABLE, TABLE))

    def loaded(self) -> dict[date, Loaded]:
        """Return the files that are in the table."""
        dataset = self._dataset
        rows = self._client.query(
            f"SELECT day, etag, bytes, rows FROM {TABLE} FINAL WHERE target = "
            f"{quoted(self._table)} AND market = {quoted(dataset.market)} "
            f"AND kind = {quoted(dataset.kind.name)}"
        ).result_rows
        return {day: Loaded(*rest) for day, *rest in rows}

    def note(self, outcome: Outcome, etag: str) -> None:
        """Remember that a file is in the table."""
        dataset = self._dataset
        values = ", ".join(map(quoted, (self._table, dataset.market, dataset.kind.name)))
        self._client.command(
            f"INSERT INTO {TABLE} (target, market, kind, day, etag, bytes, rows, seconds) VALUES "
            f"({values}, '{outcome.day}', {quoted(etag)}, {outcome.bytes}, {outcome.rows}, "
            f"{outcome.seconds:.3f})",
            settings={"async_insert": 0},
        )

"""The table that gets the rows, and what killed runs have left beside it."""

from datetime import datetime, timedelta, timezone
from typing import Any, Final, NamedTuple

from polygon_streaming.backfill.sources import quoted
from polygon_streaming.errors import StreamError

MARK: Final = "__file_"
"""What stands in the names of tables that are only there while a file is read."""

_LEFT_BEHIND: Final = timedelta(days=1)


class Target(NamedTuple):
    """A table that gets the rows, as ClickHouse describes it.

    Attributes:
        name: of the table.
        database: where it is.
        engine: such as ReplacingMergeTree.
        shape: the clauses that make another table's parts fit it.
    """

    name: str
    database: str
    engine: str
    shape: str

    @property
    def takes_parts(self) -> bool:
        """Whether parts of another table can be attached to it."""
        return self.engine.endswith("MergeTree")


def target(client: Any, table: str) -> Target:
    """Return the description of a table.

    Raises:
        StreamError: it is not there.
    """
    rows = client.query(
        "SELECT database, engine, partition_key, primary_key, sorting_key, storage_policy "
        f"FROM system.tables WHERE database = currentDatabase() AND name = {quoted(table)}"
    ).result_rows
    if not rows:
        raise StreamError(f"clickhouse: there is no table {table}. The sink creates it.")
    database, engine, partition, primary, sorting, policy = rows[0]
    shape = f"PARTITION BY {partition} " if partition else ""
    shape += f"PRIMARY KEY ({primary}) ORDER BY ({sorting})" if sorting else "ORDER BY tuple()"
    if policy and policy != "default":
        shape += f" SETTINGS storage_policy = {quoted(policy)}"
    return Target(table, database, engine, shape)


def onlookers(client: Any, table: str) -> list[str]:
    """Return the views that see what is inserted into a table, and not what is attached to it."""
    rows = client.query(
        "SELECT arrayJoin(dependencies_table) AS view FROM system.tables "
        f"WHERE database = currentDatabase() AND name = {quoted(table)} ORDER BY view"
    ).result_rows
    return [row[0] for row in rows]


def sweep(client: Any, table: str, *, embedded: bool) -> None:
    """Drop what killed runs left: what is a day old, or anything where only one can run.

    The embedded ClickHouse belongs to one process.
    """
    age = timedelta() if embedded else _LEFT_BEHIND
    before = datetime.now(timezone.utc) - age
    rows = client.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND "
        f"startsWith(name, {quoted(table + MARK)}) AND "
        f"metadata_modification_time <= toDateTime({int(before.timestamp())})"
    ).result_rows
    for (name,) in rows:
        client.command(f"DROP TABLE IF EXISTS {name} SYNC")

"""Applies migrations once each, in their order, and remembers them in `schema_migrations`."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, Final

from clickhouse_connect.driver.exceptions import ClickHouseError

from deploy.clickhouse.cluster import for_cluster
from deploy.clickhouse.statements import Migration

_JOURNAL: Final = """\
CREATE TABLE IF NOT EXISTS schema_migrations (
    name String,
    checksum FixedString(64),
    applied_at DateTime('UTC') DEFAULT now()
)
ENGINE = MergeTree
ORDER BY name"""


class MigrationError(Exception):
    """A migration cannot be applied; the text says why and what to do."""


def statements(migration: Migration, cluster: str | None) -> list[str]:
    """Return what a migration executes, on one server or on a cluster."""
    if cluster is None:
        return list(migration.statements)
    return [each for s in migration.statements for each in for_cluster(s, cluster)]


def migrate(
    client: Any, wanted: Sequence[Migration], cluster: str | None, say: Callable[[str], None]
) -> int:
    """Apply what is new, and return how many migrations that were.

    A migration is remembered when all of its statements are done. Each of them can be repeated, so
    that one that failed half-way is applied again from its beginning.

    Args:
        client: of clickhouse-connect; its database takes the tables.
        wanted: the migrations.
        cluster: name of a cluster; None for one server and for ClickHouse Cloud.
        say: takes a line for each migration.

    Raises:
        MigrationError: ClickHouse refuses, or a file has changed since it was applied.
    """
    client.command(_JOURNAL)
    rows = client.query("SELECT name, checksum FROM schema_migrations").result_rows
    applied = {name: _text(checksum) for name, checksum in rows}
    count = 0
    for migration in wanted:
        every = statements(migration, cluster)
        checksum = sha256(";".join(every).encode()).hexdigest()
        if applied.get(migration.name) == checksum:
            say(f"= {migration.name}")
            continue
        if migration.name in applied:
            raise MigrationError(
                f"{migration.name} has changed since it was applied. Restore the file, and put the "
                "change into a new one with the next number."
            )
        for statement in every:
            _execute(client, migration, statement)
        client.insert("schema_migrations", [[migration.name, checksum]], ["name", "checksum"])
        say(f"+ {migration.name}")
        count += 1
    return count


def _execute(client: Any, migration: Migration, statement: str) -> None:
    try:
        client.command(statement)
    except ClickHouseError as error:
        first = statement.split("\n", 1)[0]
        raise MigrationError(f"{migration.name}: {first}: {error}") from error


def _text(checksum: str | bytes) -> str:
    return checksum.decode() if isinstance(checksum, bytes) else checksum

"""Where the tables are. All SQL is Snowflake's; DuckDB gets the same through sqlglot."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import duckdb
import snowflake.connector
from sqlglot import exp, parse_one

Row = dict[str, Any]


class QueryError(Exception):
    """The warehouse cannot answer a query, such as one of a table that was never landed."""


class Warehouse(Protocol):
    """The two schemas: LANDING, which the connector fills, and MARKET, made of it."""

    def publish(self, view: exp.Create) -> None:
        """Bring what readers see of `view`, a CREATE VIEW in Snowflake's SQL, up to date.

        Raises:
            QueryError: with the warehouse's words.
        """

    def rows(self, query: str) -> list[Row]:
        """Return what a query in Snowflake's SQL finds, by lower-case column names.

        Raises:
            QueryError: with the warehouse's words.
        """


class DuckDB:
    """A DuckDB file. It has one writing process at a time, so runs take turns.

    MARKET's are tables here: readers see what has passed the checks, and not what lands meanwhile.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def publish(self, view: exp.Create) -> None:
        """Build the table anew."""
        table = view.copy()
        table.set("kind", "TABLE")
        with self._connection() as connection:
            connection.execute("CREATE SCHEMA IF NOT EXISTS market")
            connection.execute(table.sql("duckdb"))

    def rows(self, query: str) -> list[Row]:
        """Return what a query in Snowflake's SQL finds, by lower-case column names."""
        with self._connection() as connection:
            found = connection.execute(parse_one(query, read="snowflake").sql("duckdb"))
            return _by_name(found.description, found.fetchall())

    @contextmanager
    def _connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            with duckdb.connect(self._path) as connection:
                connection.execute("SET TimeZone = 'UTC'")  # stamps become dates in UTC
                yield connection
        except duckdb.Error as error:
            raise QueryError(str(error).partition("\n")[0]) from error


class Snowflake:
    """Snowflake, set up by deploy/snowflake. Its views follow LANDING by themselves."""

    def __init__(self, **login: Any) -> None:
        self._login = login

    def publish(self, view: exp.Create) -> None:
        """See that the view answers. Making it anew would take away what was granted on it."""
        self.rows(f"SELECT * FROM {view.this.sql('snowflake')} LIMIT 1")  # noqa: S608 - our own SQL

    def rows(self, query: str) -> list[Row]:
        """Return what a query finds, by lower-case column names."""
        try:
            with snowflake.connector.connect(**self._login) as connection:
                cursor = connection.cursor()
                cursor.execute(query)
                return _by_name(cursor.description, cursor.fetchall())
        except snowflake.connector.errors.Error as error:
            raise QueryError(str(error).partition("\n")[0]) from error


def _by_name(description: Any, rows: list[Any]) -> list[Row]:
    names = [column[0].lower() for column in description]
    return [dict(zip(names, row, strict=True)) for row in rows]

"""Snowflake's SQL, run on DuckDB by fakesnow, over tables as Airbyte's destination lands them."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd
from airbyte_cdk.models import AirbyteStream
from snowflake.connector import pandas_tools
from source_polygon import SourcePolygon

from deploy.tests.snowflake.script import statements

Row = dict[str, Any]

FOLDER = Path(__file__).parents[2] / "snowflake"
_TYPES = {
    "string": "VARCHAR",
    "number": "FLOAT",
    "integer": "NUMBER",
    "boolean": "BOOLEAN",
    "array": "VARIANT",
    "object": "VARIANT",
}
# What has no meaning without an account: who may do what, and on which machines.
NO_OPERATION = [r"\s*(USE ROLE|GRANT|(CREATE|ALTER) (ROLE|USER|WAREHOUSE))\b"]


def table(stream: AirbyteStream) -> str:
    """Return the statement with which the destination creates the table of a stream.

    It writes names in upper case, and types as in Airbyte's SnowflakeColumnUtils.
    """
    columns = [f'"{name.upper()}" {_type(schema)}' for name, schema in _properties(stream).items()]
    added = ["_AIRBYTE_RAW_ID VARCHAR", "_AIRBYTE_EXTRACTED_AT TIMESTAMP_TZ"]
    added += ["_AIRBYTE_META VARIANT", "_AIRBYTE_GENERATION_ID NUMBER"]
    return f"CREATE TABLE LANDING.{stream.name.upper()} ({', '.join([*added, *columns])})"


def _properties(stream: AirbyteStream) -> dict[str, Row]:
    found: dict[str, Row] = dict(stream.json_schema)["properties"]
    return found


def _type(schema: Row) -> str:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    kind, *others = set(kinds) - {"null"}
    if others:
        return "VARIANT"
    if kind == "string" and schema.get("format") == "date":
        return "DATE"
    if kind == "string" and schema.get("format") == "date-time":
        assert schema["airbyte_type"] == "timestamp_with_timezone"
        return "TIMESTAMP_TZ"
    return _TYPES[kind]


class Landing:
    """The database POLYGON, set up, with tables of some streams and the views.

    `connection` is one of fakesnow.
    """

    def __init__(self, connection: Any, *streams: str) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        config = {"api_key": "unused", "start_date": "2026-11-02", "symbols": ["AAPL"]}
        catalog = SourcePolygon(config=config).discover(logging.getLogger("airbyte"), config)
        self._streams = {each.name: each for each in catalog.streams if each.name in streams}
        self.run("setup.sql")
        self._cursor.execute("USE DATABASE POLYGON")
        for stream in self._streams.values():
            self._cursor.execute(table(stream))

    def run(self, script: str, now: str | None = None) -> None:
        """Run a script of deploy/snowflake.

        Args:
            script: its name.
            now: what its views take for the current time; None: the real one, DuckDB's own.
        """
        for statement in statements(FOLDER / script):
            if now:
                statement = statement.replace("CURRENT_TIMESTAMP()", f"'{now}'::TIMESTAMP_TZ")
            self._cursor.execute(statement)

    def load(self, stream: str, rows: list[Row]) -> None:
        """Land records in place of those that are there.

        What the schema does not have is left out, as the destination does.
        """
        self._cursor.execute(f"DELETE FROM LANDING.{stream.upper()}")
        names = list(_properties(self._streams[stream]))
        frame = pd.DataFrame([[row.get(n) for n in names] for row in rows], columns=names)
        frame.columns = frame.columns.str.upper()
        written = pandas_tools.write_pandas(
            self._connection, frame.astype(object), stream.upper(), "POLYGON", "LANDING"
        )
        assert written[2] == len(rows)

    def rows(self, query: str) -> list[Row]:
        """Return what a query finds, by lower-case column names."""
        self._cursor.execute(query)
        names = [column[0].lower() for column in self._cursor.description]
        return [dict(zip(names, row, strict=True)) for row in self._cursor.fetchall()]

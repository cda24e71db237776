"""Rows of the connector as tables of DuckDB, with the types that PyAirbyte's cache gives them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import duckdb
import pandas as pd
import yaml

_STREAMS: Final = Path(__file__).parents[2] / "manifests" / "streams"

Row = dict[str, Any]


def land(connection: duckdb.DuckDBPyConnection, stream: str, rows: Iterable[Row]) -> None:
    """Create a stream's table with its rows, as PyAirbyte's cache would have it."""
    schema = yaml.safe_load((_STREAMS / f"{stream}.yaml").read_text())["schema"]["properties"]
    columns = ", ".join(f'"{field}" {_type(each)}' for field, each in schema.items())
    connection.execute(f'CREATE TABLE "{stream}" ({columns})')
    frame = pd.DataFrame([[_value(row.get(field)) for field in schema] for row in rows])
    connection.register("landed", frame.astype(object))
    connection.execute(f'INSERT INTO "{stream}" SELECT * FROM landed')


def _type(schema: Row) -> str:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    (kind,) = set(kinds) - {"null"}
    if kind == "string":
        formats = {"date": "DATE", "date-time": "TIMESTAMPTZ"}
        return formats.get(str(schema.get("format")), "VARCHAR")
    return {"number": "DOUBLE", "integer": "BIGINT", "boolean": "BOOLEAN"}.get(kind, "JSON")


def _value(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (list, dict)) else value

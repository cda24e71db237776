"""From which columns of which tables a view's columns are computed."""

from collections.abc import Mapping, Sequence

import dagster as dg
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import lineage

from polygon_orchestration.views import View, key_of

Schemas = Mapping[dg.AssetKey, Sequence[str]]
"""The columns of tables, in lower case."""


def column_lineage(view: View, schemas: Schemas) -> dg.TableColumnLineage:
    """Return the lineage of a view's columns; a column of which it is not known has none.

    Args:
        view: it reads tables of `schemas`.
        schemas: the view's own columns, and those of the tables that it reads.
    """
    query = view.statement.expression
    known: dict[str, dict[str, dict[str, str]]] = {}
    for key in view.reads:
        schema, table = (part.upper() for part in key.path)
        columns = {name.upper(): "text" for name in schemas[key]}
        known.setdefault(schema, {})[table] = columns
    found: dict[str, list[dg.TableColumnDep]] = {}
    for column in schemas[view.key]:
        try:
            node = lineage(column.upper(), query, schema=known, dialect="snowflake")
        except SqlglotError:  # nothing is better than a guess
            continue
        ends = {
            (key_of(end.source), end.name.rpartition(".")[2].lower())
            for end in node.walk()
            if not end.downstream and isinstance(end.source, exp.Table)
        }
        found[column] = [
            dg.TableColumnDep(key, name) for key, name in sorted(ends, key=lambda end: str(end))
        ]
    return dg.TableColumnLineage({name: deps for name, deps in found.items() if deps})

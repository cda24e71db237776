"""A row: what the vendor sends and what leaves the connector as a record."""

from typing import Any

Row = dict[str, Any]


def without_nulls(row: Row) -> Row:
    """Leave out what is null, as the CDK does."""
    if None in row.values():
        return {name: value for name, value in row.items() if value is not None}
    return row

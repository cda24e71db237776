"""The contract of the vendor as data, and requests held against it.

`endpoint(path)` is what the vendor's file says of a path, `fields(path)` what its rows may hold.
"""

from polygon_sandbox.contract.facts import (
    Columns,
    Endpoint,
    Expected,
    Field,
    Order,
    Paged,
    Parameter,
    contract,
    endpoint,
    fields,
)
from polygon_sandbox.contract.query import (
    KEY_PARAMETER,
    BadRequest,
    Filter,
    Query,
    parse,
    parse_day,
)

__all__ = [
    "KEY_PARAMETER",
    "BadRequest",
    "Columns",
    "Endpoint",
    "Expected",
    "Field",
    "Filter",
    "Order",
    "Paged",
    "Parameter",
    "Query",
    "contract",
    "endpoint",
    "fields",
    "parse",
    "parse_day",
]

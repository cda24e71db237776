"""Rows of one file that have the same key: how many, and which of them is taken.

The table keeps one row of a key. Were it left to a merge which, the next reading of the same file
could come to another; so it is chosen here, by value, whatever the order of the rows.
"""

from typing import Any, Final, NamedTuple

from polygon_streaming.backfill.kinds import Kind

# The rows lie in the order of their keys, so that one symbol, or key, is remembered at a time.
_IN_ORDER: Final = {"optimize_aggregation_in_order": 1}


class Doubles(NamedTuple):
    """Rows beyond the first of each key, and the keys whose rows have different values."""

    rows: int
    unlike: int

    def told(self, kind: Kind) -> str:
        """Return it for people; empty if there are none."""
        if not self.rows:
            return ""
        words = f"{self.rows:,} with the key of another row"
        if self.unlike:
            greatest = f"the greatest {kind.preferred} taken"
            words += f", {self.unlike:,} of the keys with different values: {greatest}"
        return words


def are_likely(client: Any, kind: Kind, table: str) -> bool:
    """Tell whether rows of a table may have one key; costs a fortieth of what reading them did.

    Keys are told apart by a hash: what is said to be none is none.
    """
    hashed = f"cityHash64({kind.at}, {kind.identity})"
    query = (
        f"SELECT sum(more) FROM (SELECT count() - uniqExact({hashed}) AS more FROM {table} "
        "GROUP BY symbol)"
    )
    return bool(client.query(query, settings=_IN_ORDER).result_rows[0][0])


def unlike(client: Any, kind: Kind, table: str) -> int:
    """Return how many keys have rows with different values."""
    query = (
        f"SELECT count() FROM (SELECT 1 FROM {table} GROUP BY {_key(kind)} "
        f"HAVING uniqExact(({', '.join(_values(kind))})) > 1)"
    )
    return int(client.query(query, settings=_IN_ORDER).result_rows[0][0])


def choice(kind: Kind, table: str) -> str:
    """Return a query of one row a key: that with the greatest values, the preferred one first."""
    values = ", ".join(f"{name} DESC" for name in _values(kind))
    return f"SELECT * FROM {table} ORDER BY {_key(kind)}, {values} LIMIT 1 BY {_key(kind)}"


def _key(kind: Kind) -> str:
    return f"symbol, {kind.at}, {kind.identity}"


def _values(kind: Kind) -> list[str]:
    own = [name for name in kind.columns if name not in (kind.preferred, "received_at", "healed")]
    return [kind.preferred, *own]

"""How a file and a table differ, as one statement of SQL."""

from typing import Final

from polygon_streaming.backfill.kinds import Kind

WALK: Final = {
    "join_algorithm": "full_sorting_merge",
    # What one side lacks is 0 and false, whatever the user's profile says.
    "join_use_nulls": 0,
}
"""The settings with which the statement is executed."""

_KEY: Final = ("symbol", "at", "id")


def comparison(
    kind: Kind, differences: str, stage: str, table: str, of_the_day: str, own: str
) -> str:
    """Return the statement that writes down how table and file differ.

    A row for each key that only one of them has, or whose latest row in the table has another
    value: `kind` is missing (from the table), extra (not in the file) or other. Both lie in the
    order of their keys, so they are walked side by side (`WALK`): a day of the whole market takes
    seconds, and no memory for its keys. FINAL, which would choose the latest rows as well, reads
    all days of the month.

    Args:
        kind: of the rows.
        differences: the table that is created.
        stage: the table of the file's rows, one a key.
        table: the one with the stream's.
        of_the_day: the condition on its rows.
        own: the condition on `held.at` for what is extra: elsewhere it may be of another day's
            file.
    """
    values, kept = kind.compared, kind.kept
    filed = ", ".join(f"{sql} AS f_{name}" for name, sql in values.items())
    held = ", ".join(f"{sql} AS t_{name}" for name, sql in values.items())
    # The names of the table's columns are given to what comes of them, so they are others inside.
    kept_in = "".join(f", ifNull(toFloat64({name}), nan) AS k_{name}" for name in kept)
    kept_out = "".join(f", {_or_null(name)}" for name in kept)
    differ = {name: _differ(f"f_{name}", f"t_{name}") for name in values}
    fields = ", ".join(f"if({sql}, '{name}', '')" for name, sql in differ.items())
    key = f"symbol, {kind.at} AS at, {kind.identity} AS id"
    latest = "LIMIT 1 BY symbol, at, id"
    return (
        f"CREATE TABLE {differences} ENGINE = MergeTree ORDER BY (symbol, at, id) AS SELECT "
        + ", ".join(f"if(in_file, file.{name}, held.{name}) AS {name}" for name in _KEY)
        + ", multiIf(NOT in_table, 'missing', NOT in_file, 'extra', 'other') AS kind, "
        f"if(in_table AND in_file, arrayFilter(x -> x != '', [{fields}]), []) AS fields, "
        f"[{', '.join(f'f_{name}' for name in values)}] AS filed_values, "
        f"[{', '.join(f't_{name}' for name in values)}] AS table_values, "
        f"newest, by_hand{kept_out} FROM "
        f"(SELECT true AS in_file, {key}, {filed} FROM {stage} ORDER BY symbol, at, id) AS file "
        "FULL JOIN "
        f"(SELECT true AS in_table, {key}, ingested_at AS newest, healed AS by_hand, "
        f"{held}{kept_in} FROM {table} WHERE {of_the_day} "
        f"ORDER BY symbol, at, id, newest DESC {latest}) AS held "
        f"ON {' AND '.join(f'file.{name} = held.{name}' for name in _KEY)} "
        f"WHERE if(in_file, NOT in_table OR {' OR '.join(differ.values())}, {own})"
    )


def _or_null(name: str) -> str:
    """Return what the table has, in SQL; NULL if that is nothing, or if there is no row."""
    return f"if(in_table AND NOT isNaN(k_{name}), k_{name}, NULL) AS {name}"


def _differ(filed: str, held: str) -> str:
    """Return whether two numbers differ, in SQL; NaN is none.

    The same decimal read by two ways may differ in the last bit.
    """
    most = f"1e-12 * greatest(abs({filed}), abs({held}))"
    return f"(isNaN({filed}) != isNaN({held}) OR abs({filed} - {held}) > {most})"

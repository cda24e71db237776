"""How a file and a table differ, as one statement of SQL."""

from polygon_streaming.backfill.kinds import Kind


def comparison(
    kind: Kind, differences: str, stage: str, table: str, of_the_day: str, own: str
) -> str:
    """Return the statement that writes down how table and file differ.

    A row for each key that only one of them has, or whose latest row in the table has another
    value: `kind` is missing (from the table), extra (not in the file) or other. Both are read
    once, and neither is sorted: a day of the whole market is a matter of seconds. FINAL, which
    would choose the latest rows as well, reads all days of the month.

    Args:
        kind: of the rows.
        differences: the table that is created.
        stage: the table of the file's rows.
        table: the one with the stream's.
        of_the_day: the condition on its rows.
        own: the condition on `at` for what is extra: elsewhere it may be in another day's file.
    """
    values, kept = kind.compared, kind.kept
    sides = ", ".join(f"{sql} AS c_{name}" for name, sql in values.items())
    chosen = ", ".join(
        f"anyLastIf(c_{name}, filed) AS f_{name}, argMaxIf(c_{name}, version, NOT filed) "
        f"AS t_{name}"
        for name in values
    )
    # NULL would not count for argMax, and an older row's value would be taken: so it is NaN.
    kept_in = "".join(f", ifNull(toFloat64({name}), nan) AS k_{name}" for name in kept)
    kept_out = "".join(f", argMaxIf(k_{name}, version, NOT filed) AS {name}" for name in kept)
    differ = {name: _differ(f"f_{name}", f"t_{name}") for name in values}
    fields = ", ".join(f"if({sql}, '{name}', '')" for name, sql in differ.items())
    key = f"symbol, {kind.at} AS at, {kind.identity} AS id"
    return (
        f"CREATE TABLE {differences} ENGINE = MergeTree ORDER BY (symbol, at, id) AS "
        "SELECT symbol, at, id, "
        "multiIf(NOT in_table, 'missing', NOT in_file, 'extra', 'other') AS kind, "
        f"if(in_table AND in_file, arrayFilter(x -> x != '', [{fields}]), []) AS fields, "
        f"[{', '.join(f'f_{name}' for name in values)}] AS filed_values, "
        f"[{', '.join(f't_{name}' for name in values)}] AS table_values, "
        f"newest, by_hand {''.join(f', {_or_null(name)}' for name in kept)} FROM ("
        "SELECT symbol, at, id, countIf(filed) > 0 AS in_file, "
        "countIf(NOT filed) > 0 AS in_table, maxIf(version, NOT filed) AS newest, "
        f"argMaxIf(healed, version, NOT filed) AS by_hand, {chosen}{kept_out} FROM ("
        f"SELECT true AS filed, {key}, ingested_at AS version, healed, {sides}{kept_in} "
        f"FROM {stage} UNION ALL "
        f"SELECT false AS filed, {key}, ingested_at AS version, healed, {sides}{kept_in} "
        f"FROM {table} WHERE {of_the_day}) GROUP BY symbol, at, id) "
        f"WHERE if(in_file, NOT in_table OR {' OR '.join(differ.values())}, {own})"
    )


def _or_null(name: str) -> str:
    """Return what the table has, in SQL; NULL if that is nothing, or if there is no row."""
    return f"if(in_table AND NOT isNaN({name}), {name}, NULL) AS {name}"


def _differ(filed: str, held: str) -> str:
    """Return whether two numbers differ, in SQL; NaN is none.

    The same decimal read by two ways may differ in the last bit.
    """
    most = f"1e-12 * greatest(abs({filed}), abs({held}))"
    return f"(isNaN({filed}) != isNaN({held}) OR abs({filed} - {held}) > {most})"

"""What stands in a file's cells, as values in SQL: whole numbers, instants, lists of codes."""


def whole(column: str, kind: str, holds: str = "") -> str:
    """Return a column's whole number, in SQL; NULL for none.

    What is not one, or too large, ends the reading with the column, the value and the ticker in
    ClickHouse's words, for they stand in the text that it is told to take for a number.

    Args:
        column: of the file.
        kind: ClickHouse's type of the number.
        holds: a further condition on it, with `{}` in its place.
    """
    number = f"accurateCastOrNull({column}, '{kind}')"
    good = f"isNotNull({number})" + (f" AND {holds.format(number)}" if holds else "")
    named = f"accurateCast(concat('{column} ', assumeNotNull({column}), ' of ', ticker), '{kind}')"
    return f"multiIf({good}, {number}, isNull({column}), NULL, {named})"


def instant(*columns: str, holds: str = "") -> str:
    """Return the first of some columns that has one, in SQL: nanoseconds since 1970; 0 is none."""
    instants = ", ".join(f"nullIf({whole(column, 'Int64', holds)}, 0)" for column in columns)
    return f"fromUnixTimestamp64Nano(coalesce({instants}), 'UTC')"


def codes(column: str) -> str:
    """Return the numbers of a column such as `12,37`, in SQL."""
    parts = f"splitByChar(',', replaceAll(ifNull({column}, ''), ' ', ''))"
    named = f"accurateCast(concat('{column} ', code, ' of ', ticker), 'UInt32')"
    code = f"if(isNull(accurateCastOrNull(code, 'UInt32')), {named}, accurateCast(code, 'UInt32'))"
    return f"arrayMap(code -> {code}, arrayFilter(code -> code != '', {parts}))"

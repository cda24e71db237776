"""A script of SQL as a list of statements."""

from pathlib import Path

import sqlglot
from sqlglot import TokenType


def statements(path: Path) -> list[str]:
    """Return the statements of a script, as they are written, without comments around them."""
    text = path.read_text()
    found: list[str] = []
    start: int | None = None
    for token in sqlglot.tokenize(text, read="snowflake"):
        if token.token_type is TokenType.SEMICOLON:
            assert start is not None, f"an empty statement in {path}"
            found.append(text[start : token.start])
            start = None
        elif start is None:
            start = token.start
    assert start is None, f"{path} does not end with a semicolon"
    return found

"""The modelled tables, as deploy/snowflake/views.sql defines and explains them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby
from typing import Final

import dagster as dg
from sqlglot import Dialect, Token, TokenType, exp

_SNOWFLAKE: Final = Dialect.get_or_raise("snowflake")
SCRIPT: Final = files("polygon_orchestration") / "views.sql"
# `--   name   what it is`, and further lines of it.
_COLUMN: Final = re.compile(r"^ {3}(\w+) {2,}(\S.*)$")
_MORE: Final = re.compile(r"^ {10,}(\S.*)$")


@dataclass(frozen=True)
class View:
    """One CREATE VIEW of the script.

    Attributes:
        key: schema and name in lower case, as are those of `reads`.
        reads: the tables and views that it is made of.
        statement: in Snowflake's SQL.
        line: where it begins in the script.
        about: what it is, in Markdown.
        columns: what its columns mean, of those that need a word.
    """

    key: dg.AssetKey
    reads: frozenset[dg.AssetKey]
    statement: exp.Create
    line: int
    about: str
    columns: Mapping[str, str]


def views() -> list[View]:
    """Return the views, each after those that it reads."""
    script = SCRIPT.read_text(encoding="utf-8")
    parts = groupby(_SNOWFLAKE.tokenize(script), lambda t: t.token_type is TokenType.SEMICOLON)
    # The other statements are for an account: roles, grants.
    statements = [list(tokens) for ends, tokens in parts if not ends]
    return [_view(tokens, script) for tokens in statements if tokens[0].text == "CREATE"]


def key_of(table: exp.Table) -> dg.AssetKey:
    """Return the asset that a table is."""
    return dg.AssetKey([table.db.lower(), table.name.lower()])


def _view(tokens: list[Token], script: str) -> View:
    about, columns = _explained(tokens[0].comments)
    line = tokens[0].line
    (statement,) = _SNOWFLAKE.parser().parse(tokens, script)
    if not isinstance(statement, exp.Create):
        raise TypeError(f"views.sql, line {line}: not a CREATE VIEW")
    key = key_of(statement.this)
    reads = {key_of(table) for table in statement.find_all(exp.Table) if table.db}
    return View(key, frozenset(reads - {key}), statement, line, about, columns)


def _explained(comments: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Return what the lines above a statement say of it, and of its columns."""
    about: list[str] = []
    columns: dict[str, str] = {}
    for line in comments:
        if found := _COLUMN.match(line):
            columns[found[1]] = found[2]
        elif columns and (found := _MORE.match(line)):
            columns[list(columns)[-1]] += f" {found[1]}"
        elif line.startswith("  "):
            about.append(f"`{line.strip()}`")  # an example
        else:
            about.append(line.strip())
    return " ".join(about), columns

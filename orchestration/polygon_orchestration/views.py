"""The modelled tables, as deploy/snowflake/views.sql defines them."""

from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby
from typing import Final

import dagster as dg
from sqlglot import Dialect, Token, TokenType, exp

_SNOWFLAKE: Final = Dialect.get_or_raise("snowflake")


@dataclass(frozen=True)
class View:
    """One CREATE VIEW of the script.

    Attributes:
        key: schema and name in lower case, as are those of `reads`.
        reads: the tables and views that it is made of.
        statement: in Snowflake's SQL.
    """

    key: dg.AssetKey
    reads: frozenset[dg.AssetKey]
    statement: exp.Create


def views() -> list[View]:
    """Return the views, each after those that it reads."""
    script = (files("polygon_orchestration") / "views.sql").read_text(encoding="utf-8")
    parts = groupby(_SNOWFLAKE.tokenize(script), lambda t: t.token_type is TokenType.SEMICOLON)
    # The other statements are for an account: roles, grants.
    statements = [list(tokens) for ends, tokens in parts if not ends]
    return [_view(tokens, script) for tokens in statements if tokens[0].text == "CREATE"]


def _view(tokens: list[Token], script: str) -> View:
    (statement,) = _SNOWFLAKE.parser().parse(tokens, script)
    if not isinstance(statement, exp.Create):
        raise TypeError(f"views.sql, line {tokens[0].line}: not a CREATE VIEW")
    key = _key(statement.this)
    reads = {_key(table) for table in statement.find_all(exp.Table) if table.db}
    return View(key, frozenset(reads - {key}), statement)


def _key(table: exp.Table) -> dg.AssetKey:
    return dg.AssetKey([table.db.lower(), table.name.lower()])

"""Tables of results: on the screen, and in this folder's README."""

from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

README: Final = Path(__file__).with_name("README.md")

Rows = list[list[str]]
"""A table's header and its rows."""


def show(title: str, rows: Rows) -> None:
    """Print a table; its first column is of words, the others of numbers."""
    table = Table(title=title)
    (first, *others), *lines = rows
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    for line in lines:
        table.add_row(*line)
    Console().print(table)


def write(section: str, note: str, tables: list[tuple[str, Rows]]) -> None:
    """Put titled tables, with a note before them, in the place of the last ones.

    Args:
        section: of the README, where a pair of comments marks it.
        note: how they were measured.
        tables: each with its title.
    """
    parts = [note, *(_markdown(title, rows) for title, rows in tables)]
    begin, end = f"<!-- {section}: begin -->", f"<!-- {section}: end -->"
    text = README.read_text()
    head, tail = text.partition(begin)[0], text.partition(end)[2]
    README.write_text(f"{head}{begin}\n" + "\n\n".join(parts) + f"\n{end}{tail}")


def _markdown(title: str, rows: Rows) -> str:
    header, *lines = rows
    ruled = [header, ["---", *["---:"] * (len(header) - 1)], *lines]
    return f"**{title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in ruled)

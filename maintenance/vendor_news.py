"""Say what the vendor has published and the sandbox's contract does not have.

    python -m maintenance.vendor_news --openapi openapi.json --changelog rss.xml

Both files are the vendor's as they were fetched, so nothing in them is trusted: a file of another
form is refused with a sentence, text is cut, freed of control characters and shown as code, where
Markdown knows neither links nor mentions. The report goes to standard output as Markdown; without
news it is empty. The status is 1 where a file is not what it should be.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import date, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from defusedxml import DefusedXmlException, ElementTree
from polygon_sandbox.contract.extract import DATA, extract

# Up to which day the vendor's changelog is in the contract, or was found to be no matter for it.
READ_UNTIL = date(2026, 4, 27)
LARGEST_FILE = 64 * 2**20
_LONGEST_TEXT = 160
_MOST_LINES = 200
# What a path, a parameter and a field may be called; another name is shown as "(odd name)".
_NAME = re.compile(r"[\w/{}.\-]{1,160}", re.ASCII)

Facts = Mapping[str, Any]


class Refused(Exception):
    """A file is not what it should be; the message says which and why."""


def known() -> dict[str, Facts]:
    """Return the contract as it is checked in, by path."""
    paths: dict[str, Facts] = {}
    for file in sorted(DATA.glob("*.json")):
        paths |= json.loads(file.read_text())
    return paths


def of_the_contract(published: bytes, contract: Mapping[str, Facts]) -> list[str]:
    """Return a line for each difference between the vendor's OpenAPI file and a contract.

    Raises:
        Refused: the file has no paths.
    """
    try:
        spec = json.loads(published)
        paths = dict(spec["paths"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Refused(f"the OpenAPI file has no paths that can be read: {_code(error)}") from None
    lines = [f"gone: {_name(path)}" for path in sorted(contract.keys() - paths.keys())]
    for path in sorted(paths):
        try:
            facts = extract({**spec, "paths": {path: paths[path]}})[path]
        except Exception as error:  # noqa: BLE001 - whatever the file holds, the others are looked at
            lines.append(f"cannot be read: {_name(path)}: {_code(repr(error))}")
            continue
        if path not in contract:
            lines.append(f"new: {_name(path)}")
        else:
            # The contract's facts have been JSON; what JSON has no word for is told alike.
            now = json.loads(json.dumps(facts))
            lines += [f"{_name(path)}: {line}" for line in _changes(contract[path], now)]
    return lines


def _changes(before: Facts, now: Facts) -> Iterator[str]:
    """Yield what changed of one path: its parameters, its fields, and all else."""
    sections = {"parameters": "parameter", "row": "field", "envelope": "envelope field"}
    for section, word in sections.items():
        old, new = before.get(section, {}), now.get(section, {})
        yield from (f"new {word} {_name(name)}" for name in sorted(new.keys() - old.keys()))
        yield from (f"{word} {_name(name)} is gone" for name in sorted(old.keys() - new.keys()))
        for name in sorted(new.keys() & old.keys()):
            if new[name] != old[name]:
                yield f"{word} {_name(name)}: {_code(old[name])} is now {_code(new[name])}"
    for name in sorted((before.keys() | now.keys()) - sections.keys()):
        if before.get(name) != now.get(name):
            yield f"{_name(name)}: {_code(before.get(name))} is now {_code(now.get(name))}"


def of_the_changelog(published: bytes, after: date) -> list[str]:
    """Return a line for each entry of the vendor's changelog, an RSS feed, after a day in UTC.

    Raises:
        Refused: the feed is not XML, or has no entries; or an entry has no day.
    """
    try:
        root = ElementTree.fromstring(published)
    except (ElementTree.ParseError, DefusedXmlException, ValueError) as error:
        raise Refused(f"the changelog is not a feed: {_code(error)}") from None
    entries = root.findall("./channel/item")
    if not entries:
        raise Refused("the changelog has no entries")
    lines = []
    for entry in entries:
        title = _code(entry.findtext("title") or "(no title)")
        try:
            moment = parsedate_to_datetime(entry.findtext("pubDate") or "")
        except ValueError:
            raise Refused(f"an entry of the changelog has no day: {title}") from None
        day = moment.astimezone(timezone.utc).date()
        if day > after:
            lines.append(f"{day}: {title}")
    return sorted(lines, reverse=True)


def report(contract: list[str], changelog: list[str]) -> str:
    """Return both as Markdown; empty where there is nothing."""
    parts = {
        "The OpenAPI file has what the contract does not": contract,
        f"The changelog since {READ_UNTIL}": changelog,
    }
    written = [
        f"## {title}\n\n"
        + "".join(f"- {line}\n" for line in lines[:_MOST_LINES])
        + (f"- and {len(lines) - _MOST_LINES} more\n" if len(lines) > _MOST_LINES else "")
        for title, lines in parts.items()
        if lines
    ]
    return "\n".join(written)


def _code(text: object) -> str:
    """Return text of others as Markdown's code: one line, of bounded length, that cannot end it."""
    plain = json.dumps(text) if isinstance(text, (dict, list, bool, type(None))) else str(text)
    plain = "".join(c if c.isprintable() else " " for c in plain.replace("`", "'"))
    plain = " ".join(plain.split()) or "(empty)"
    return f"`{plain if len(plain) <= _LONGEST_TEXT else plain[: _LONGEST_TEXT - 3] + '...'}`"


def _name(name: str) -> str:
    return f"`{name}`" if _NAME.fullmatch(name) else "(odd name)"


def _read(file: Path) -> bytes:
    if file.stat().st_size > LARGEST_FILE:
        raise Refused(f"{file} has more than {LARGEST_FILE} bytes")
    return file.read_bytes()


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description="What the vendor published anew, as Markdown.")
    parser.add_argument("--openapi", type=Path, required=True, help="the vendor's OpenAPI file")
    parser.add_argument("--changelog", type=Path, required=True, help="the vendor's changelog, RSS")
    arguments = parser.parse_args()
    try:
        text = report(
            of_the_contract(_read(arguments.openapi), known()),
            of_the_changelog(_read(arguments.changelog), READ_UNTIL),
        )
    except (Refused, OSError) as error:
        sys.exit(f"vendor's news: {error}")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()

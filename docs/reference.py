"""Write the tables of the documents that the code knows better: `make reference`.

Each stands between `<!-- NAME: begin -->` and `<!-- NAME: end -->`. A test fails when one is stale.
docs/streams.md is written by `make manifests`.
"""

import json
import runpy
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

import yaml
from polygon_streaming import settings
from polygon_streaming.process import metrics
from pydantic import SecretStr
from pydantic.fields import FieldInfo

ROOT: Final = Path(__file__).parents[1]
# What every stage exports, and no registry of one holds.
_OF_ALL: Final = (
    ("all", "`polygon_stream_build_info`", "version, stage", "Always 1"),
    ("all", "`polygon_stream_ready`", "", "1 while /readyz is ok"),
)


def streaming_settings() -> str:
    """Every setting of every command: its flag, who takes it, its default, what it means."""
    rows = []
    for name in settings.NAMES:
        kinds = [kind for kind in settings.COMMANDS if name in kind.model_fields]
        fields = {kind.command: kind.model_fields[name] for kind in kinds}
        is_place = any(kind.positional == name for kind in kinds)
        flag = f"`{name.upper()}`" if is_place else f"`--{name.replace('_', '-')}`"
        commands = "all" if len(kinds) == len(settings.COMMANDS) else ", ".join(fields)
        rows.append((flag, commands, _each(fields, _default), _each(fields, _meaning)))
    return _table(("flag", "commands", "default", "meaning"), rows)


def _each(fields: dict[str, FieldInfo], say: Callable[[FieldInfo], str]) -> str:
    """Return what all say of themselves; where they differ, each by the commands that say it."""
    commands: dict[str, list[str]] = {}
    for command, field in fields.items():
        commands.setdefault(say(field), []).append(command)
    if len(commands) == 1:
        return next(iter(commands))
    return "; ".join(f"{', '.join(who)}: {words}" for words, who in commands.items() if words)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, SecretStr) or value in (None, "", {}, []):
        return ""
    return f"`{value}`"


def _meaning(field: FieldInfo) -> str:
    words = str(field.description)
    if get_origin(field.annotation) is Literal:
        words += f". One of {', '.join(f'`{choice}`' for choice in get_args(field.annotation))}"
    return words


def streaming_metrics() -> str:
    """Every metric that a stage exports, with its labels."""
    rows = [
        (stage, f"`{_full_name(family)}`", _labels(registry, family), family.documentation)
        for stage, registry in metrics.STAGES.items()
        for family in registry.collect()
    ]
    return _table(("stage", "metric", "labels", "meaning"), [*rows, *_OF_ALL])


def _full_name(family: Any) -> str:
    return str(family.name) + ("_total" if family.type == "counter" else "")


def _labels(registry: Any, family: Any) -> str:
    # A family without samples does not know its labels; what it was declared with does.
    return ", ".join(registry._names_to_collectors[family.name]._labelnames)


def connector_form() -> str:
    """Every field of the form, by its groups, as the Docker edition says it."""
    specification = yaml.safe_load((ROOT / "manifests" / "spec.yaml").read_text())
    of_edition = runpy.run_path(str(ROOT / "manifests" / "build.py"))["_of_edition"]
    rows = _form_rows(of_edition(specification["connection_specification"], "docker"))
    return _table(("Field", "In the form", "Meaning", "Default"), rows)


def _form_rows(form: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for group in form["groups"]:
        yield f"**{group['title']}**", "", "", ""
        fields = [(n, f) for n, f in form["properties"].items() if f["group"] == group["id"]]
        yield from _field_rows(dict(fields), form["required"])


def _field_rows(
    fields: dict[str, Any], required: list[str], within: str = ""
) -> Iterator[tuple[str, str, str, str]]:
    """A row a field, and one for each field of a field that is a group with words of its own."""
    for name, said in sorted(fields.items(), key=lambda item: item[1]["order"]):
        if "description" not in said:
            continue
        words = " ".join(said["description"].split())
        if choices := said.get("items", {}).get("enum"):
            words += f" Of {', '.join(f'`{choice}`' for choice in choices)}."
        default = f"`{json.dumps(said['default'])}`" if "default" in said else ""
        default = "required" if name in required else default
        yield f"`{within}{name}`", said["title"], words, default
        inner = said.get("properties", {})
        yield from _field_rows(inner, said.get("required", []), f"{within}{name}.")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join([_row(head), "|" + "---|" * len(head), *map(_row, rows)])


def _row(cells: Iterable[str]) -> str:
    escaped = (cell.replace("|", r"\|") for cell in cells)
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in escaped)


TABLES: Final[dict[str, tuple[str, Callable[[], str]]]] = {
    "settings": ("docs/streaming.md", streaming_settings),
    "metrics": ("docs/streaming.md", streaming_metrics),
    "form": ("docs/connector.md", connector_form),
}


def written(document: str) -> str:
    """Return the text of a document with its tables as the code has them.

    Raises:
        LookupError: the document has no place for one of its tables.
    """
    text = (ROOT / document).read_text()
    for name, (of, table) in TABLES.items():
        if of != document:
            continue
        before, begin, rest = text.partition(f"<!-- {name}: begin -->\n")
        _, end, after = rest.partition(f"\n<!-- {name}: end -->")
        if not end:
            raise LookupError(f"{document} has no place for the table {name}")
        text = before + begin + table() + end + after
    return text


def main() -> None:
    """Write every document anew, and say which has changed."""
    for document in dict.fromkeys(document for document, _ in TABLES.values()):
        new = written(document)
        if new != (ROOT / document).read_text():
            (ROOT / document).write_text(new)
            sys.stdout.write(f"{document} is written anew\n")


if __name__ == "__main__":
    main()

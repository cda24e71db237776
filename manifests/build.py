"""Writes the manifests of both editions from what is said once: `make manifests`.

    spec.yaml  frame/<edition>.yaml  kinds/kinds.yaml  kinds/<kind>.<edition>.yaml
    streams/<stream>.yaml  left_out.yaml
        -> source-polygon.yaml  cloud.yaml  docs/streams.md

A stream names its kind; the kind's template says, for each edition, how such a stream is read. In
frame and templates `$name` stands for a field of the stream, or for the default of a field of the
spec, so that no default is written twice. A test fails where the written files are not up to date.

A kind that only one edition can read has a template for that edition alone; the other is without
its streams.

A stream's file says: `about` in a sentence, `kind`, `path`, `primary_key` ([] where the vendor
gives none), `cursor_field` where it is incremental, what else its kind asks for (kinds.yaml has
defaults), why its key and lookback are what they are (`why_key`, `why_lookback`), the vendor's
`plan` that it needs, what `requests` it costs, and the `schema` of its records. With
`needs: symbols` it is there once that field of the configuration is filled in.
"""

import json
import re
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import yaml

HERE: Final = Path(__file__).parent
PACKAGED: Final = HERE.parent / "source-polygon" / "source_polygon" / "manifest.yaml"
"""Where the package carries its manifest: a copy, since not every archive keeps links."""

EDITIONS: Final = {"docker": HERE / "source-polygon.yaml", "cloud": HERE / "cloud.yaml"}

TABLE: Final = HERE.parent / "docs" / "streams.md"

_HEAD: Final = {
    "docker": "# The connector, Docker edition: YAML with components in Python.\n",
    "cloud": "# The connector, Airbyte Cloud edition: pure YAML, for the Connector Builder.\n",
}
_WRITTEN: Final = (
    "# Written by `make manifests` from the folders beside manifests/build.py. Change those.\n"
)

_TABLE_HEAD: Final = """\
# Streams

Written by `make manifests` from `manifests/streams`. How each is read and what it guarantees is in
[connector.md](connector.md#streams).
"""

_PLACEHOLDER: Final = re.compile(r"\$(?:(\w+)|{(\w+)})")


def manifest(edition: str, root: Path = HERE) -> str:
    """Return the text of an edition's manifest, made from the files under `root`.

    Raises:
        ValueError: a stream is of an unknown kind, or lacks a field that its kind needs.
    """
    spec = _of_edition(_load(root / "spec.yaml"), edition)
    defaults = {
        name: field["default"]
        for name, field in spec["connection_specification"]["properties"].items()
        if "default" in field
    }
    streams = {
        name: stream
        for name, stream in _streams(root).items()
        if edition in _editions(stream["kind"], root)
    }
    made = _filled(_load(root / "frame" / f"{edition}.yaml"), defaults, f"frame/{edition}.yaml")
    made["streams"] = []
    for field, group in groupby(streams, key=lambda name: streams[name].get("needs")):
        names = list(group)
        if field and field not in spec["connection_specification"]["properties"]:
            raise ValueError(f"streams/{names[0]}.yaml: {field} is not a field of spec.yaml.")
        read = [_read(name, {**defaults, **streams[name]}, edition, root) for name in names]
        made["streams"] += [_once_filled_in(field, read)] if field else read
    made["schemas"] = {name: stream["schema"] for name, stream in streams.items()}
    made["spec"] = spec
    head = _HEAD[edition] + _WRITTEN
    return head + yaml.dump(made, Dumper=_Plain, sort_keys=False, width=110)


def _read(name: str, fields: Mapping[str, Any], edition: str, root: Path) -> dict[str, Any]:
    """Return how an edition reads a stream. The plan that it needs goes along, for its errors."""
    template = _load(root / "kinds" / f"{fields['kind']}.{edition}.yaml")
    read = _filled(template, {**fields, "name": name}, f"streams/{name}.yaml")
    return {**read, "$parameters": {"plan": fields["plan"]}}


def table(root: Path = HERE) -> str:
    """Return the text of docs/streams.md."""
    streams = _streams(root)
    rows = [
        [
            f"[`{name}`](#{name})",
            stream["kind"],
            ", ".join(f"`{field}`" for field in stream["primary_key"]) or _mode(stream),
            f"`{stream['cursor_field']}`" if "cursor_field" in stream else "",
            _lookback(stream),
            stream["plan"],
            stream["requests"],
            " and ".join(_editions(stream["kind"], root)),
        ]
        for name, stream in streams.items()
    ]
    used = {stream["kind"] for stream in streams.values()}
    kinds = [[f"`{name}`", kind["about"]] for name, kind in _kinds(root).items() if name in used]
    left_out = [
        [", ".join(f"`{path}`" for path in group["paths"]), group["why"]]
        for group in _load(root / "left_out.yaml")
    ]
    head = ["stream", "kind", "primary key", "cursor", "lookback", "plan", "requests", "editions"]
    parts = [
        _TABLE_HEAD,
        *_table(head, rows),
        "\n## Kinds\n",
        *_table(["kind", "how it is read"], kinds),
        "\n## Left out\n",
        *_table(["paths of the vendor", "why"], left_out),
        "",
        *map(_section, streams, streams.values()),
    ]
    return "\n".join(parts)


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows]]


def _mode(stream: Mapping[str, Any]) -> str:
    """Return what the key's column says of a stream without one: the sync mode to take."""
    return f"none: {'append' if 'cursor_field' in stream else 'overwrite'}"


def _lookback(stream: Mapping[str, Any]) -> str:
    days = stream.get("lookback_days")
    return stream.get("lookback") or (f"{days} days" if days else "")


def _section(name: str, stream: Mapping[str, Any]) -> str:
    there = f" Once `{stream['needs']}` is filled in." if "needs" in stream else ""
    about = [f"## {name}", stream["about"] + there]
    about += [
        f"{what}: {stream[why]}"
        for what, why in (("Key", "why_key"), ("Lookback", "why_lookback"))
        if why in stream
    ]
    rows = [
        [f"`{field}`", _type(schema), schema["description"]]
        for field, schema in stream["schema"]["properties"].items()
    ]
    return "\n".join(["\n\n".join(about), "", *_table(["field", "type", "meaning"], rows), ""])


def _type(schema: Mapping[str, Any]) -> str:
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    named = [schema.get("format", each) for each in types if each != "null"]
    return " or ".join(named) + (", may be missing" if "null" in types else "")


def _editions(kind: str, root: Path) -> list[str]:
    return [each for each in EDITIONS if (root / "kinds" / f"{kind}.{each}.yaml").exists()]


def _kinds(root: Path) -> dict[str, Any]:
    kinds: dict[str, Any] = _load(root / "kinds" / "kinds.yaml")
    return kinds


def _streams(root: Path) -> dict[str, Any]:
    """Return all streams, with the defaults of their kinds, in the order of the catalog."""
    kinds = _kinds(root)
    streams = {path.stem: _load(path) for path in (root / "streams").glob("*.yaml")}
    for name, stream in streams.items():
        if stream.get("kind") not in kinds:
            raise ValueError(
                f"streams/{name}.yaml: {stream.get('kind')!r} is not a kind. Take one of "
                f"{', '.join(kinds)}."
            )
    rank = list(kinds).index
    return {
        name: {**kinds[streams[name]["kind"]].get("defaults", {}), **streams[name]}
        for name in sorted(streams, key=lambda name: (rank(streams[name]["kind"]), name))
    }


def _once_filled_in(field: str, streams: list[Any]) -> dict[str, Any]:
    """Return streams that are there only where a field of the configuration is not empty.

    The CDK knows nothing of `needs`; it tells a user which field is empty.
    """
    return {
        "type": "ConditionalStreams",
        "needs": field,
        "condition": f"{{{{ config.get('{field}') }}}}",
        "streams": streams,
    }


def _load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def _of_edition(node: Any, edition: str) -> Any:
    """Return a part of the spec with what the edition says, and without what the other does.

    Of a list, an item that only the other edition has is left out.
    """
    if isinstance(node, list):
        return [each for item in node if (each := _of_edition(item, edition)) != {}]
    if not isinstance(node, dict):
        return node
    common = {key: _of_edition(each, edition) for key, each in node.items() if key not in EDITIONS}
    own = node.get(edition, {})
    if both := sorted(common.keys() & own.keys()):
        raise ValueError(f"spec.yaml: {both} is said for both editions and for {edition}.")
    return {**common, **own}


def _filled(node: Any, fields: Mapping[str, Any], where: str) -> Any:
    """Return a template with its placeholders replaced, in keys of mappings too."""
    if isinstance(node, dict):
        return {
            key if key.startswith("$ref") else _filled(key, fields, where): _filled(
                each, fields, where
            )
            for key, each in node.items()
        }
    if isinstance(node, list):
        return [_filled(each, fields, where) for each in node]
    if not isinstance(node, str):
        return node

    def value(found: re.Match[str]) -> Any:
        name = found[1] or found[2]
        if name not in fields:
            raise ValueError(f"{where}: {name} is missing.")
        return fields[name]

    whole = _PLACEHOLDER.fullmatch(node)
    if whole:
        return value(whole)
    return _PLACEHOLDER.sub(lambda found: _text(value(found)), node)


def _text(value: Any) -> str:
    """Return a value inside a text, which may be an expression: in the form that Jinja reads."""
    return value if isinstance(value, str) else json.dumps(value)


class _Plain(yaml.SafeDumper):
    """Writes what people can read: long texts folded, short lists on a line, items indented.

    A thing that occurs twice is written out twice: anchors would depend on chance.
    """

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _write_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = ">" if len(text) > 80 and "\n" not in text else '"' if "'" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _write_list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.SequenceNode:
    short = all(isinstance(item, str | int | None) for item in items) and len(str(items)) < 90
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=short)


_Plain.add_representer(str, _write_text)
_Plain.add_representer(list, _write_list)


def files() -> dict[Path, str]:
    """Return all that is written, by path."""
    made = {path: manifest(edition) for edition, path in EDITIONS.items()}
    return {**made, PACKAGED: made[EDITIONS["docker"]], TABLE: table()}


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)

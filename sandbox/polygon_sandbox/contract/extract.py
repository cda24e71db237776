"""Reads the facts of a contract off the vendor's OpenAPI file: `python -m ... SPEC.json`.

    python -m polygon_sandbox.contract.extract massive-rest.openapi.json

rewrites `contract/data/*.json`, a file for the first part of the paths (stocks, fed, v3, ...), so
that a new file of the vendor is one run and a diff. What is kept of a path:

    csv, deprecated, product, data  where the file says so: answers as text/csv, marked as
                    deprecated, what market and what kind of data a key must be entitled to
    parameters      name -> type, format, enum, nullable, default, min, max, required, in (path),
                    and operators: the suffixes .any_of .all_of .search .gt .gte .lt .lte it has
    shape           list (rows are an array under `rows_at`; "" where the answer is the array),
                    object (one row under `rows_at`), document (the whole answer is the row)
    envelope        the fields around the rows
    row             the fields of a row: type, format, enum, nullable, required, items and fields
                    of a nested value

Two facts stand in prose only and are read out of it as words of our own: `text` is how a value
is written (date: YYYY-MM-DD; ns, ms or s: an instant as a whole number of those, or a date),
`stated_max` is the largest limit the description allows. `shown` lists the types that the file's
own example has and its schema does not: null for a value that is missing, or a type that
contradicts; `unlisted` is a field that only the example has. No prose of the file is kept.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Json = dict[str, Any]

DATA = Path(__file__).parent / "data"
OPERATORS = ("any_of", "all_of", "search", "gt", "gte", "lt", "lte")
_ROW_KEYS = ("results", "tickers")
_PYTHON = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array"}
_PYTHON |= {dict: "object", type(None): "null"}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_STATED_MAX = re.compile(r"(?:maximum allowed limit is '|max is |maximum=|Max )(\d+)")
_STATED_DEFAULT = re.compile(r"and Default (\d+)")


def extract(spec: Json) -> dict[str, Json]:
    """The facts of every path, by path."""
    return {path: _Reader(spec).path(item["get"]) for path, item in sorted(spec["paths"].items())}


def files(contract: Mapping[str, Json]) -> dict[str, str]:
    """The data files as they are checked in, by name: a line for each parameter and field."""
    grouped: dict[str, dict[str, Json]] = {}
    for path, facts in contract.items():
        grouped.setdefault(path.split("/")[1] + ".json", {})[path] = facts
    return {name: "".join(_lines(paths)) for name, paths in grouped.items()}


class _Reader:
    """Follows the references of one file."""

    def __init__(self, spec: Json) -> None:
        self._spec = spec

    def path(self, operation: Json) -> Json:
        responses = operation["responses"]
        content = self._found(responses.get("200") or responses["default"])["content"]
        facts: Json = {"csv": True} if "text/csv" in content else {}
        if "x-polygon-deprecation" in operation:
            facts["deprecated"] = True
        for ours, theirs in (("product", "market-type"), ("data", "data-type")):
            if f"x-polygon-entitlement-{theirs}" in operation:
                facts[ours] = operation[f"x-polygon-entitlement-{theirs}"]["name"]
        facts["parameters"] = self._parameters(operation.get("parameters", []))
        example = content["application/json"].get("example")
        return facts | self._answer(content["application/json"]["schema"], example)

    def _found(self, part: Json) -> Json:
        """The part that a reference means, with the parts of an allOf as one."""
        while "$ref" in part:
            found = self._spec
            for name in part["$ref"].split("/")[1:]:
                found = found[name]
            part = found
        if "allOf" not in part:
            return part
        whole: Json = {"type": "object", "properties": {}, "required": []}
        for piece in map(self._found, part["allOf"]):
            whole["properties"] |= piece.get("properties", {})
            whole["required"] += piece.get("required", [])
        return whole

    def _parameters(self, parameters: list[Json]) -> Json:
        facts: Json = {}
        for parameter in map(self._found, parameters):
            base, _, operator = parameter["name"].partition(".")
            # One path has ticker.any_of and no ticker.
            known = facts.setdefault(base, {} if operator else self._parameter(parameter))
            if operator:
                if operator not in OPERATORS:
                    raise ValueError(f"{parameter['name']}: an operator that is not known here")
                known.setdefault("type", parameter["schema"].get("type"))
                known.setdefault("operators", []).append(operator)
        return facts

    def _parameter(self, parameter: Json) -> Json:
        schema = self._found(parameter["schema"])
        prose = parameter.get("description", "")
        facts: Json = {"in": "path"} if parameter["in"] == "path" else {}
        facts |= self._type(schema, prose)
        names = (("default", "default"), ("minimum", "min"), ("maximum", "max"))
        facts |= {ours: schema[theirs] for theirs, ours in names if theirs in schema}
        if parameter["name"] == "limit" and (stated := _STATED_DEFAULT.search(prose)):
            facts.setdefault("default", int(stated[1]))
        if parameter["name"] == "limit" and (stated := _STATED_MAX.search(prose)):
            facts["stated_max"] = int(stated[1])
        if parameter.get("required") and parameter["in"] != "path":
            facts["required"] = True
        return facts

    def _type(self, schema: Json, prose: str) -> Json:
        # The one kind of oneOf among parameters: a date or a date with a time.
        choices = [choice for choice in schema.get("oneOf", []) if "type" in choice]
        facts: Json = {"type": schema.get("type") or (choices[0]["type"] if choices else None)}
        if facts["type"] is None:
            facts["type"] = "object" if "properties" in schema else "array"
        facts |= {name: schema[name] for name in ("format", "enum") if name in schema}
        if schema.get("nullable"):
            facts["nullable"] = True
        text = "ns" if choices else _written(prose)
        if text and facts["type"] in ("string", "integer") and "format" not in facts:
            facts["text"] = text
        return facts

    def _answer(self, schema: Json, example: Any) -> Json:
        schema = self._found(schema)
        if schema.get("type") == "array":
            return {"shape": "list", "rows_at": "", "row": self._row(schema["items"], example)}
        properties = schema["properties"]
        key = next((key for key in _ROW_KEYS if key in properties), None)
        if key is None:
            row = self._row(schema, [example] if example else [])
            return {"shape": "document", "row": row}
        required = schema.get("required", [])
        envelope = {
            name: self._field(self._found(part), name in required, [])
            for name, part in properties.items()
            if name != key
        }
        rows = self._found(properties[key])
        shown = example.get(key) if isinstance(example, dict) else None
        listed = "items" in rows
        facts: Json = {"shape": "list" if listed else "object", "rows_at": key}
        shown = shown if listed else [shown]
        return facts | {
            "envelope": envelope,
            "row": self._row(rows["items"] if listed else rows, shown),
        }

    def _row(self, schema: Json, examples: Any) -> Json:
        schema = self._found(schema)
        shown = [row for row in examples or [] if isinstance(row, dict)]
        required = schema.get("required", [])
        fields = {}
        for name, part in schema.get("properties", {}).items():
            values = [row[name] for row in shown if name in row]
            fields[name] = self._field(self._found(part), name in required, values)
        for row in shown:
            for name in row.keys() - fields.keys():
                fields[name] = {"type": _PYTHON[type(row[name])], "unlisted": True}
        return dict(sorted(fields.items()))

    def _field(self, schema: Json, required: bool, values: list[Any]) -> Json:
        facts = self._type(schema, schema.get("description", ""))
        if required:
            facts["required"] = True
        accepted = {facts["type"]} | ({"integer"} if facts["type"] == "number" else set())
        shown = sorted({_PYTHON[type(value)] for value in values} - accepted)
        if shown:
            facts["shown"] = shown
        if "string" in shown and all(_DATE.fullmatch(str(value)) for value in values):
            facts["text"] = "date"
        if "items" in schema:
            inner = [value for array in values if isinstance(array, list) for value in array]
            facts["items"] = self._field(self._found(schema["items"]), False, inner)
        if "properties" in schema:
            facts["fields"] = self._row(schema, values)
        return facts


def _written(prose: str) -> str | None:
    """How a value is written, where only the description says so."""
    for unit, text in (("nanosecond", "ns"), ("millisecond", "ms"), ("second", "s")):
        if re.search(rf"timestamp in {unit}s|\b{unit} (Unix )?timestamp", prose):
            return text
    return "date" if re.search(r"yyyy.mm.dd", prose, re.IGNORECASE) else None


def _lines(paths: Mapping[str, Json]) -> Iterator[str]:
    """JSON with a line for each path, section, parameter and field, whatever they hold."""
    yield "{\n"
    for path, facts in paths.items():
        yield f" {json.dumps(path)}: {{\n"
        for section, content in facts.items():
            comma = "" if section == list(facts)[-1] else ","
            if not isinstance(content, dict) or not content:
                yield f"  {json.dumps(section)}: {json.dumps(content)}{comma}\n"
                continue
            lines = [f"   {json.dumps(k)}: {json.dumps(v)}" for k, v in content.items()]
            yield f"  {json.dumps(section)}: {{\n" + ",\n".join(lines) + f"\n  }}{comma}\n"
        yield " }" + ("" if path == list(paths)[-1] else ",") + "\n"
    yield "}\n"


def main() -> None:
    """Write the data files anew."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m polygon_sandbox.contract.extract SPEC.json")
    written = files(extract(json.loads(Path(sys.argv[1]).read_text())))
    for stale in DATA.glob("*.json"):
        stale.unlink()
    for name, text in written.items():
        (DATA / name).write_text(text)
    print(f"{len(written)} files in {DATA}")  # noqa: T201 - this is a program


if __name__ == "__main__":
    main()

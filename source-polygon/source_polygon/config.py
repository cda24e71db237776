"""What the user configured: defaults from the spec, and every problem named with its fix."""

import difflib
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError

from source_polygon.sessions import new_york_today
from source_polygon.streams.bar_sizes import BarSize
from source_polygon.vendor.auth import origin

# Before the vendor's first dividend and split; its bars start later.
_FIRST_DATE: Final = date(1970, 1, 1)


def with_defaults(config: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return `config` with the spec's default for each field that is missing or empty.

    Of a group of fields too, once one of them is filled in. White space around a text is a slip of
    copying and is dropped; 2.0 is the whole number 2.
    """
    tidy = {field: _tidy(value) for field, value in config.items()}
    given = {field: value for field, value in tidy.items() if value not in (None, "", {})}
    defaults = {
        field: schema["default"]
        for field, schema in spec["properties"].items()
        if "default" in schema
    }
    for field, schema in spec["properties"].items():
        if "properties" in schema and isinstance(given.get(field), dict) and given[field]:
            given[field] = with_defaults(given[field], schema)
    return defaults | given


def _tidy(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        return [_tidy(each) for each in value]
    if isinstance(value, dict):
        tidy = {field: _tidy(each) for field, each in value.items()}
        return {field: each for field, each in tidy.items() if each not in (None, "")}
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def problems(config: Mapping[str, Any], spec: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each thing wrong with `config`: the field, what is wrong, the fix.

    No secret value appears in them.
    """
    errors = sorted(Draft7Validator(spec).iter_errors(config), key=lambda e: list(map(str, e.path)))
    # What the form does not know of is asked of the fields alone that fit the form.
    wrong = {str(error.path[0]) for error in errors if error.path}
    fitting = {field: value for field, value in config.items() if field not in wrong}
    return [
        *(_sentence(error, spec) for error in errors),
        *_address_problems(fitting),
        *_date_problems(fitting),
        *_size_problems(fitting),
    ]


def unknown_fields(config: Mapping[str, Any], spec: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each field that the spec does not have, most likely a typing error."""
    known = spec["properties"]
    sentences = []
    for field, value in config.items():
        if field in known:
            if "properties" in known[field] and isinstance(value, dict):
                inner = unknown_fields(value, known[field])
                sentences += [f"{field}.{sentence}" for sentence in inner]
        elif not field.startswith("_"):
            near = difflib.get_close_matches(field, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            sentences.append(f"{field} is not a field of this connector and has no effect.{hint}")
    return sentences


def _sentence(error: ValidationError, spec: Mapping[str, Any]) -> str:
    if error.validator == "required":
        missing = error.message.split("'")[1]
        of = spec
        for step in error.path:
            of = of["properties"][step]
        name = ".".join([*map(str, error.path), missing])
        return f"{name} is missing. Give {_fix(of['properties'][missing])}."
    if not error.path:
        return f"The configuration is not a JSON object: {error.message}."
    field, schema = "", spec
    for step in error.path:
        if "properties" not in schema:
            break  # inside a list: the field is the list
        field, schema = f"{field}.{step}" if field else str(step), schema["properties"][step]
    value = "the value" if schema.get("airbyte_secret") else repr(error.instance)
    return f"{field}: {value} {_fault(error)}. Give {_fix(schema)}."


def _fault(error: ValidationError) -> str:
    limit = error.validator_value
    faults: dict[str, str] = {
        "type": f"is not of type {limit}",
        "enum": "is not one of the choices",
        "minimum": f"is less than {limit}",
        "maximum": f"is more than {limit}",
        "minItems": "is empty",
        "uniqueItems": "names something twice",
        "pattern": "is not of the right form",
    }
    return faults.get(str(error.validator)) or str(error.message)


def _fix(schema: Mapping[str, Any]) -> str:
    examples = schema.get("examples") or [schema[key] for key in ("default",) if key in schema]
    example = f", for example {examples[0]}" if examples else ""
    if "pattern_descriptor" in schema:
        return f"{schema['pattern_descriptor']}{example}"
    if "items" in schema:
        items = schema["items"]
        if "enum" in items:
            return f"a list of {', '.join(items['enum'])}{example}"
        return f"a list, each {items['pattern_descriptor']}{example}"
    if "minimum" in schema:
        return f"a whole number from {schema['minimum']} to {schema['maximum']}{example}"
    if "properties" in schema:
        return f"a number each for some of {', '.join(schema['properties'])}"
    if schema["type"] == "boolean":
        return "true or false"
    return f"a {schema['type']}{example}"


def _address_problems(config: Mapping[str, Any]) -> Iterator[str]:
    if "base_url" not in config:
        return
    try:
        _, host, port = origin(config["base_url"])
    except ValueError as error:
        yield f"base_url: {config['base_url']!r} is not an address ({error}). Give https://host."
        return
    if not host:
        yield f"base_url: {config['base_url']!r} names no host. Give https://host."
    elif port == 0:
        yield f"base_url: {config['base_url']!r} names port 0, which no server has. Give https://host."


def _size_problems(config: Mapping[str, Any]) -> Iterator[str]:
    for text in config.get("bar_sizes", ()):
        try:
            BarSize.of(text)
        except AirbyteTracedException as error:
            yield str(error.message)


def _date_problems(config: Mapping[str, Any]) -> Iterator[str]:
    dates: dict[str, date] = {}
    for field in ("start_date", "end_date"):
        if config.get(field):
            try:
                dates[field] = date.fromisoformat(config[field])
            except ValueError:
                yield f"{field}: {config[field]!r} is not a day of the calendar. Give YYYY-MM-DD."
    start, end = dates.get("start_date"), dates.get("end_date")
    if start and start < _FIRST_DATE:
        yield f"start_date: {start} is before all data. Give {_FIRST_DATE} or later."
    if start and start > new_york_today():
        yield f"start_date: {start} lies in the future. Give a day that has passed."
    if start and end and start > end:
        yield f"end_date: {end} is before start_date {start}. Give a later day or leave it empty."

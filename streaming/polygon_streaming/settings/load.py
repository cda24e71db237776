"""The settings of one command, put together: flags, then the environment, then the YAML file."""

import os
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from polygon_streaming.errors import ConfigError
from polygon_streaming.settings import configuration, flags
from polygon_streaming.settings.commands import NAMES
from polygon_streaming.settings.parts import Settings

S = TypeVar("S", bound=Settings)


def load(kind: type[S], arguments: Sequence[str]) -> S:
    """Return the settings of a command.

    Raises:
        ConfigError: any of them is missing, unknown or wrong; the text names each with its fix.
        SystemExit: after `--help`.
    """
    on_line = flags.read(kind, arguments)
    environment = configuration.environment(os.environ, NAMES)
    path = configuration.file_of(os.environ)
    file = configuration.file(path, NAMES) if path else {}
    values = {**file, **environment, **on_line}
    if "kafka" in values:
        layers = [layer.get("kafka", {}) for layer in (file, environment, on_line)]
        values["kafka"] = {name: text for layer in layers for name, text in layer.items()}
    own = {name: value for name, value in values.items() if name in kind.model_fields}
    try:
        return kind.model_validate(own)
    except ValidationError as error:
        problems = [_sentence(kind, problem) for problem in error.errors()]
        in_file = [name for name in _names(error) if name not in {**environment, **on_line}]
        if set(in_file) & set(file):
            problems.append(f"The file is {path}.")
        raise ConfigError(" ".join(problems)) from None


def _names(error: ValidationError) -> list[str]:
    return [str(problem["loc"][0]) for problem in error.errors() if problem["loc"]]


def _sentence(kind: type[Settings], problem: Any) -> str:
    name = str(problem["loc"][0])
    variable = configuration.variable(name)
    fault = "is missing" if problem["type"] == "missing" else problem["msg"]
    fault = fault.removeprefix("Value error, ")
    place = name.upper() if name == kind.positional else f"--{name.replace('_', '-')}"
    return f"{name}: {fault}. Give {place} or {variable}."

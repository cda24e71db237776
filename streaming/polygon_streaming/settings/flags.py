"""The command line of each command: its flags, made from the settings, and its help."""

import re
from argparse import (
    SUPPRESS,
    ArgumentParser,
    BooleanOptionalAction,
    RawDescriptionHelpFormatter,
)
from collections.abc import Sequence
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, get_args, get_origin

from pydantic.fields import FieldInfo

from polygon_streaming.errors import ConfigError, did_you_mean
from polygon_streaming.settings import configuration

if TYPE_CHECKING:
    from polygon_streaming.settings.parts import Settings

_WHERE_ELSE: Final = """\
Every setting is a flag, or POLYGON_STREAM_<NAME> in the environment, or a line of the YAML file
that POLYGON_STREAM_CONFIG names; the first of these wins. The key: POLYGON_API_KEY."""

# What a value looks like. Numbers, seconds and files are known by their types and names.
_LOOKS: Final = {
    "bootstrap_servers": "HOST:PORT,...",
    "kafka": "PROPERTY=VALUE",
    "api_key": "KEY",
    "clickhouse_password": "PASSWORD",
    "clickhouse": "ADDRESS",
    "feed": "FEED",
    "http_host": "HOST",
    "http_port": "PORT",
    "rest_url": "URL",
    "s3_endpoint_url": "URL",
    "rules": "FILE",
    "shard": "I/N",
    "subscriptions": "FILE",
    "flat_files_endpoint": "URL",
    "flat_files_access_key_id": "KEY",
    "flat_files_secret_access_key": "SECRET",
    "start": "DAY",
    "end": "DAY",
    "data": "NAME,...",
    "markets": "NAME,...",
    "directory": "DIRECTORY",
    "json_file": "FILE",
    "html": "FILE",
    "metrics_file": "FILE",
    "most_extra": "SHARE",
}


class _Parser(ArgumentParser):
    """Says what is wrong the way the other sources of settings do."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message[:1].upper()}{message[1:]}. See {self.prog} --help.")


def read(kind: "type[Settings]", arguments: Sequence[str]) -> dict[str, Any]:
    """Return the settings that are given as flags, by name, as texts.

    Raises:
        ConfigError: a flag is unknown, or lacks its value.
        SystemExit: after `--help`.
    """
    parser = _Parser(
        prog=f"polygon-stream {kind.command}",
        usage=" ".join(
            [
                "polygon-stream",
                kind.command,
                *filter(None, [kind.positional.upper()]),
                "[--setting VALUE]...",
            ]
        ),
        description=cleandoc(kind.__doc__ or ""),
        epilog=f"{_WHERE_ELSE}\n\nexamples:\n{kind.examples}",
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for name, field in kind.model_fields.items():
        if name == kind.positional:
            parser.add_argument(name, nargs="?", default=SUPPRESS, metavar=name.upper(),
                                help=_help(field))  # fmt: skip
        else:
            _add(parser, name, field)
    known, unknown = parser.parse_known_args([_with_hyphens(text) for text in arguments])
    if unknown:
        flags = [f"--{name.replace('_', '-')}" for name in kind.model_fields]
        word = unknown[0].partition("=")[0]
        hint = did_you_mean(word, flags) or f" See polygon-stream {kind.command} --help."
        raise ConfigError(f"{word} is not a flag of {kind.command}.{hint}")
    found = vars(known)
    if "kafka" in found:
        parts = [configuration.properties(text, "--kafka") for text in found["kafka"]]
        found["kafka"] = {name: text for part in parts for name, text in part.items()}
    return found


def _add(parser: ArgumentParser, name: str, field: FieldInfo) -> None:
    options: dict[str, Any] = {"help": _help(field), "default": SUPPRESS, "dest": name}
    if field.annotation is bool:
        options["action"] = BooleanOptionalAction
    elif get_origin(field.annotation) is Literal:
        options["choices"] = get_args(field.annotation)
    else:
        options["metavar"] = _look(name, field)
    if name == "kafka":
        options["action"] = "append"
    parser.add_argument(f"--{name.replace('_', '-')}", **options)


def _look(name: str, field: FieldInfo) -> str:
    if name in _LOOKS:
        return _LOOKS[name]
    if name.endswith("_seconds"):
        return "SECONDS"
    if name.endswith("_topic"):
        return "TOPIC"
    return "N" if field.annotation in (int, float) else "NAME"


def _help(field: FieldInfo) -> str:
    text = str(field.description)
    if field.is_required():
        text += " (required)"
    elif isinstance(field.default, bool):
        text += f" (default: {'yes' if field.default else 'no'})"
    elif field.default not in (None, "") and isinstance(field.default, str | int | float):
        text += f" (default: {field.default})"
    return text.replace("%", "%%")


def _with_hyphens(argument: str) -> str:
    """Take `--raw_topic` for `--raw-topic`, as environment and file write it."""
    found = re.fullmatch(r"(--[a-z0-9_-]+)(=.*)?", argument, re.DOTALL)
    return found[1].replace("_", "-") + (found[2] or "") if found else argument

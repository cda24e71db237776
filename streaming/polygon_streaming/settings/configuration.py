"""The settings that the environment and the YAML file give, by name, before they are checked.

Both serve all commands, so a name is good if any command has it. A name that none has is refused:
what it was meant to set would otherwise keep its default, without a word.
"""

import json
import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from polygon_streaming.errors import ConfigError, did_you_mean
from polygon_streaming.settings import strict_yaml

PREFIX: Final = "POLYGON_STREAM_"
CONFIG_VARIABLE: Final = "POLYGON_STREAM_CONFIG"
_KEY_VARIABLE: Final = "POLYGON_API_KEY"

# Kubernetes puts these into every container for a Service `polygon-stream` or `polygon-stream-...`.
_SERVICE_LINK: Final = re.compile(
    r"(.*_)?(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT_\d+_[A-Z]+(_(PROTO|PORT|ADDR))?)"
)


def environment(variables: Mapping[str, str], names: Collection[str]) -> dict[str, Any]:
    """Return the settings among the variables of the environment.

    Capitals or not is one. An empty variable counts as not set, since compose files and task
    definitions cannot leave one out.

    Raises:
        ConfigError: a variable with our prefix names no setting, or two name the same one.
    """
    known = {*(f"{PREFIX}{name.upper()}" for name in names), CONFIG_VARIABLE, _KEY_VARIABLE}
    spelt: dict[str, str] = {}
    problems = []
    for variable, text in sorted(variables.items()):
        upper = variable.upper()
        if not text or not upper.startswith("POLYGON_"):
            continue
        if upper in spelt:
            problems.append(f"{spelt[upper]} and {variable} are the same setting. Unset one.")
        elif upper in known:
            spelt[upper] = variable
        elif _is_meant_for_us(upper, text, known):
            problems.append(f"{variable} is not a setting.{_meant(upper, known)}")
    if problems:
        raise ConfigError(" ".join(problems))
    found: dict[str, Any] = {}
    if _KEY_VARIABLE in spelt:
        found["api_key"] = variables[spelt[_KEY_VARIABLE]]
    for name in names:
        variable = spelt.get(f"{PREFIX}{name.upper()}", "")
        if variable:
            text = variables[variable]
            found[name] = properties(text, variable) if name == "kafka" else text
    return found


def file_of(variables: Mapping[str, str]) -> Path | None:
    """Return the path of the settings file, if one is named."""
    named = [text for name, text in variables.items() if name.upper() == CONFIG_VARIABLE and text]
    return Path(named[0]) if named else None


def file(path: Path, names: Collection[str]) -> dict[str, Any]:
    """Return the settings in a YAML file; names as they are here, or with the flags' hyphens.

    Values are texts as they are written there, so that `0123` does not become 83 nor `on` true.

    Raises:
        ConfigError: it cannot be read; it is not YAML of settings; a name is unknown or there
            twice, or has no value, or more than one.
    """
    try:
        content = strict_yaml.read(path.read_text(encoding="utf-8"), as_written=True)
    except FileNotFoundError:
        raise ConfigError(
            f"{CONFIG_VARIABLE}: there is no file {str(path)!r}. Name one or unset it."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{CONFIG_VARIABLE}: {path} cannot be read: {error}.") from None
    except strict_yaml.NotAMapping as error:
        raise ConfigError(f"{CONFIG_VARIABLE}: {path} is not YAML of settings: {error}.") from None
    if content is None:
        raise ConfigError(f"{CONFIG_VARIABLE}: {path} is empty. Write a setting or unset it.")
    found: dict[str, Any] = {}
    problems = []
    for key, value in content.items():
        name = str(key).replace("-", "_")
        problem = _problem(str(key), value, name, names)
        if problem is None and name in found:
            problem = f"{name} is there twice, as {name.replace('_', '-')} too. Keep one."
        if problem is not None:
            problems.append(problem)
            continue
        found[name] = value
    if problems:
        raise ConfigError(f"{CONFIG_VARIABLE}: {path} is refused. {' '.join(problems)}")
    return found


def properties(text: str, place: str) -> dict[str, str]:
    """Return librdkafka's properties in `name=value`, or in a JSON object of them.

    Raises:
        ConfigError: it is neither. The text is not repeated: it may hold a password.
    """
    form = f'{place}: give name=value, or a JSON object such as {{"security.protocol": "SSL"}}.'
    if not text.lstrip().startswith("{"):
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ConfigError(form)
        return {name.strip(): value}
    try:
        content = json.loads(text)
    except ValueError:
        raise ConfigError(form) from None
    nested = [name for name, value in content.items() if isinstance(value, dict | list | None)]
    if nested:
        raise ConfigError(f"{place}: {nested[0]} is not a text. Properties are not nested. {form}")
    return {name: v if isinstance(v, str) else json.dumps(v) for name, v in content.items()}


def _meant(variable: str, known: Collection[str]) -> str:
    if not variable.startswith(PREFIX):
        return did_you_mean(variable, known)
    ours = [name.removeprefix(PREFIX) for name in known if name.startswith(PREFIX)]
    return did_you_mean(variable, ours, PREFIX)


def _is_meant_for_us(variable: str, text: str, known: Collection[str]) -> bool:
    if not variable.startswith(PREFIX):
        return bool(get_close_matches(variable, known, n=1, cutoff=0.93))
    if "://" in text and variable.endswith("_PORT"):
        return False  # Kubernetes again: tcp://10.0.0.7:9100
    return not _SERVICE_LINK.fullmatch(variable.removeprefix(PREFIX))


def _problem(key: str, value: Any, name: str, names: Collection[str]) -> str | None:
    if name not in names:
        return f"{key} is not a setting.{did_you_mean(name, names)}"
    if value is None:
        return f"{key} has no value. Give one or take the line out."
    if name == "kafka":
        return _problem_of_properties(value)
    if isinstance(value, list):
        return f"{key} is a list. Write its value on one line, as for --{name.replace('_', '-')}."
    if isinstance(value, dict):
        return f"{key} holds other lines. Settings are not nested: write each at the margin."
    return None


def _problem_of_properties(value: Any) -> str | None:
    if not isinstance(value, dict):
        return "kafka is a group of lines. Write below it, indented: security.protocol: SASL_SSL"
    for name, text in value.items():
        if not isinstance(text, str):
            return (
                f"kafka: {name} has no value, or more than one. "
                "Write the whole name before it, such as security.protocol: SASL_SSL"
            )
    return None

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
_FLAT_FILES: Final = "POLYGON_FLAT_FILES_"

# Kubernetes puts these into every container for a Service `polygon-stream` or `polygon-stream-...`.
_SERVICE_LINK: Final = re.compile(
    r"(.*_)?(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT_\d+_[A-Z]+(_(PROTO|PORT|ADDR))?)"
)


def variable(name: str) -> str:
    """Return the variable of a setting: what other tools share has a name without STREAM in it.

    Its name with STREAM is good as well, and wins.
    """
    if name == "api_key":
        return "POLYGON_API_KEY"
    if name.startswith("flat_files_") and name != "flat_files_collection":
        return f"POLYGON_{name.upper()}"
    return f"{PREFIX}{name.upper()}"


def environment(variables: Mapping[str, str], names: Collection[str]) -> dict[str, Any]:
    """Return the settings among the variables of the environment.

    Capitals or not is one. An empty variable counts as not set, since compose files and task
    definitions cannot leave one out.

    Raises:
        ConfigError: a variable with our prefix names no setting, or two name the same one.
    """
    ours = {name: f"{PREFIX}{name.upper()}" for name in names}
    known = {*ours.values(), *map(variable, names), CONFIG_VARIABLE}
    spelt: dict[str, str] = {}
    problems = []
    for given, text in sorted(variables.items()):
        upper = given.upper()
        if not text or not upper.startswith("POLYGON_"):
            continue
        if upper in spelt:
            problems.append(f"{spelt[upper]} and {given} are the same setting. Unset one.")
        elif upper in known:
            spelt[upper] = given
        elif _is_meant_for_us(upper, text, known):
            problems.append(f"{given} is not a setting.{_meant(upper, known)}")
    if problems:
        raise ConfigError(" ".join(problems))
    found: dict[str, Any] = {}
    for name in names:
        given = spelt.get(ours[name]) or spelt.get(variable(name), "")
        if given:
            text = variables[given]
            found[name] = properties(text, given) if name == "kafka" else text
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


def _meant(given: str, known: Collection[str]) -> str:
    if not given.startswith(PREFIX):
        return did_you_mean(given, known)
    ours = [name.removeprefix(PREFIX) for name in known if name.startswith(PREFIX)]
    return did_you_mean(given, ours, PREFIX)


def _is_meant_for_us(given: str, text: str, known: Collection[str]) -> bool:
    if given.startswith(_FLAT_FILES):
        return True
    if not given.startswith(PREFIX):
        return bool(get_close_matches(given, known, n=1, cutoff=0.93))
    if "://" in text and given.endswith("_PORT"):
        return False  # Kubernetes again: tcp://10.0.0.7:9100
    return not _SERVICE_LINK.fullmatch(given.removeprefix(PREFIX))


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

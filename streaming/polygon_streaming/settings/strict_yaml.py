"""A YAML text that has to be a mapping, read strictly: no key twice, and faults in words.

YAML takes some plain words for something else: `ON` and `NO` for true and false, `NULL` for
nothing, `0123` for 83. So a text can be read with values as YAML types them, or `as_written`.
"""

from collections.abc import Sequence
from typing import Any

import yaml


class NotAMapping(ValueError):
    """The text is not a YAML mapping; the message says why, and where."""


class _Strict(yaml.SafeLoader):
    """The safe loader, which by itself would take the last of two equal keys in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                words = "a name has to be a plain word"
                raise yaml.constructor.ConstructorError(None, None, words, key.start_mark)
            if key.value in seen:
                words = f"{key.value!r} is there twice"
                raise yaml.constructor.ConstructorError(None, None, words, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _AsWritten(_Strict):
    """Leaves every scalar a text, save for the absence of one."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own form
        first: [(tag, form) for tag, form in forms if tag == "tag:yaml.org,2002:null"]
        for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read(text: str, *, as_written: bool = False) -> dict[str, Any] | None:
    """Return the mapping, or None if the text holds nothing but space and comments.

    Raises:
        NotAMapping: it is not YAML, or not a mapping, or has a key twice.
    """
    try:
        content = yaml.load(text, _AsWritten if as_written else _Strict)  # noqa: S506 - both safe
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}: " if mark else ""
        raise NotAMapping(f"{place}{error.problem}") from None
    # ValueError is what a date that there is not is to PyYAML.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise NotAMapping(" ".join(str(error).split())) from None
    if content is not None and not isinstance(content, dict):
        raise NotAMapping("it has no `name: value` lines")
    return content


def written(text: str, place: Sequence[str | int]) -> str | None:
    """Return the plain scalar at a place, such as `("include", 1)`, as it stands in the text.

    None if there is none, or if it is in quotes.
    """
    node: Any = yaml.compose(text, yaml.SafeLoader)
    for step in place:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
        elif isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == step), None)
        else:
            return None
    plain = isinstance(node, yaml.ScalarNode) and node.style is None
    return str(node.value) if plain else None

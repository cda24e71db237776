"""Streams that a catalog names and this connector does not have, or not with this configuration.

The CDK passes over them, and where it has none of them ends as if all were well.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence

from airbyte_cdk.models import (
    AirbyteMessage,
    AirbyteStreamStatus,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteStream,
    StreamDescriptor,
)
from airbyte_cdk.utils.stream_status_utils import as_airbyte_message

from source_polygon.errors import config_error


def messages(
    unknown: Sequence[ConfiguredAirbyteStream],
    names: Sequence[str],
    withheld: Mapping[str, str],
) -> Iterator[AirbyteMessage]:
    """Return an error and the status INCOMPLETE for each of `unknown`.

    Args:
        unknown: the chosen streams that there are not.
        names: the streams that there are.
        withheld: by stream, the field of the configuration that would have to be filled in.
    """
    for chosen in unknown:
        name = chosen.stream.name
        error = config_error(_empty(name, withheld) or _none_such(name, names))
        yield error.as_airbyte_message(
            stream_descriptor=StreamDescriptor(name=name, namespace=chosen.stream.namespace)
        )
        yield as_airbyte_message(chosen.stream, AirbyteStreamStatus.INCOMPLETE)


def require_none(
    catalog: ConfiguredAirbyteCatalog,
    unknown: Sequence[ConfiguredAirbyteStream],
    withheld: Mapping[str, str],
) -> None:
    """Fail a read that could not be what was asked for, after what could be read has been.

    Raises:
        AirbyteTracedException: `catalog` is empty, or some of it is `unknown` (config_error).
    """
    if not catalog.streams:
        raise config_error(
            "The catalog names no stream. Choose at least one that `discover` prints."
        )
    names = [chosen.stream.name for chosen in unknown]
    sentences = [_empty(name, withheld) for name in names if name in withheld]
    if strange := [name for name in names if name not in withheld]:
        sentences.append(
            f"Not read, since this connector has no such stream: {', '.join(strange)}. Refresh the "
            "schema of the connection, or correct the catalog."
        )
    if sentences:
        raise config_error(" ".join(sentences))


def _empty(name: str, withheld: Mapping[str, str]) -> str:
    if name not in withheld:
        return ""
    field = withheld[name]
    return (
        f"{name} is not read, since `{field}` is empty. Fill in `{field}`, or take {name} out of "
        "the connection."
    )


def _none_such(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean {near[0]}?" if near else "`discover` prints those it has."
    return f"This connector has no stream {name!r}. {hint}"

"""Streams that a catalog names and this connector does not have.

The CDK passes over them, and where it has none of them ends as if all were well.
"""

import difflib
from collections.abc import Iterator, Sequence

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
    unknown: Sequence[ConfiguredAirbyteStream], names: Sequence[str]
) -> Iterator[AirbyteMessage]:
    """Return an error and the status INCOMPLETE for each of `unknown`.

    Args:
        unknown: the chosen streams that there are not.
        names: the streams that there are.
    """
    for chosen in unknown:
        near = difflib.get_close_matches(chosen.stream.name, names, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"It has {', '.join(names)}."
        error = config_error(f"This connector has no stream {chosen.stream.name!r}. {hint}")
        yield error.as_airbyte_message(
            stream_descriptor=StreamDescriptor(
                name=chosen.stream.name, namespace=chosen.stream.namespace
            )
        )
        yield as_airbyte_message(chosen.stream, AirbyteStreamStatus.INCOMPLETE)


def require_none(
    catalog: ConfiguredAirbyteCatalog, unknown: Sequence[ConfiguredAirbyteStream]
) -> None:
    """Fail a read that could not be what was asked for, after what could be read has been.

    Raises:
        AirbyteTracedException: `catalog` is empty, or some of it is `unknown` (config_error).
    """
    if not catalog.streams:
        raise config_error(
            "The catalog names no stream. Choose at least one that `discover` prints."
        )
    if unknown:
        names = ", ".join(chosen.stream.name for chosen in unknown)
        raise config_error(
            f"Not read, since this connector has no such stream: {names}. Refresh the schema of "
            "the connection, or correct the catalog."
        )

"""Every touch of the CDK's private parts, and of the texts of its log.

A test holds each of them and says what broke when the CDK moves; the upper bound of the dependency
is what those tests cover.
"""

import logging
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import AirbyteMessage, AirbyteStateMessage, ConfiguredAirbyteCatalog
from airbyte_cdk.sources.declarative.concurrent_declarative_source import (
    ConcurrentDeclarativeSource,
)
from airbyte_cdk.sources.declarative.models.declarative_component_schema import (
    HttpRequester as HttpRequesterModel,
)
from airbyte_cdk.sources.declarative.requesters.requester import Requester
from airbyte_cdk.sources.source import Source
from airbyte_cdk.sources.streams.concurrent.abstract_stream import AbstractStream
from airbyte_cdk.sources.streams.concurrent.default_stream import DefaultStream
from airbyte_cdk.sources.streams.concurrent.partitions.partition import Partition
from airbyte_cdk.sources.types import StreamSlice
from airbyte_cdk.utils.yaml_loader import safe_load_yaml

from source_polygon.engine.cursor import LaneCursor
from source_polygon.engine.output import Output
from source_polygon.engine.pools import SideBySide
from source_polygon.engine.retriever import PolygonRetriever
from source_polygon.vendor.budget import Budget


@lru_cache
def manifest_of(path: Path) -> Mapping[str, Any]:
    """Return the manifest in a file, which is parsed once: it has thousands of lines."""
    manifest: Mapping[str, Any] = safe_load_yaml(path.read_text())
    return manifest


class ManifestSource(ConcurrentDeclarativeSource):
    """The manifest as the CDK reads it, its streams in lanes with their own cursor.

    The CDK takes no custom cursor since 7.0, but a custom partition router. Ours is both: it is
    found here and attached.

    Attributes:
        built: the streams as they were built last: in a read, those that are read.
    """

    def __init__(
        self,
        whole: Mapping[str, Any],
        catalog: ConfiguredAirbyteCatalog | None,
        config: Mapping[str, Any],
        state: list[AirbyteStateMessage] | None,
        output: Output,
    ) -> None:
        self._output = output
        self.built: dict[str, DefaultStream] = {}
        self._whole = whole
        chosen = {each.stream.name for each in catalog.streams} if catalog else set()
        super().__init__(
            catalog=catalog or ConfiguredAirbyteCatalog(streams=[]),
            config=config,
            state=state or [],
            source_config={**self._whole, "streams": _needed(self._whole["streams"], chosen)},
        )
        # The manifest cannot name a budget of ours. This one is that of every requester.
        self._constructor._api_budget = Budget(config)  # type: ignore[assignment]
        generators = self._concurrent_source._threadpool._threadpool
        self._concurrent_source._threadpool = SideBySide(
            generators, self.logger, self._product_of_slice, at_once=int(config["num_workers"])
        )

    @property
    def name(self) -> str:
        """Name of the connector, as its logger has it."""
        return "source-polygon"

    @property
    def usable_config(self) -> Mapping[str, Any]:
        """The configuration that the streams are built with."""
        return self._config

    def take_symbols(self, symbols: list[str]) -> None:
        """Build the streams with other `symbols` than the configuration has; they are not yet.

        Flat files are searched for those as given: what a pattern stands for now does not matter.
        """
        given = self._config["symbols"]
        self._config = {**self._config, "symbols": symbols, "symbols_as_given": given}

    @property
    def definitions(self) -> dict[str, Mapping[str, Any]]:
        """The streams that there are with this configuration, by name, as the manifest has them."""
        return {each["name"]: each for each in self._stream_configs(dict(self._whole))}

    @property
    def market_wide(self) -> dict[str, Mapping[str, Any]]:
        """Those of `definitions` that are there whatever the configuration."""
        return {
            each["name"]: each
            for each in self.resolved_manifest["streams"]
            if each["type"] == "DeclarativeStream"
        }

    @property
    def needs(self) -> dict[str, str]:
        """The field of the configuration without which a stream is not there, by stream."""
        return {
            stream["name"]: group["needs"]
            for group in self._whole["streams"]
            if group["type"] == "ConditionalStreams"
            for stream in group["streams"]
        }

    @property
    def withheld(self) -> dict[str, str]:
        """Those of `needs` whose field is empty."""
        there = self.definitions
        return {name: field for name, field in self.needs.items() if name not in there}

    def streams(self, config: Mapping[str, Any]) -> list[AbstractStream]:
        """Return the manifest's streams."""
        streams = super().streams(config)
        for stream in streams:
            if isinstance(stream, DefaultStream):
                self.built[stream.name] = stream
                retriever_of(stream).output = self._output
                cursor = lane_cursor_of(stream)
                if cursor is not None:
                    cursor.attach(
                        stream.name, self._connector_state_manager, self._message_repository
                    )
                    stream._cursor = cursor
                    stream._cursor_field = cursor.field
        return streams

    def requester(self, stream_name: str) -> Requester:
        """Return a requester for the path of a stream."""
        streams = self._stream_configs(self.resolved_manifest)
        stream = next(each for each in streams if each["name"] == stream_name)
        self._prepare_for_stream_build()
        requester: Requester = self._constructor.create_component(
            HttpRequesterModel, stream["retriever"]["requester"], self._config, name="check"
        )
        return requester

    def _product_of_slice(self, partition: Partition) -> str:
        read = partition.to_slice()
        whole = StreamSlice(partition={}, cursor_slice={})
        retriever = retriever_of(self.built[partition.stream_name()])
        return retriever.product(read if isinstance(read, StreamSlice) else whole)


def _needed(streams: list[dict[str, Any]], chosen: set[str]) -> list[dict[str, Any]]:
    """Return the streams of a manifest that are chosen, or all where none of them is.

    The CDK checks and builds whatever the manifest has, at each start: half a second for fifty.
    """
    left = []
    for part in streams:
        if part["type"] == "ConditionalStreams":
            inner = [stream for stream in part["streams"] if stream["name"] in chosen]
            left += [{**part, "streams": inner}] if inner else []
        elif part["name"] in chosen:
            left.append(part)
    return left or streams


def retriever_of(stream: DefaultStream) -> PolygonRetriever:
    """Return what reads a stream.

    Raises:
        TypeError: the manifest names another retriever, or the CDK keeps it elsewhere.
    """
    factory = getattr(stream._stream_partition_generator, "_partition_factory", None)
    retriever = getattr(factory, "_retriever", None)
    if not isinstance(retriever, PolygonRetriever):
        raise TypeError(f"{stream.name} is not read by one of our retrievers: {retriever!r}")
    return retriever


def lane_cursor_of(stream: DefaultStream) -> LaneCursor[Any, Any] | None:
    """Return the cursor that the manifest gave to a stream as its partition router."""
    router = getattr(stream._stream_partition_generator, "_stream_slicer", None)
    return router if isinstance(router, LaneCursor) else None


def queued(source: Source) -> Iterator[AirbyteMessage]:
    """Return what components have left in the source's queue, as the CDK's entry point does."""
    repository = getattr(source, "message_repository", None)
    if repository is not None:
        yield from repository.consume_queue()


def is_count_of_pages(line: logging.LogRecord) -> bool:
    """Return whether a log line counts a stream's records, which in our command are pages."""
    return line.module == "concurrent_read_processor" and line.getMessage().startswith("Read ")


def message_text(message: AirbyteMessage) -> str:
    """Return a message as it is printed."""
    return AirbyteEntrypoint.airbyte_message_to_string(message)

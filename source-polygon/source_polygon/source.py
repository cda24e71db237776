"""The source: the manifest, with what YAML cannot say added to it."""

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from airbyte_cdk.models import (
    AirbyteCatalog,
    AirbyteConnectionStatus,
    AirbyteMessage,
    AirbyteStateMessage,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteStream,
    ConnectorSpecification,
    Status,
)
from airbyte_cdk.sources.source import Source
from airbyte_cdk.sources.streams.concurrent.abstract_stream import AbstractStream
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_polygon import check, missing, patterns
from source_polygon.config import problems, unknown_fields, with_defaults
from source_polygon.engine.cdk import (
    ManifestSource,
    lane_cursor_of,
    manifest_of,
    retriever_of,
)
from source_polygon.engine.estimate import Estimate, estimate, in_all, number, shortest_first
from source_polygon.engine.output import Output, one_by_one
from source_polygon.errors import config_error
from source_polygon.progress import Progress, reported
from source_polygon.vendor.questions import Vendor
from source_polygon.vendor.tally import TALLY

MANIFEST: Final = Path(__file__).with_name("manifest.yaml")


class SourcePolygon(Source):
    """Airbyte source for Polygon.io (Massive.com)."""

    # `discover` and `read` say what is wrong with a configuration themselves, with the fix.
    check_config_against_spec = False

    def __init__(
        self,
        catalog: ConfiguredAirbyteCatalog | None = None,
        config: Mapping[str, Any] | None = None,
        state: list[AirbyteStateMessage] | None = None,
        output: Output = one_by_one,
        manifest: Mapping[str, Any] | None = None,
    ) -> None:
        """Make the source.

        Args:
            catalog: the configured catalog of a read.
            config: the user's configuration; what is missing takes the default of the spec.
            state: the state to go on from.
            output: how records leave, see `engine.output`. The command passes `in_pages`.
            manifest: what is read and how; by default that of this package.
        """
        self._manifest = manifest or manifest_of(MANIFEST)
        self._output = output
        self._take(catalog, config, state)

    def _take(
        self,
        catalog: ConfiguredAirbyteCatalog | None,
        config: Mapping[str, Any] | None,
        state: list[AirbyteStateMessage] | None,
    ) -> None:
        """Build the streams anew for what is given: the CDK does so with the configuration."""
        self._configured, self._state = config is not None, state
        spec = self._manifest["spec"]["connection_specification"]
        given = with_defaults(config or {}, spec)
        given["base_url"] = str(given["base_url"]).rstrip("/")
        self._problems = problems(given, spec)
        self._unknown_fields = unknown_fields(given, spec)
        # The manifest's expressions are evaluated on construction: they get the defaults where the
        # configuration is unusable, and every command but `spec` then says so.
        usable = with_defaults({}, spec) if self._problems else given
        self.manifest = ManifestSource(self._manifest, catalog, usable, state, self._output)

    @property
    def name(self) -> str:
        """Name of the connector, as its logger has it."""
        return self.manifest.name

    def configure(self, config: Mapping[str, Any], temp_dir: str) -> Mapping[str, Any]:
        """Take a configuration that was not given on construction, and return it.

        The CDK's standard tests construct the source without arguments.
        """
        if not self._configured:
            self._take(None, config, None)
        return config

    def spec(self, logger: logging.Logger) -> ConnectorSpecification:
        """Return the form that the user fills in."""
        return self.manifest.spec(logger)

    def check(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteConnectionStatus:
        """Return whether anything chosen can be read with this key, and what is not covered."""
        if self._problems:
            found = AirbyteConnectionStatus(status=Status.FAILED, message=" ".join(self._problems))
        else:
            config = self.manifest.usable_config
            found = check.status(config, self.manifest.market_wide, self.vendor)
            if found.status is Status.SUCCEEDED and patterns.are_in(config["symbols"]):
                found = self._with_patterns(found)
        self._warn(logger)
        return found

    def _with_patterns(self, found: AirbyteConnectionStatus) -> AirbyteConnectionStatus:
        """Return the outcome of the check once patterns in `symbols` are looked up."""
        try:
            patterns.looked_up(self.manifest.usable_config["symbols"], self.vendor("tickers"))
        except AirbyteTracedException as error:
            return AirbyteConnectionStatus(status=Status.FAILED, message=error.message)
        return found

    def discover(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteCatalog:
        """Return the catalog: streams that need a field of the configuration, once it is filled."""
        self._require_valid_config()
        return self.manifest.discover(logger, config)

    def read(
        self,
        logger: logging.Logger,
        config: Mapping[str, Any],
        catalog: ConfiguredAirbyteCatalog,
        state: list[AirbyteStateMessage] | None = None,
    ) -> Iterator[AirbyteMessage]:
        """Return the messages of a sync."""
        if state and not self._state:
            self._take(catalog, config, state)
        self._require_valid_config()
        self._warn(logger)
        self._warn_of_states_no_longer_used(logger)
        known, unknown = self._split(catalog)
        withheld = self.manifest.withheld
        yield from missing.messages(unknown, list(self.manifest.definitions), withheld)
        self._look_up_patterns(known)
        estimates = self._estimates(known)
        progress = Progress(TALLY, self._say_what_it_takes(logger, estimates))
        known = shortest_first(known, estimates)
        try:
            with reported(progress, logger):
                for message in self.manifest.read(logger, config, known, state):
                    progress.count(message)
                    yield message
        finally:
            progress.summary(logger)
        missing.require_none(catalog, unknown, withheld)

    def _look_up_patterns(self, catalog: ConfiguredAirbyteCatalog) -> None:
        """Put what they stand for in the place of patterns, where a chosen stream reads symbols."""
        symbols, needs = self.manifest.usable_config["symbols"], self.manifest.needs
        asking = [each for each in catalog.streams if needs.get(each.stream.name) == "symbols"]
        if asking and patterns.are_in(symbols):
            vendor = self.vendor(asking[0].stream.name)
            self.manifest.take_symbols(patterns.looked_up(symbols, vendor))

    def _estimates(self, catalog: ConfiguredAirbyteCatalog) -> dict[str, Estimate]:
        """Return what each stream will ask of the vendor, but for those whose state is wrong."""
        self.streams(self.manifest.usable_config)
        chosen = [self.manifest.built[each.stream.name] for each in catalog.streams]
        found = [estimate(retriever_of(each), lane_cursor_of(each)) for each in chosen]
        return {each.stream: each for each in found if each}

    def _say_what_it_takes(
        self, logger: logging.Logger, planned: Mapping[str, Estimate]
    ) -> Callable[[], Mapping[str, str]]:
        """Log what the chosen streams will ask of the vendor; return what tells how far each is."""
        config = self.manifest.usable_config
        for each in planned.values():
            logger.info(each.text(config))
        logger.info(in_all(planned.values(), config))

        def so_far() -> dict[str, str]:
            cursors = {name: lane_cursor_of(self.manifest.built[name]) for name in planned}
            return {
                name: f"{cursor.completed:,} of {number(planned[name].slices, planned[name].unit)}"
                for name, cursor in cursors.items()
                if cursor
            }

        return so_far

    def streams(self, config: Mapping[str, Any]) -> list[AbstractStream]:
        """Return the streams."""
        return self.manifest.streams(config)

    def vendor(self, stream_name: str) -> Vendor:
        """Return the vendor, to be asked for the path of a stream."""
        base_url = self.manifest.usable_config["base_url"]
        return Vendor(self.manifest.requester(stream_name), base_url)

    def _split(
        self, catalog: ConfiguredAirbyteCatalog
    ) -> tuple[ConfiguredAirbyteCatalog, list[ConfiguredAirbyteStream]]:
        """Return what this connector has of `catalog`, and what it does not have."""
        names = self.manifest.definitions
        known = [chosen for chosen in catalog.streams if chosen.stream.name in names]
        unknown = [chosen for chosen in catalog.streams if chosen.stream.name not in names]
        return ConfiguredAirbyteCatalog(streams=known), unknown

    def _warn_of_states_no_longer_used(self, logger: logging.Logger) -> None:
        """Say where an earlier version went on from a state and this one reads in full."""
        whole = {
            name
            for name, stream in self.manifest.definitions.items()
            if "partition_router" not in stream["retriever"]
        }
        for message in self._state or []:
            saved = message.stream
            if saved is None or saved.stream_descriptor.name not in whole:
                continue
            cursors = vars(saved.stream_state) if saved.stream_state else {}
            if any(not field.startswith("__ab") for field in cursors):
                logger.warning(
                    "%s: the saved state is that of an earlier version and has no effect. The "
                    "stream is read in full at each sync now.",
                    saved.stream_descriptor.name,
                )

    def _require_valid_config(self) -> None:
        if self._problems:
            raise config_error(" ".join(self._problems))

    def _warn(self, logger: logging.Logger) -> None:
        for sentence in self._unknown_fields:
            logger.warning(sentence)

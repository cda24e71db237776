"""The source: the manifest, with what YAML cannot say added to it."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from airbyte_cdk.models import (
    AirbyteCatalog,
    AirbyteConnectionStatus,
    AirbyteMessage,
    AirbyteStateMessage,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteStream,
    FailureType,
    Status,
)
from airbyte_cdk.sources.declarative.models.declarative_component_schema import (
    HttpRequester as HttpRequesterModel,
)
from airbyte_cdk.sources.declarative.requesters.requester import Requester
from airbyte_cdk.sources.declarative.yaml_declarative_source import YamlDeclarativeSource
from airbyte_cdk.sources.streams.concurrent.abstract_stream import AbstractStream
from airbyte_cdk.sources.streams.concurrent.default_stream import DefaultStream
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from airbyte_cdk.utils.yaml_loader import safe_load_yaml

from source_polygon import check, missing
from source_polygon.config import problems, unknown_fields, with_defaults
from source_polygon.engine.checkpoints import LaneCursor
from source_polygon.engine.output import Output, one_by_one, page_of
from source_polygon.vendor.tally import BELIEVED, REQUESTS

MANIFEST = Path(__file__).with_name("manifest.yaml")


class SourcePolygon(YamlDeclarativeSource):
    """Airbyte source for Polygon.io (Massive.com).

    Args:
        catalog: the configured catalog of a read.
        config: the user's configuration; what is missing takes the default of the spec.
        state: the state to go on from.
        output: how records leave, see `output`. The command passes `in_pages`.
    """

    # `discover` and `read` say what is wrong with a configuration themselves, with the fix.
    check_config_against_spec = False

    def __init__(
        self,
        catalog: ConfiguredAirbyteCatalog | None = None,
        config: Mapping[str, Any] | None = None,
        state: list[AirbyteStateMessage] | None = None,
        output: Output = one_by_one,
    ) -> None:
        self._output = output
        self._configured = config is not None
        self._state = state
        spec = safe_load_yaml(MANIFEST.read_text())["spec"]["connection_specification"]
        given = with_defaults(config or {}, spec)
        given["base_url"] = str(given["base_url"]).rstrip("/")
        self._problems = problems(given, spec)
        self._unknown = unknown_fields(given, spec)
        # The manifest's expressions are evaluated on construction: they get the defaults where the
        # configuration is unusable, and every command but `spec` then says so.
        usable = with_defaults({}, spec) if self._problems else given
        super().__init__(str(MANIFEST), catalog=catalog, config=usable, state=state)

    @property
    def name(self) -> str:
        """Name of the connector, as its logger has it."""
        return "source-polygon"

    def configure(self, config: Mapping[str, Any], temp_dir: str) -> Mapping[str, Any]:
        """Take a configuration that was not given on construction, and return it.

        The CDK's standard tests construct the source without arguments.
        """
        if not self._configured:
            SourcePolygon.__init__(self, config=config, output=self._output)
        return config

    def check(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteConnectionStatus:
        """Return whether each chosen market can be read with this key, and if not, why."""
        found = self._problems or check.failures(
            self._config, self._requester("grouped_daily"), self._requester("tickers")
        )
        self._warn(logger)
        if found:
            return AirbyteConnectionStatus(status=Status.FAILED, message=" ".join(found))
        return AirbyteConnectionStatus(status=Status.SUCCEEDED)

    def discover(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteCatalog:
        """Return the catalog. It does not depend on the configuration, which is still checked."""
        self._require_valid_config()
        return super().discover(logger, config)

    def read(
        self,
        logger: logging.Logger,
        config: Mapping[str, Any],
        catalog: ConfiguredAirbyteCatalog,
        state: list[AirbyteStateMessage] | None = None,
    ) -> Iterator[AirbyteMessage]:
        """Return the messages of a sync."""
        if state and not self._state:
            SourcePolygon.__init__(self, catalog, config, state, self._output)
        self._require_valid_config()
        self._warn(logger)
        known, unknown = self._split(catalog)
        yield from missing.messages(unknown, list(self._stream_names))
        started, before, empty = monotonic(), REQUESTS.number, BELIEVED.number
        records: Counter[str] = Counter()
        try:
            for message in super().read(logger, config, known, state):
                if message.record:
                    page = page_of(message)
                    records[message.record.stream] += page.count if page else 1
                yield message
        finally:
            for stream, number in records.items():
                logger.info("%s: %d records.", stream, number)
            sent, seconds = REQUESTS.number - before, monotonic() - started
            logger.info("Requests sent, retries included: %d, in %.0f seconds.", sent, seconds)
            if believed := BELIEVED.number - empty:
                logger.warning("Empty answers that were believed: %d, see above.", believed)
        missing.require_none(catalog, unknown)

    def streams(self, config: Mapping[str, Any]) -> list[AbstractStream]:
        """Return the manifest's streams, the incremental ones with their own cursor.

        The CDK takes no custom cursor since 7.0, but a custom partition router. Ours is both: it is
        found here and attached, which is the only place that touches the CDK's private parts.
        """
        streams = super().streams(config)
        for stream in streams:
            if isinstance(stream, DefaultStream):
                router = getattr(stream._stream_partition_generator, "_stream_slicer", None)
                if isinstance(router, LaneCursor):
                    router.attach(
                        stream.name,
                        self._connector_state_manager,
                        self._message_repository,
                        self._output,
                    )
                    stream._cursor = router
                    stream._cursor_field = router.field
        return streams

    @property
    def _stream_names(self) -> Iterator[str]:
        return (stream["name"] for stream in self._source_config["streams"])

    def _split(
        self, catalog: ConfiguredAirbyteCatalog
    ) -> tuple[ConfiguredAirbyteCatalog, list[ConfiguredAirbyteStream]]:
        """Return what this connector has of `catalog`, and what it does not have."""
        names = set(self._stream_names)
        known = [chosen for chosen in catalog.streams if chosen.stream.name in names]
        unknown = [chosen for chosen in catalog.streams if chosen.stream.name not in names]
        return ConfiguredAirbyteCatalog(streams=known), unknown

    def _requester(self, stream_name: str) -> Requester:
        stream = next(s for s in self._source_config["streams"] if s["name"] == stream_name)
        self._prepare_for_stream_build()
        requester: Requester = self._constructor.create_component(
            HttpRequesterModel, stream["retriever"]["requester"], self._config, name="check"
        )
        return requester

    def _require_valid_config(self) -> None:
        if self._problems:
            text = " ".join(self._problems)
            raise AirbyteTracedException(
                message=text, internal_message=text, failure_type=FailureType.config_error
            )

    def _warn(self, logger: logging.Logger) -> None:
        for sentence in self._unknown:
            logger.warning(sentence)

"""Syncs of the connector as a platform runs them: catalog in, messages out, state kept."""

import json
import logging
from argparse import Namespace
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from airbyte_cdk.models import AirbyteStateMessage, ConfiguredAirbyteCatalog, Status
from airbyte_cdk.models.airbyte_protocol_serializers import (
    AirbyteMessageSerializer,
    AirbyteStateMessageSerializer,
    ConfiguredAirbyteCatalogSerializer,
)
from airbyte_cdk.sources import Source
from airbyte_cdk.test import entrypoint_wrapper
from airbyte_cdk.test.entrypoint_wrapper import EntrypointOutput
from airbyte_cdk.utils.yaml_loader import safe_load_yaml
from polygon_sandbox import Sandbox
from source_polygon import SourcePolygon
from source_polygon.engine.output import Output as Leaving
from source_polygon.engine.output import one_by_one
from source_polygon.run import Entrypoint
from source_polygon.source import MANIFEST

_STREAMS: list[dict[str, Any]] = [
    stream
    for part in safe_load_yaml(MANIFEST.read_text())["streams"]
    for stream in part.get("streams", [part])  # those that need a field of the configuration
]

# Of every stream, in the order of the catalog; () where the vendor gives no key.
KEYS: dict[str, tuple[str, ...]] = {
    stream["name"]: tuple(stream["primary_key"]) for stream in _STREAMS
}

# Of the streams that are incremental.
CURSORS: dict[str, str] = {
    stream["name"]: stream["retriever"]["partition_router"]["cursor_field"]
    for stream in _STREAMS
    if "cursor_field" in stream["retriever"].get("partition_router", {})
}

Row = dict[str, Any]


def manifest_with(stream: str, place: str, **changed: Any) -> Row:
    """Return the manifest with other values at a place of a stream's retriever, or in it ("")."""
    manifest: Row = safe_load_yaml(MANIFEST.read_text())
    streams = [each for part in manifest["streams"] for each in part.get("streams", [part])]
    retriever = next(each["retriever"] for each in streams if each["name"] == stream)
    part = retriever[place] if place else retriever
    assert changed.keys() <= part.keys()
    part |= changed
    return manifest


# How records leave; the fixture `both_ways` changes it.
LEAVING: Leaving = one_by_one


def catalog(*streams: str) -> ConfiguredAirbyteCatalog:
    """Return a catalog that reads `streams`."""
    return ConfiguredAirbyteCatalogSerializer.load(
        {
            "streams": [
                {
                    "sync_mode": "incremental",
                    "destination_sync_mode": "append_dedup",
                    "stream": {
                        "name": name,
                        "json_schema": {},
                        "supported_sync_modes": ["full_refresh", "incremental"],
                    },
                }
                for name in streams
            ]
        }
    )


class PagesUnpacked(Entrypoint):
    """The command's entry point in the place of the CDK's: records leave it by the page."""

    def run(self, parsed_args: Namespace) -> Iterator[str]:
        for item in self.output(parsed_args):
            yield from [item] if isinstance(item, str) else item.lines.decode().splitlines()


class Output:
    """What one sync printed.

    Attributes:
        messages: the messages as JSON objects, in order.
        text: the same as one text.
    """

    def __init__(self, printed: EntrypointOutput) -> None:
        self.messages: list[Row] = [
            AirbyteMessageSerializer.dump(message) for message in printed.get_message_iterator()
        ]
        self.text = json.dumps(self.messages, default=str)

    def records(self, stream: str) -> list[Row]:
        found = [m["record"] for m in self.messages if m["type"] == "RECORD"]
        return [record["data"] for record in found if record["stream"] == stream]

    def states(self, stream: str) -> list[Row]:
        found = [m["state"]["stream"] for m in self.messages if m["type"] == "STATE"]
        return [s["stream_state"] for s in found if s["stream_descriptor"]["name"] == stream]

    @property
    def errors(self) -> list[str]:
        return [str(error["message"]) for error in self.traces("error")]

    @property
    def failure_types(self) -> set[str]:
        return {str(error["failure_type"]) for error in self.traces("error")}

    def status(self, stream: str) -> str:
        found = self.traces("stream_status")
        return [str(s["status"]) for s in found if s["stream_descriptor"]["name"] == stream][-1]

    def traces(self, kind: str) -> list[Row]:
        """Return the traces of a kind: `error`, `stream_status`."""
        return [m["trace"][kind] for m in self.messages if kind in m.get("trace", {})]


class Syncs:
    """A connection: a configuration, the state of the last sync, and a table per stream.

    Attributes:
        sandbox: whom it asks.
        manifest: what it reads and how; None for that of the package.
        saved: the last state of each stream.
        tables: what was loaded, by stream and key.
    """

    def __init__(self, sandbox: Sandbox, manifest: Mapping[str, Any] | None = None) -> None:
        self.sandbox = sandbox
        self.manifest = manifest
        self.saved: dict[str, Any] = {}
        self.tables: dict[str, dict[tuple[Any, ...], Row]] = defaultdict(dict)

    def config(self, **overrides: Any) -> dict[str, Any]:
        return {
            "api_key": self.sandbox.key,
            "start_date": "2026-11-02",
            "base_url": self.sandbox.url,
            "requests_per_minute": 6000,
            "symbols": ["AAPL", "X:BTCUSD"],
            "futures_symbols": ["ESZ6"],
            **overrides,
        }

    def read(self, *streams: str, expect_failure: bool = False, **overrides: Any) -> Output:
        """Run a sync from the kept state; keep its state and load its records, keyed."""
        config = self.config(**overrides)
        chosen = catalog(*streams)
        source = self.source(chosen, config)
        output = Output(
            entrypoint_wrapper.read(
                source, config, chosen, self.state, expecting_exception=expect_failure
            )
        )
        for stream in streams:
            if stream not in CURSORS:
                self.tables[stream].clear()  # the sync mode is overwrite
        self.load(output.messages)
        return output

    def source(self, chosen: ConfiguredAirbyteCatalog, config: Row) -> Source:
        """Return the source that reads."""
        return SourcePolygon(chosen, config, self.state, LEAVING, self.manifest)

    def load(self, messages: list[Row]) -> None:
        """Do what a destination does with `messages`, and keep the last states.

        A stream with a key is deduplicated, one without is appended to.
        """
        for message in messages:
            if message["type"] == "RECORD":
                row, stream = message["record"]["data"], message["record"]["stream"]
                table, cursor = self.tables[stream], CURSORS.get(stream, "")
                key = tuple(row[field] for field in KEYS[stream]) or (len(table),)
                # Of the rows of a key the one with the newest cursor counts, then the last.
                before = table.get(key, {}).get(cursor, "")
                if row.get(cursor, before) >= before:
                    table[key] = row
            elif message["type"] == "STATE":
                state = message["state"]["stream"]
                self.saved[state["stream_descriptor"]["name"]] = state["stream_state"]

    @property
    def state(self) -> list[AirbyteStateMessage]:
        """The state that the next sync starts from."""
        return [
            AirbyteStateMessageSerializer.load(
                {
                    "type": "STREAM",
                    "stream": {"stream_descriptor": {"name": stream}, "stream_state": state},
                }
            )
            for stream, state in self.saved.items()
        ]

    def set_state(self, stream: str, state: Mapping[str, Any]) -> None:
        """Start the next sync of `stream` from `state`."""
        self.saved[stream] = state

    def check(self, **overrides: Any) -> tuple[bool, str]:
        """Run the connection check; return whether it succeeded and its message."""
        config = self.config(**overrides)
        status = SourcePolygon(config=config).check(logging.getLogger("airbyte"), config)
        return status.status is Status.SUCCEEDED, status.message or ""

    def paths(self) -> list[str]:
        """Return the paths asked for since the last `clear_requests`."""
        return [request.path for request in self.sandbox.requests]

"""Syncs of the connector as a platform runs them: catalog in, messages out, state kept."""

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from airbyte_cdk.models import AirbyteMessage, AirbyteStateMessage, ConfiguredAirbyteCatalog, Status
from airbyte_cdk.models.airbyte_protocol_serializers import (
    AirbyteMessageSerializer,
    AirbyteStateMessageSerializer,
    ConfiguredAirbyteCatalogSerializer,
)
from airbyte_cdk.test import entrypoint_wrapper
from airbyte_cdk.test.entrypoint_wrapper import EntrypointOutput
from polygon_sandbox import Sandbox
from source_polygon import SourcePolygon

KEYS = {
    "grouped_daily": ("market", "date", "ticker", "adjusted"),
    "tickers": ("market", "ticker", "listing_end"),
    "splits": ("id",),
    "dividends": ("id",),
    "exchanges": ("asset_class", "locale", "id"),
    "ticker_types": ("asset_class", "locale", "code"),
    "market_holidays": ("date", "exchange"),
}

Row = dict[str, Any]


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


class Output:
    """What one sync printed."""

    def __init__(self, printed: EntrypointOutput) -> None:
        self.printed = printed
        self.text = "\n".join(
            json.dumps(AirbyteMessageSerializer.dump(message), default=str)
            for message in printed._messages
        )

    def records(self, stream: str) -> list[Row]:
        return [dict(m.record.data) for m in self.printed.records if m.record.stream == stream]

    def states(self, stream: str) -> list[Row]:
        return [
            dict(m.state.stream.stream_state.__dict__)
            for m in self.printed.state_messages
            if m.state.stream.stream_descriptor.name == stream
        ]

    @property
    def errors(self) -> list[str]:
        return [m.trace.error.message for m in self.printed.errors]

    @property
    def failure_types(self) -> set[str]:
        return {m.trace.error.failure_type.value for m in self.printed.errors}

    def status(self, stream: str) -> str:
        return self.printed.get_stream_statuses(stream)[-1].value

    @property
    def messages(self) -> list[AirbyteMessage]:
        return list(self.printed._messages)


class Syncs:
    """A connection: a configuration, the state of the last sync, and a table per stream."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.state: list[AirbyteStateMessage] = []
        self.tables: dict[str, dict[tuple[Any, ...], Row]] = defaultdict(dict)

    def config(self, **overrides: Any) -> dict[str, Any]:
        return {
            "api_key": self.sandbox.key,
            "start_date": "2026-11-02",
            "base_url": self.sandbox.url,
            "requests_per_minute": 6000,
            **overrides,
        }

    def read(self, *streams: str, expect_failure: bool = False, **overrides: Any) -> Output:
        """Run a sync from the kept state; keep its state and load its records, keyed."""
        config = self.config(**overrides)
        chosen = catalog(*streams)
        source = SourcePolygon(catalog=chosen, config=config, state=self.state)
        output = Output(
            entrypoint_wrapper.read(
                source, config, chosen, self.state, expecting_exception=expect_failure
            )
        )
        self.load(output.messages)
        return output

    def load(self, messages: list[AirbyteMessage]) -> None:
        """Do what a deduplicating destination does with `messages`, and keep the last states."""
        states = {message.stream.stream_descriptor.name: message for message in self.state}
        for message in messages:
            if message.record:
                row = dict(message.record.data)
                key = tuple(row[field] for field in KEYS[message.record.stream])
                assert None not in key
                self.tables[message.record.stream][key] = row
            elif message.state:
                states[message.state.stream.stream_descriptor.name] = message.state
        self.state = list(states.values())

    def set_state(self, stream: str, state: Mapping[str, Any]) -> None:
        """Start the next sync of `stream` from `state`."""
        self.state = [
            AirbyteStateMessageSerializer.load(
                {
                    "type": "STREAM",
                    "stream": {"stream_descriptor": {"name": stream}, "stream_state": state},
                }
            )
        ]

    def check(self, **overrides: Any) -> tuple[bool, str]:
        """Run the connection check; return whether it succeeded and its message."""
        import logging

        config = self.config(**overrides)
        status = SourcePolygon(config=config).check(logging.getLogger("airbyte"), config)
        return status.status is Status.SUCCEEDED, status.message or ""

    def paths(self) -> list[str]:
        """Return the paths asked for since the last `clear_requests`."""
        return [request.path for request in self.sandbox.requests]

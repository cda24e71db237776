"""Syncs of the Airbyte Cloud edition, as `syncing` has them of the Docker edition."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airbyte_cdk.models import ConfiguredAirbyteCatalog
from airbyte_cdk.sources import Source
from airbyte_cdk.sources.declarative.concurrent_declarative_source import (
    ConcurrentDeclarativeSource,
)
from airbyte_cdk.utils.yaml_loader import safe_load_yaml
from polygon_sandbox import Sandbox

from unit_tests.connector.syncing import Row, Syncs

MANIFESTS = Path(__file__).parents[2] / "manifests"
CLOUD: dict[str, Any] = safe_load_yaml((MANIFESTS / "cloud.yaml").read_text())


def names(manifest: Mapping[str, Any]) -> list[str]:
    """Return the names of a manifest's streams, those included that need a field of the form."""
    groups = [group.get("streams", [group]) for group in manifest["streams"]]
    return [stream["name"] for group in groups for stream in group]


STREAMS = names(CLOUD)


def manifest(sandbox: Sandbox, *chosen: str) -> dict[str, Any]:
    """Return cloud.yaml with the sandbox among the addresses to choose from.

    Without all streams but those `chosen`, where some are: the CDK takes a second to build them.
    """
    copy: dict[str, Any] = json.loads(json.dumps(CLOUD))
    if chosen:
        groups = [group.get("streams", [group]) for group in copy["streams"]]
        copy["streams"] = [
            part
            for part, group in zip(copy["streams"], groups, strict=True)
            if any(stream["name"] in chosen for stream in group)
        ]
    copy["spec"]["connection_specification"]["properties"]["base_url"]["enum"].append(sandbox.url)
    return copy


class CloudSyncs(Syncs):
    """Syncs of the Cloud edition."""

    def source(self, chosen: ConfiguredAirbyteCatalog, config: Row) -> Source:
        return ConcurrentDeclarativeSource(
            catalog=chosen,
            config=config,
            state=self.state,
            source_config=manifest(self.sandbox, *(each.stream.name for each in chosen.streams)),
        )

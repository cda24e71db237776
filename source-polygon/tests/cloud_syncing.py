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
from syncing import Row, Syncs

MANIFESTS = Path(__file__).parents[2] / "manifests"
CLOUD: dict[str, Any] = safe_load_yaml((MANIFESTS / "cloud.yaml").read_text())


def names(manifest: Mapping[str, Any]) -> list[str]:
    """Return the names of a manifest's streams, those included that need a field of the form."""
    groups = [group.get("streams", [group]) for group in manifest["streams"]]
    return [stream["name"] for group in groups for stream in group]


STREAMS = names(CLOUD)


def manifest(sandbox: Sandbox) -> dict[str, Any]:
    """Return cloud.yaml with the sandbox among the addresses to choose from."""
    copy: dict[str, Any] = json.loads(json.dumps(CLOUD))
    copy["spec"]["connection_specification"]["properties"]["base_url"]["enum"].append(sandbox.url)
    return copy


class CloudSyncs(Syncs):
    """Syncs of the Cloud edition."""

    def source(self, chosen: ConfiguredAirbyteCatalog, config: Row) -> Source:
        return ConcurrentDeclarativeSource(
            catalog=chosen,
            config=config,
            state=self.state,
            source_config=manifest(self.sandbox),
        )

"""The manifest that is published, and what it says about its configuration and its streams."""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from airbyte_cdk.models import AirbyteCatalog, AirbyteStream
from airbyte_cdk.sources.declarative.concurrent_declarative_source import (
    ConcurrentDeclarativeSource,
)
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from airbyte_cdk.utils.yaml_loader import safe_load_yaml
from jsonschema import ValidationError
from source_polygon.config import problems, unknown_fields, with_defaults

from deploy.airbyte_cloud.errors import PublishError


@dataclass(frozen=True)
class Manifest:
    """A connector in pure YAML.

    Attributes:
        path: the file it is from.
        content: all of it, as it is sent to Airbyte.
    """

    path: Path
    content: Mapping[str, Any]

    @property
    def spec(self) -> Mapping[str, Any]:
        """The JSON schema of the configuration."""
        schema: Mapping[str, Any] = self.content["spec"]["connection_specification"]
        return schema

    def configured(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a configuration with the defaults of the spec.

        Raises:
            PublishError: a value is wrong or a field unknown; all are named, no secret is.
        """
        config = with_defaults(given, self.spec)
        found = [*problems(config, self.spec), *unknown_fields(config, self.spec)]
        if found:
            lines = ["The configuration of the source is not usable:", *(f"  {f}" for f in found)]
            raise PublishError("\n".join(lines))
        return config

    def streams(self, config: Mapping[str, Any]) -> dict[str, AirbyteStream]:
        """Return what the connector would show to Airbyte, by name: sync modes, cursors, keys.

        Raises:
            PublishError: Airbyte's framework cannot build a connector from the manifest.
        """
        try:
            source = ConcurrentDeclarativeSource(
                config=config, source_config=dict(self.content), custom_components_trusted=False
            )
            catalog: AirbyteCatalog = source.discover(logging.getLogger("airbyte"), config)
        except (AirbyteTracedException, ValidationError, ValueError, KeyError) as error:
            raise PublishError(f"{self.path} is not a usable manifest: {error}") from None
        return {stream.name: stream for stream in catalog.streams}


def read_manifest(path: Path) -> Manifest:
    """Return the manifest in a file.

    Raises:
        PublishError: it cannot be read, or Airbyte Cloud would not take it.
    """
    try:
        content = safe_load_yaml(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PublishError(f"{path} cannot be read: {error}") from None
    if not isinstance(content, dict) or content.get("type") != "DeclarativeSource":
        raise PublishError(f"{path} is not a manifest: it has no `type: DeclarativeSource`.")
    if "connection_specification" not in content.get("spec", {}):
        raise PublishError(f"{path} has no spec.connection_specification, which Airbyte needs.")
    custom = sorted(set(_custom_types(content)))
    if custom:
        raise PublishError(
            f"{path} needs Python code ({', '.join(custom)}), which Airbyte Cloud does not run. "
            "Publish manifests/cloud.yaml, the edition in pure YAML."
        )
    # As Airbyte gives it back: JSON has no dates, and text for every key.
    return Manifest(path, json.loads(json.dumps(content, default=str)))


def _custom_types(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "class_name" in part:
            yield str(part.get("type", "class_name"))
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from _custom_types(inner)

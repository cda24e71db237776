"""What is said twice about the image is said alike, and as Airbyte's registry wants it."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from airbyte_cdk.utils.yaml_loader import safe_load_yaml
from jsonschema import Draft7Validator, FormatChecker
from source_polygon import SourcePolygon

ROOT = Path(__file__).parents[2]
METADATA = safe_load_yaml((ROOT / "metadata.yaml").read_text())
DATA = METADATA["data"]


def find(pattern: str, file: str) -> str:
    """Return what the group of a pattern matches in a file."""
    found = re.search(pattern, (ROOT / file).read_text(), re.MULTILINE)
    assert found, f"{pattern} is not in {file}"
    return found[1]


def test_the_base_image_is_the_same_everywhere() -> None:
    base = DATA["connectorBuildOptions"]["baseImage"]
    assert find(r"^ARG BASE_IMAGE=(.+)", "Dockerfile") == base
    assert re.search(r":[\d.]+@sha256:[0-9a-f]{64}$", base)


def test_the_image_is_built_with_the_tools_that_the_tests_were_installed_with() -> None:
    built_with, tested_with = (
        set(
            re.findall(r"^[a-z].*==[^ ]+", (ROOT / "requirements" / name).read_text(), re.MULTILINE)
        )
        for name in ("build.txt", "dev.txt")
    )
    assert {pin for pin in built_with if not pin.startswith("tomli==")} <= tested_with


def test_suggested_streams_exist() -> None:
    streams = {stream.name for stream in SourcePolygon().streams({})}
    assert set(DATA["suggestedStreams"]["streams"]) <= streams


def test_the_icon_is_a_square() -> None:
    box = find(r'viewBox="([\d ]+)"', DATA["icon"]).split()
    assert box[:2] == ["0", "0"]
    assert box[2] == box[3]


def test_metadata_is_valid_against_the_schema_of_the_registry() -> None:
    folder = files("airbyte_connector_models") / "metadata" / "v0"
    schema_text = (folder / "ConnectorMetadataDefinitionV0.json").read_text()
    # Its references count from the root, which the identifiers of its parts would move.
    schema = json.loads(schema_text, object_hook=without_id)
    validator = Draft7Validator(schema, format_checker=FormatChecker())
    assert [error.message for error in validator.iter_errors(METADATA)] == []
    assert not validator.is_valid({**METADATA, "data": {**DATA, "unknown": 1}})


def without_id(part: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in part.items() if key != "$id"}

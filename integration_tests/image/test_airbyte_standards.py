"""Airbyte's own tests of an image, with the image that was built from this checkout.

`airbyte-cdk image test` runs the same, but only where the checkout is called source-polygon, and
its containers reach no sandbox on 127.0.0.1: here they get one in their own network. One test asks
Airbyte's registry for the published specification, and is skipped where that cannot be reached.
"""

import json
from pathlib import Path

import pytest
from airbyte_cdk.test.standard_tests.docker_base import DockerConnectorTestSuite
from polygon_sandbox import Sandbox
from source_polygon.sessions import last_finished

pytestmark = pytest.mark.image_tests
ROOT = Path(__file__).parents[2]
GENERATED = ROOT / "integration_tests" / "generated"


@pytest.fixture(scope="session")
def acceptance_sandbox(sandbox: Sandbox) -> Sandbox:
    """The sandbox of the containers, with the configurations of the acceptance tests."""
    config = {
        "api_key": sandbox.key,
        "start_date": str(last_finished("stocks")),
        "base_url": sandbox.url,
        "requests_per_minute": 6000,
    }
    GENERATED.mkdir(exist_ok=True)
    (GENERATED / "config.json").write_text(json.dumps(config))
    (GENERATED / "wrong_key.json").write_text(json.dumps({**config, "api_key": "wrong"}))
    return sandbox


@pytest.fixture
def connector_image_override(image: str) -> str:
    """The image under test, which the command line names otherwise."""
    return image


@pytest.fixture
def read_from_streams() -> str:
    """All streams; the suite reads none unless the command line says so."""
    return "all"


class TestImageStandards(DockerConnectorTestSuite):
    """The suite with this connector."""

    @classmethod
    def get_connector_root_dir(cls) -> Path:
        return ROOT

    @classmethod
    def is_destination_connector(cls) -> bool:
        return False

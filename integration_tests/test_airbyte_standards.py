"""Airbyte's own standard tests, in-process, from any folder name.

`airbyte-cdk connector test` runs the same suite where the checkout is called source-polygon.
"""

from pathlib import Path
from typing import Any

from airbyte_cdk.test.models import ConnectorTestScenario
from airbyte_cdk.test.standard_tests import SourceTestSuiteBase
from source_polygon import SourcePolygon

ROOT = Path(__file__).parents[1]


class TestAirbyteStandards(SourceTestSuiteBase):
    """The suite with this connector."""

    connector = SourcePolygon

    @classmethod
    def get_connector_root_dir(cls) -> Path:
        return ROOT

    @classmethod
    def create_connector(cls, scenario: ConnectorTestScenario | None) -> Any:
        if scenario is None:
            return SourcePolygon()
        return SourcePolygon(
            config=scenario.get_config_dict(connector_root=ROOT, empty_if_missing=True)
        )

"""Airbyte's own tests of an image: `airbyte-cdk image test`, on the image of this checkout."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from polygon_sandbox import Sandbox
from source_polygon.sessions import last_finished

pytestmark = pytest.mark.image_tests
ROOT = Path(__file__).parents[2]

NAME = re.compile(r"test_docker_image_(?:build_and_)?(\w+)(?:\['(\w+)')?")
# What runs: a test with the configuration that acceptance-test-config.yml names for it. Other pairs
# are skipped.
PASSED = {
    ("spec", None),
    ("config_matches_spec", "sample_config"),
    ("check", "config"),
    ("check", "wrong_key"),
    ("check", "invalid_config"),
    ("discover", "config"),
    ("read", "config"),
}
# It compares the specification with the published one, and is skipped without a network.
PUBLISHED = ("spec_backward_compatibility", None)


@pytest.fixture
def connector(tmp_path: Path, sandbox: Sandbox) -> Path:
    """A folder as the tool wants it: called source-polygon, with configurations that work."""
    folder = tmp_path / "source-polygon"
    generated = folder / "integration_tests" / "generated"
    generated.mkdir(parents=True)
    for name in ("metadata.yaml", "acceptance-test-config.yml"):
        shutil.copy(ROOT / name, folder)
    for path in (ROOT / "integration_tests").glob("*.json"):
        shutil.copy(path, folder / "integration_tests")
    config = {
        "api_key": sandbox.key,
        "start_date": str(last_finished("stocks")),
        "base_url": sandbox.url,
        "requests_per_minute": 6000,
    }
    (generated / "config.json").write_text(json.dumps(config))
    (generated / "wrong_key.json").write_text(json.dumps({**config, "api_key": "wrong"}))
    return folder


def test_the_image_passes_them(image: str, connector: Path, report: Callable[[str], None]) -> None:
    tool = Path(sys.executable).with_name("airbyte-cdk")
    done = subprocess.run(
        [tool, "image", "test", "--image", image],
        cwd=connector,
        # The tool reads no stream unless it is told to.
        env={**os.environ, "PYTEST_ADDOPTS": "--read-from-streams=all"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    results = connector / "build" / "test-results" / "standard-tests-junit.xml"
    cases = list(ElementTree.parse(results).iter("testcase"))  # noqa: S314 - written just now
    passed = {
        name.groups()
        for case in cases
        if case.find("skipped") is None and (name := NAME.match(case.get("name", "")))
    }
    assert passed - {PUBLISHED} == PASSED
    if PUBLISHED not in passed:
        report("Airbyte's registry cannot be reached: the specification is not compared with it")

"""The documents build into a site without a broken link, with links out of docs/ as they should."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from integration_tests.documents.blocks import ROOT

_spec = importlib.util.spec_from_file_location("hooks", ROOT / "docs" / "mkdocs_hooks.py")
assert _spec
assert _spec.loader
hooks = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hooks)


def test_the_site_builds_without_a_broken_link(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "REPOSITORY_URL": "https://example.com/r"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    index = (tmp_path / "index.html").read_text()
    assert 'href="connector/"' in index
    design = (tmp_path / "design" / "index.html").read_text()
    assert "https://example.com/r/blob/main/unit_tests/connector/test_kinds.py" in design


@pytest.mark.parametrize(
    ("text", "folder", "with_repository", "without"),
    [
        ("[a](docs/x.md#b)", "", "[a](x.md#b)", "[a](x.md#b)"),
        ("[a](x.md)", "docs", "[a](x.md)", "[a](x.md)"),
        ('[a](../b/c.py "t")', "docs", '[a](https://r/blob/main/b/c.py "t")', "a"),
        ("[a](#b) [c](https://d)", "", "[a](#b) [c](https://d)", "[a](#b) [c](https://d)"),
        (
            "[![CI](../../actions/ci/badge.svg)](../../actions/ci)", "",
            "[![CI](https://r/actions/ci/badge.svg)](https://r/actions/ci)", "",
        ),
        ('<img src="docs/a.png">', "", '<img src="a.png">', '<img src="a.png">'),
        ("```\n[a](../b)\n```", "docs", "```\n[a](../b)\n```", "```\n[a](../b)\n```"),
    ],
)  # fmt: skip
def test_links(text: str, folder: str, with_repository: str, without: str) -> None:
    assert hooks.linked(text, folder, "https://r/") == with_repository
    assert hooks.linked(text, folder, None) == without

"""What is compiled of the connector, where there is a compiler; the package is whole without."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from maintenance.version import ROOT

HOOK = ROOT / "source-polygon" / "hatch_build.py"


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The hook as hatchling makes it, in the root of the package."""
    spec = importlib.util.spec_from_file_location("hatch_build", HOOK)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.chdir(ROOT)
    return module.Speedups(str(ROOT), {}, None, None, str(tmp_path), "wheel")


def fresh() -> dict[str, Any]:
    return {"pure_python": True, "tag": None, "force_include": {}}


@pytest.mark.skipif(shutil.which("cc") is None, reason="There is no compiler.")
def test_a_wheel_has_it_for_every_python_and_it_runs(hook: Any) -> None:
    build = fresh()
    hook.initialize("standard", build)
    assert build["tag"].startswith("cp310-abi3-")
    assert not build["pure_python"]
    ((made, place),) = build["force_include"].items()
    assert place == "source_polygon/streams/flat/_speedups.abi3.so"
    code = "import _speedups; print(_speedups.messages(b'A\\n', (), {b'A': b'a'}, b'', b'z', 0))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(made).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "(bytearray(b'az'), 1, 1)\n"
    hook.finalize("standard", build, "")
    assert not Path(made).exists()


def test_without_a_compiler_the_package_is_whole_all_the_same(
    hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "/nowhere/cc")
    build = fresh()
    hook.initialize("standard", build)
    hook.finalize("standard", build, "")
    assert build == fresh()

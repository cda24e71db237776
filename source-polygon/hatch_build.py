"""Compiles what is compiled of the connector, where there is a compiler: a build hook of hatchling.

Without one the package is whole all the same, and reads flat files at three times the CPU.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import sys_tags
from setuptools import Distribution, Extension  # type: ignore[import-untyped]
from setuptools.command.build_ext import build_ext  # type: ignore[import-untyped]

_MODULE = "source_polygon.streams.flat._speedups"
_FOLDER = "source_polygon/streams/flat"


class Speedups(BuildHookInterface[Any]):
    """Puts the compiled module into the wheel; of an editable install, beside its source."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say what the wheel then fits: every Python from 3.10 on, this platform."""
        self._temporary = tempfile.mkdtemp()
        compiled = _compiled(Path(self._temporary))
        if compiled is None:
            return
        if version == "editable":
            shutil.copy(compiled, Path(self.root, "source-polygon", _FOLDER))
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"cp310-abi3-{_platform()}"
        build_data["force_include"][str(compiled)] = f"{_FOLDER}/{compiled.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self._temporary)


def _compiled(folder: Path) -> Path | None:
    """Return the compiled module, made in a folder; None where it cannot be compiled."""
    extension = Extension(
        _MODULE,
        [f"source-polygon/{_FOLDER}/_speedups.c"],
        # Without the paths of this machine, so that the same source gives the same bytes.
        extra_compile_args=["-O2", "-g0"] if os.name == "posix" else [],
        py_limited_api=True,
        optional=True,
    )
    command = build_ext(Distribution({"ext_modules": [extension]}))
    command.build_lib = command.build_temp = str(folder)
    command.ensure_finalized()
    command.run()
    return next(folder.glob(f"{_FOLDER}/_speedups.*"), None)


def _platform() -> str:
    names = (tag.platform for tag in sys_tags())
    return next(name for name in names if "manylinux" not in name and "musllinux" not in name)

"""Where a reader sits: a copy of this repository, a shell, and stand-ins for what costs money."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from integration_tests.documents.blocks import ROOT, Block

_LEFT_OUT: Final = shutil.ignore_patterns(
    ".git", ".venv", ".tmp", ".demo*", ".orchestration", ".*_cache", "__pycache__", ".hypothesis"
)


class Desk:
    """A fresh copy of the repository, with the environment that is installed here.

    Attributes:
        folder: the copy, where commands start.
        notes: the calls of the stand-ins, one a line.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "repository"
        self.notes = folder / "notes"
        self._programs = folder / "programs"
        self._programs.mkdir()
        self.notes.touch()
        shutil.copytree(ROOT, self.folder, ignore=_LEFT_OUT)
        (self.folder / ".venv").symlink_to(ROOT / ".venv")

    def stand_in(self, program: str, script: str = "") -> None:
        """Put a program on the PATH that notes how it is called, and then runs a shell script."""
        path = self._programs / program
        path.write_text(f'#!/bin/sh\necho "{program} $*" >> "{self.notes}"\n{script}')
        path.chmod(0o755)

    def calls(self, program: str) -> list[str]:
        """Return how a stand-in was called, each without its name."""
        lines = self.notes.read_text().splitlines()
        return [line.removeprefix(f"{program} ") for line in lines if line.startswith(program)]

    def run(
        self,
        blocks: Iterable[Block | str],
        replace: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        seconds: float = 300,
    ) -> str:
        """Run blocks in one shell, in their order, and return what they print.

        Args:
            blocks: of the documents; or lines of our own between them.
            replace: what a reader would fill in, by the words that stand for it.
            environment: variables besides those that tests have.
            seconds: after which it has failed.

        Raises:
            AssertionError: a command fails, or a word to be replaced is not there.
        """
        script = "\n".join(block if isinstance(block, str) else block.text for block in blocks)
        for words, value in (replace or {}).items():
            assert words in script, f"{words!r} is in no block"
            script = script.replace(words, value)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env={
                **os.environ,
                "PATH": f"{self._programs}:{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
                **(environment or {}),
            },
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

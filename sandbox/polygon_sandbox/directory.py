"""The directory of a demo: emptied when the demo runs again, and only if a demo made it."""

import shutil
from pathlib import Path

_MARK = ".made-by-a-demo"
_WORDS = "A demo made this directory and empties it when it runs again.\n"


class NotOurs(Exception):
    """The directory holds what no demo has put there; the text says so."""


def empty(directory: Path) -> None:
    """Make a directory, or empty one that a demo has made.

    Raises:
        NotOurs: there is something in it and no mark of a demo, or it is not a directory.
    """
    if directory.exists() and not directory.is_dir():
        raise NotOurs(f"{directory} is not a directory. Name another one.")
    there = list(directory.iterdir()) if directory.exists() else []
    if there and not (directory / _MARK).is_file():
        raise NotOurs(
            f"{directory} is not empty, and no demo has made it. It would be emptied: name another "
            "directory, or empty it yourself."
        )
    directory.mkdir(parents=True, exist_ok=True)
    for path in there:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != _MARK:
            path.unlink()
    (directory / _MARK).write_text(_WORDS, encoding="utf-8")

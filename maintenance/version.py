"""The version, which the file VERSION says: `make version TO=1.2.3` writes it wherever it stands.

The packages read the file when they are built. What can read no file repeats it: `PLACES`.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# File -> what stands before the version and after it, on each line that repeats it.
PLACES = {
    "metadata.yaml": (r"^  dockerImageTag: ", r"$"),
    "Dockerfile": (r"^ARG VERSION=", r"$"),
    "streaming/Dockerfile": (r"^ARG VERSION=", r"$"),
    "docs/streaming-deployment.md": (r"(?:\$repository:|ImageTag=)", r'["\s]'),
}
_VERSION = r"\d+\.\d+\.\d+"


def version(root: Path = ROOT) -> str:
    """Return what VERSION says."""
    return (root / "VERSION").read_text().strip()


def repeated(root: Path = ROOT) -> dict[str, list[str]]:
    """Return what each of `PLACES` says, as often as it does."""
    return {
        file: [found[2] for found in _pattern(file).finditer((root / file).read_text())]
        for file in PLACES
    }


def write(to: str, root: Path = ROOT) -> None:
    """Make `to` the version.

    Raises:
        ValueError: it has another form than 1.2.3.
    """
    if not re.fullmatch(_VERSION, to):
        raise ValueError(f"{to!r} is not a version such as 1.2.3")
    (root / "VERSION").write_text(f"{to}\n")
    for file in PLACES:
        text = (root / file).read_text()
        (root / file).write_text(_pattern(file).sub(rf"\g<1>{to}\g<3>", text))


def _pattern(file: str) -> re.Pattern[str]:
    before, after = PLACES[file]
    return re.compile(f"({before})({_VERSION})({after})", re.MULTILINE)


def main() -> None:
    """Write the version that is given."""
    try:
        (to,) = sys.argv[1:]
        write(to)
    except ValueError as error:
        sys.exit(f"version: {error}\nusage: make version TO=1.2.3")


if __name__ == "__main__":
    main()

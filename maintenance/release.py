"""Make a release of this checkout: `make release`, which changes nothing but dist/.

    make release                    check and build, and say what --push would do
    make release ARGS=--push        and tag the commit and push the tag
    make release ARGS="--tag v1.2.3"    the workflow's way: the tag is there already

dist/ then has the wheel and the source of each package, a CycloneDX list of what each image is made
of, and the notes, which are the changelog's part of this version. What keeps a release from being
made is told, all of it at once, and the status is 1.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from maintenance.version import ROOT, repeated, version

PACKAGES = (".", "streaming", "sandbox", "orchestration")
# What a list of parts is called -> the requirements, and whose they are.
PARTS = {
    "source-polygon.cdx.json": ("requirements/source.txt", "pyproject.toml"),
    "polygon-streaming.cdx.json": ("requirements/streaming.txt", "streaming/pyproject.toml"),
}
_HEADING = re.compile(r"^## (\S+) \((.+)\)$", re.MULTILINE)


def problems(root: Path, tag: str | None) -> Iterator[str]:
    """Yield what is in the way of a release; `tag` is the tag that is there already, if one is."""
    this = version(root)
    changed = _git(root, "status", "--porcelain")
    if changed:
        yield f"files that are not committed: {len(changed.splitlines())}"
    for file, said in repeated(root).items():
        if set(said) != {this}:
            yield f"{file} says {', '.join(said) or 'no version'} where VERSION says {this}"
    heading = _HEADING.search((root / "docs" / "CHANGELOG.md").read_text())
    if heading is None or heading[1] != this:
        yield f"the first heading of docs/CHANGELOG.md is not of {this}"
    elif not re.fullmatch(r"\d{4}-\d\d-\d\d", heading[2]):
        yield f"docs/CHANGELOG.md says that {this} is {heading[2]}: write the day there"
    if tag is None and _git(root, "tag", "--list", f"v{this}"):
        yield f"v{this} is a tag already: make version TO=..."
    if tag not in (None, f"v{this}"):
        yield f"the tag is {tag}, and VERSION says {this}"


def notes(root: Path) -> str:
    """Return the changelog's part of the newest version, without its heading."""
    _, _, rest = (root / "docs" / "CHANGELOG.md").read_text().partition("\n## ")
    return rest.partition("\n")[2].partition("\n## ")[0].strip() + "\n"


def build(root: Path, dist: Path) -> None:
    """Put everything of a release into an empty folder, the same bytes whenever it is built."""
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir(parents=True)
    environment = {**os.environ, "SOURCE_DATE_EPOCH": _git(root, "log", "-1", "--format=%ct")}
    for package in PACKAGES:
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), package]
        subprocess.run(command, cwd=root, env=environment, check=True, stdout=subprocess.DEVNULL)
    # Besides the wheel for this platform one for all others, without what is compiled.
    anywhere = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(dist)]
    environment["HATCH_BUILD_NO_HOOKS"] = "true"
    subprocess.run(anywhere, cwd=root, env=environment, check=True, stdout=subprocess.DEVNULL)
    tool = str(Path(sys.executable).with_name("cyclonedx-py"))
    for name, (requirements, project) in PARTS.items():
        command = [
            tool,
            "requirements",
            requirements,
            "--pyproject",
            project,
            "--output-reproducible",
        ]
        command += ["--output-format", "JSON", "--output-file", str(dist / name)]
        subprocess.run(command, cwd=root, check=True, stderr=subprocess.DEVNULL)
    (dist / "NOTES.md").write_text(notes(root))


def _git(root: Path, *words: str) -> str:
    command = ["git", *words]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def main() -> None:
    """Check, build, and tag if that is asked for."""
    parser = argparse.ArgumentParser(prog="make release", description="A dry run without --push.")
    parser.add_argument("--push", action="store_true", help="tag the commit and push the tag")
    parser.add_argument("--tag", help="the tag that is there already")
    arguments = parser.parse_args()
    found = list(problems(ROOT, arguments.tag))
    dist = ROOT / "dist"
    build(ROOT, dist)
    name = f"v{version()}"
    said = [f"Built {len(list(dist.iterdir()))} files of {name} into dist/."]
    if found:
        sys.exit("\n".join([*said, "This is in the way of a release:", *(f"- {p}" for p in found)]))
    if arguments.push:
        _git(ROOT, "tag", "--annotate", name, "--message", f"Version {version()}")
        _git(ROOT, "push", "origin", name)
        said.append(f"Tagged and pushed {name}: .github/workflows/release.yml does the rest.")
    elif arguments.tag is None:
        said.append(
            f"Dry run: ARGS=--push would tag this commit {name} and push the tag to origin."
        )
    sys.stdout.write("\n".join(said) + "\n")


if __name__ == "__main__":
    main()

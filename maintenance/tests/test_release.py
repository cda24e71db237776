import json
import re
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from maintenance.release import PARTS, build, notes, problems
from maintenance.version import PLACES, ROOT, repeated, version, write

NAMES = ("airbyte_source_polygon", "polygon_streaming", "polygon_sandbox", "polygon_orchestration")


def test_the_version_is_the_same_everywhere() -> None:
    said = repeated()
    assert said.keys() == PLACES.keys()
    assert all(said.values()), "a file says no version where it is looked for"
    assert {each for several in said.values() for each in several} == {version()}
    for project in ("", "streaming", "sandbox", "orchestration"):
        assert 'dynamic = ["version"]' in (ROOT / project / "pyproject.toml").read_text()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A commit with what says the version, and a changelog that dates it."""
    for file in ("VERSION", *PLACES):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    write("1.2.3", tmp_path)
    (tmp_path / "docs" / "CHANGELOG.md").write_text(
        "# Changelog\n\n## 1.2.3 (2027-01-04)\n\n- New.\n\n## 1.2.2 (2026-12-01)\n\n- Old.\n"
    )
    for command in ("init", "add --all", "-c user.name=a -c user.email=b commit --message c"):
        git(tmp_path, *command.split())
    return tmp_path


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def test_a_version_is_written_wherever_it_stands(repository: Path) -> None:
    assert version(repository) == "1.2.3"
    assert repeated(repository) == {
        file: ["1.2.3"] * len(said) for file, said in repeated(ROOT).items()
    }
    assert list(problems(repository, None)) == []
    assert list(problems(repository, "v1.2.3")) == []


@pytest.mark.parametrize("wrong", ["", "v1.2.3", "1.2", "1.2.3rc1", "1.2.3\n"])
def test_what_is_not_a_version_is_not_written(repository: Path, wrong: str) -> None:
    with pytest.raises(ValueError, match="is not a version such as"):
        write(wrong, repository)
    assert version(repository) == "1.2.3"


def test_the_notes_are_the_part_of_the_newest_version(repository: Path) -> None:
    assert notes(repository) == "- New.\n"


def undated(repository: Path) -> None:
    changelog = repository / "docs" / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("2027-01-04", "unreleased"))
    git(repository, "-c", "user.name=a", "-c", "user.email=b", "commit", "--all", "--message", "d")


@pytest.mark.parametrize(
    ("spoil", "tag", "said"),
    [
        (lambda it: (it / "new").touch(), None, ["files that are not committed: 1"]),
        (undated, None, ["docs/CHANGELOG.md says that 1.2.3 is unreleased: write the day there"]),
        (
            lambda it: git(it, "tag", "v1.2.3"),
            None,
            ["v1.2.3 is a tag already: make version TO=..."],
        ),
        (lambda it: git(it, "tag", "v1.2.3"), "v1.2.3", []),
        (lambda it: None, "v1.2.4", ["the tag is v1.2.4, and VERSION says 1.2.3"]),
    ],
)
def test_what_is_in_the_way_of_a_release_is_told(
    repository: Path, spoil: Callable[[Path], None], tag: str | None, said: list[str]
) -> None:
    spoil(repository)
    assert list(problems(repository, tag)) == said


def test_everything_in_the_way_is_told_at_once(repository: Path) -> None:
    (repository / "VERSION").write_text("1.3.0\n")
    said = list(problems(repository, None))
    assert said[0] == "files that are not committed: 1"
    assert [line.partition(" says ")[0] for line in said[1:5]] == list(PLACES)
    assert said[5:] == ["the first heading of docs/CHANGELOG.md is not of 1.3.0"]


def test_a_release_has_the_packages_and_what_they_are_made_of(tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    build(ROOT, dist)
    made = {file.name for file in dist.iterdir()}
    packages = {f"{name}-{version()}{end}" for name in NAMES for end in (".tar.gz", WHEEL)}
    (compiled,) = made - packages - set(PARTS) - {"NOTES.md"}
    assert re.fullmatch(rf"{NAMES[0]}-{version()}-cp310-abi3-(?!many|musl)\w+\.whl", compiled)
    assert made > packages | set(PARTS) | {"NOTES.md"}
    modules = {each: _modules(dist / each) for each in (compiled, f"{NAMES[0]}-{version()}{WHEEL}")}
    more, less = modules.values()
    assert [Path(each).name.partition(".")[0] for each in more ^ less] == ["_speedups"]
    assert "source_polygon/manifest.yaml" in less
    assert not [each for each in more if each.endswith((".c", "hatch_build.py"))]
    for name in NAMES:
        with zipfile.ZipFile(dist / f"{name}-{version()}{WHEEL}") as wheel:
            metadata = wheel.read(f"{name}-{version()}.dist-info/METADATA").decode()
            if name == "polygon_orchestration":  # a link in the tree
                shipped = wheel.read(f"{name}/views.sql")
                assert shipped == (ROOT / "deploy" / "snowflake" / "views.sql").read_bytes()
        assert f"\nVersion: {version()}\n" in metadata
        with tarfile.open(dist / f"{name}-{version()}.tar.gz") as source:
            assert not [path for path in source.getnames() if re.search(r"\.(env|key|pem)$", path)]
    for name, (requirements, _) in PARTS.items():
        listed = {part["name"] for part in json.loads((dist / name).read_text())["components"]}
        locked = re.findall(r"^([\w.-]+)==", (ROOT / requirements).read_text(), re.MULTILINE)
        assert listed == set(locked)


def _modules(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as packed:
        return {each for each in packed.namelist() if ".dist-info/" not in each}


WHEEL = "-py3-none-any.whl"

"""The workflows of .github/: held against their linters and this Makefile, and run in part."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTIONLINT = shutil.which("actionlint") or shutil.which(str(ROOT / ".tmp/bin/actionlint"))


def run(*command: str | Path, **options: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(word) for word in command], text=True, capture_output=True, check=False, **options
    )


def loaded(file: Path) -> dict[str, Any]:
    # BaseLoader: YAML 1.1 reads the key `on` as a boolean.
    workflow: dict[str, Any] = yaml.load(file.read_text(), yaml.BaseLoader)  # noqa: S506 - strings
    return workflow


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in WORKFLOWS:
        for name, job in loaded(file)["jobs"].items():
            yield f"{file.stem}/{name}", job


def scripts() -> Iterator[tuple[str, str]]:
    """All shell scripts of all steps, with where they stand."""
    for place, job in jobs():
        for step in job["steps"]:
            if "run" in step:
                yield place, step["run"]


def script_of(workflow: str, name: str) -> str:
    """The script of the step with a name."""
    jobs = loaded(ROOT / ".github" / "workflows" / f"{workflow}.yml")["jobs"].values()
    (script,) = [step["run"] for job in jobs for step in job["steps"] if step.get("name") == name]
    return str(script)


def test_zizmor_finds_nothing() -> None:
    found = run(
        Path(sys.executable).with_name("zizmor"), "--offline", "--no-progress", ROOT / ".github"
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert f"completed {WORKFLOWS[0]}" in found.stderr, "it looked at nothing"


def test_actionlint_finds_nothing() -> None:
    if ACTIONLINT is None:
        pytest.skip("actionlint is not here: `make actionlint` installs it, with Go")
    found = run(ACTIONLINT, *WORKFLOWS)
    assert (found.returncode, found.stdout) == (0, "")


def test_each_verb_is_one_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    asked = {verb for _, script in scripts() for verb in re.findall(r"\bmake ([a-z-]+)", script)}
    assert asked - targets == set()
    assert {"check", "test", "test-kafka", "test-image", "docs", "test-days-whole"} <= asked


def test_each_hook_before_a_commit_is_a_verb_of_the_makefile() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    makefile = (ROOT / "Makefile").read_text()
    for hook in hooks:
        verb = hook["entry"].removeprefix("make --silent ")
        assert re.search(rf"^{verb}:", makefile, re.MULTILINE), verb


def test_what_ci_runs_on_this_machine_a_workflow_runs_too() -> None:
    (verbs,) = re.findall(r"^for verb in (.*); do", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    asked = {verb for _, script in scripts() for verb in re.findall(r"\bmake ([a-z-]+)", script)}
    assert set(verbs.split()) <= asked


def test_each_version_of_python_that_the_package_takes_is_tried() -> None:
    matrix = dict(jobs())["ci/test"]["strategy"]["matrix"]["python"]
    (lowest, end) = re.findall(
        r'requires-python = ">=3\.(\d+),<3\.(\d+)"', (ROOT / "pyproject.toml").read_text()
    )[0]
    assert matrix == [f"3.{minor}" for minor in range(int(lowest), int(end))]


def test_actions_are_pinned_with_their_version_beside_them() -> None:
    lines = [
        line for file in WORKFLOWS for line in file.read_text().splitlines() if "uses:" in line
    ]
    pinned = re.compile(r" uses: ([\w.-]+/[\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$")
    pins = [pinned.search(line) for line in lines]
    assert [line for line, pin in zip(lines, pins, strict=True) if pin is None] == []
    assert len({pin[1] for pin in pins if pin}) == len({pin.groups() for pin in pins if pin})


def test_rights_are_given_job_by_job() -> None:
    assert {file.name: loaded(file)["permissions"] for file in WORKFLOWS} == {
        file.name: {} for file in WORKFLOWS
    }
    rights = {place: set(job["permissions"].items()) for place, job in jobs()}
    beyond = {place: given - {("contents", "read")} for place, given in rights.items()}
    assert {place: {name for name, _ in given} for place, given in beyond.items() if given} == {
        "release/packages": {"id-token", "attestations"},
        "release/image": {"packages", "id-token", "attestations"},
        "release/release": {"contents"},
        "vendor-news/report": {"issues"},
    }
    assert all("timeout-minutes" in job for _, job in jobs())


def test_no_text_of_others_is_put_into_a_script() -> None:
    assert [place for place, script in scripts() if "${{" in script] == []


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder to run a step in; what is put into bin/ there comes first in PATH."""
    (tmp_path / "bin").mkdir()
    return tmp_path


def stand_in(desk: Path, command: str, body: str) -> None:
    """Put a command in the place of the real one; it tells its arguments in calls."""
    file = desk / "bin" / command
    file.write_text(f'#!/bin/bash\necho "{command} $*" >> "{desk}/calls"\n{body}\n')
    file.chmod(0o755)


def step(desk: Path, script: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a step as GitHub does."""
    path = f"{desk / 'bin'}:/usr/bin:/bin"
    return run("bash", "-eo", "pipefail", "-c", script, cwd=desk, env={"PATH": path, **environment})


REPORT = script_of("vendor-news", "Open an issue, or bring the one that is open up to date")


def test_without_news_nobody_is_told(desk: Path) -> None:
    stand_in(desk, "gh", "exit 1")
    (desk / "news.md").touch()
    done = step(desk, REPORT)
    assert (done.returncode, "published nothing" in done.stdout) == (0, True)
    assert not (desk / "calls").exists()


@pytest.mark.parametrize(
    ("open_issue", "last"),
    [
        ("17", "gh issue edit 17 --body-file news.md"),
        ("", "gh issue create --label vendor-news --title The vendor has published something new "),
    ],
)
def test_news_are_one_issue(desk: Path, open_issue: str, last: str) -> None:
    stand_in(desk, "gh", f'if [ "$2" = list ]; then echo "{open_issue}"; fi')
    (desk / "news.md").write_text("## News\n")
    assert step(desk, REPORT).returncode == 0
    assert (desk / "calls").read_text().splitlines()[-1].startswith(last.strip())


def test_a_pushed_image_is_attested_by_its_digest(desk: Path) -> None:
    digest = "ghcr.io/an-owner/source-polygon@sha256:" + "a" * 64
    stand_in(desk, "make", "")
    stand_in(desk, "docker", f"echo {digest}")
    done = step(
        desk,
        script_of("release", "Push it"),
        IMAGE="source-polygon",
        GITHUB_REPOSITORY_OWNER="An-Owner",
        GITHUB_REF_NAME="v1.2.3",
        GITHUB_OUTPUT=str(desk / "output"),
    )
    assert done.returncode == 0, done.stderr
    pushed, inspected = (desk / "calls").read_text().splitlines()
    assert pushed == "make publish-image REGISTRY=ghcr.io/an-owner ARGS=--image=source-polygon"
    assert inspected.endswith(" ghcr.io/an-owner/source-polygon:1.2.3")
    assert (desk / "output").read_text() == (
        f"name=ghcr.io/an-owner/source-polygon\ndigest=sha256:{'a' * 64}\n"
    )

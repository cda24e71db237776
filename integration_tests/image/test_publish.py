"""deploy/publish_image.sh against a registry on this machine."""

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.image_tests
ROOT = Path(__file__).parents[2]
VERSION = (ROOT / "VERSION").read_text().strip()
Docker = Callable[..., str]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a registry, from Debian's package, which is unpacked and not installed."""
    folder = tmp_path_factory.mktemp("registry")
    binary = shutil.which("docker-registry")
    if binary is None:
        download = "apt-get download docker-registry"
        unpack = f"({download} || (apt-get update && {download})) && dpkg -x *.deb ."
        done = subprocess.run(["sh", "-c", unpack], cwd=folder, capture_output=True, check=False)
        if done.returncode:
            pytest.skip(
                "No docker-registry, and this is not Debian: install one, put it into PATH."
            )
        binary = str(folder / "usr" / "bin" / "docker-registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    (folder / "config.yml").write_text(
        f"version: 0.1\nhttp: {{addr: '{address}'}}\n"
        f"storage: {{filesystem: {{rootdirectory: '{folder / 'data'}'}}}}\n"
    )
    with (folder / "log").open("w") as log:
        running = subprocess.Popen(
            [binary, "serve", str(folder / "config.yml")], stdout=log, stderr=log
        )
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://{address}/v2/", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        else:
            pytest.fail("docker-registry does not answer:\n" + (folder / "log").read_text())
        yield address
    finally:
        running.terminate()
        running.wait(timeout=10)


def publish(base: str, *arguments: str) -> tuple[int, str]:
    """Run the command; return its exit status and all it printed."""
    done = subprocess.run(
        [str(ROOT / "deploy" / "publish_image.sh"), *arguments],
        env={**os.environ, "BASE_IMAGE": base},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.usefixtures("image")
def test_a_version_is_pushed_once_and_never_overwritten(
    docker: Docker, base: str, registry: str, tmp_path: Path
) -> None:
    name = f"{registry}/source-polygon:{VERSION}"
    status, printed = publish(base, "--dry-run", registry)
    assert (status, "Would build the image and push it as" in printed) == (0, True)

    status, printed = publish(base, registry)
    assert (status, f"Pushing {name}" in printed) == (0, True), printed
    docker("image", "rm", name)
    docker("pull", "--quiet", name)
    assert docker("run", "--rm", name, "--version") == f"source-polygon {VERSION}"

    for options in ([], ["--dry-run"]):
        status, printed = publish(base, *options, registry)
        assert (status, "is this image" in printed) == (0, True), printed

    (tmp_path / "Dockerfile").write_text(f"FROM {name}\nLABEL changed=yes\n")
    docker("build", "--tag", name, str(tmp_path))
    docker("push", "--quiet", name)  # as somebody else would have
    for options in ([], ["--dry-run"]):
        status, printed = publish(base, *options, registry)
        assert status == 1
        assert "A version is never overwritten. Raise it" in printed
    docker("image", "rm", name)


@pytest.mark.usefixtures("docker")
def test_the_other_image_is_asked_for_by_name(base: str, registry: str) -> None:
    status, printed = publish(base, "--dry-run", "--image=polygon-streaming", registry)
    assert status == 0
    assert f"push it as {registry}/polygon-streaming:{VERSION}, which" in printed
    assert publish(base, "--image=quotes", registry) == (2, "publish: there is no image quotes\n")


@pytest.mark.usefixtures("docker")
def test_a_registry_that_does_not_answer_is_told(base: str) -> None:
    status, printed = publish(base, "127.0.0.1:9")
    assert status == 1
    assert "the registry does not answer for 127.0.0.1:9/source-polygon" in printed


@pytest.mark.usefixtures("docker")
def test_the_registry_must_be_named(base: str) -> None:
    assert publish(base) == (
        2,
        "publish: no registry is given: make publish-image REGISTRY=ghcr.io/you\n",
    )

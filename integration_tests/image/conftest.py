"""A Docker engine, the image built on it, and containers of it that read from a sandbox."""

import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.utils.yaml_loader import safe_load_yaml
from polygon_sandbox import Plan, Sandbox, World

from integration_tests.servers import Server

ROOT = Path(__file__).parents[2]
IMAGE = "airbyte/source-polygon:dev"
# The engine that the tests start keeps its images here, so that a second run is fast.
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "source-polygon" / "docker"

NOTES = pytest.StashKey[list[str]]()

# What a hardened platform allows a container. The CDK writes temporary files to /tmp.
CONFINED = [
    "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges",
]  # fmt: skip


def run(*command: str | Path) -> str:
    """Run a command and return what it printed to stdout; fail with its stderr."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.fail(f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout.strip()


def answers() -> bool:
    """Return whether a Docker engine answers."""
    command = ["docker", "version"]
    return (
        shutil.which("docker") is not None
        and not subprocess.run(command, capture_output=True, check=False).returncode
    )


def install(*packages: str) -> None:
    """Install Debian packages, or skip."""
    if os.geteuid() or not shutil.which("apt-get"):
        pytest.skip(f"Not root on Debian: {' and '.join(packages)} cannot be installed here.")
    run("apt-get", "update")
    quiet = ("env", "DEBIAN_FRONTEND=noninteractive")
    run(*quiet, "apt-get", "install", "--yes", "--no-install-recommends", *packages)


@contextmanager
def own_engine() -> Iterator[None]:
    """Run a Docker engine of our own, and name it in DOCKER_HOST."""
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="docker-"))  # a socket's path must be short
    host = f"unix://{folder}/docker.sock"
    options = [f"--data-root={CACHE}", f"--exec-root={folder}", f"--pidfile={folder}/pid"]
    engine = Server(["dockerd", f"--host={host}", *options], folder / "log")
    os.environ["DOCKER_HOST"] = host
    try:
        engine.start(answers)
        yield
        run("docker", "image", "prune", "--force")  # builds that later ones have replaced
    finally:
        del os.environ["DOCKER_HOST"]
        engine.end()
        # The engine leaves name spaces of networks mounted, with which the folder would stay.
        for left in (folder / "netns").glob("*"):
            subprocess.run(["umount", left], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def docker() -> Iterator[Callable[..., str]]:
    """The command `docker`, with an engine: the one that answers, or one of our own."""
    if answers():
        yield lambda *args: run("docker", *args)
        return
    if not shutil.which("dockerd"):
        if os.geteuid() or not shutil.which("apt-get"):
            pytest.skip("No Docker engine answers. Start one, or run this as root on Debian.")
        install("docker.io", "iptables")
    with own_engine():
        yield lambda *args: run("docker", *args)


@pytest.fixture(scope="session")
def base(docker: Callable[..., str], pytestconfig: pytest.Config) -> str:
    """The base image of Airbyte, or a stand-in for it where it cannot be pulled."""
    metadata = safe_load_yaml((ROOT / "metadata.yaml").read_text())["data"]
    real = str(metadata["connectorBuildOptions"]["baseImage"])
    pull = ["docker", "pull", "--quiet", real]
    if not subprocess.run(pull, capture_output=True, check=False).returncode:
        return real
    script = Path(__file__).with_name("stand_in_base.sh")
    stand_in = "source-polygon-base:" + hashlib.sha256(script.read_bytes()).hexdigest()[:12]
    if not docker("images", "--quiet", stand_in):
        if not shutil.which("debootstrap"):
            install("debootstrap")
        run(script, stand_in)
    say(pytestconfig, f"{real.partition('@')[0]} cannot be pulled: a stand-in, {stand_in}, is used")
    return stand_in


@pytest.fixture(scope="session")
def canary() -> Iterator[str]:
    """A secret that lies in the checkout while the image is built."""
    path = ROOT / "secrets" / "canary.json"
    path.parent.mkdir(exist_ok=True)
    secret = secrets.token_hex()
    path.write_text(json.dumps({"api_key": secret}))
    yield secret
    path.unlink()


@pytest.fixture(scope="session")
def image(docker: Callable[..., str], base: str, canary: str, pytestconfig: pytest.Config) -> str:
    """The image, built from this checkout."""
    started = time.monotonic()
    build = ["build", "--build-arg", f"BASE_IMAGE={base}", "--tag"]
    # The builder has a name so that pruning does not take it: it is what makes a rebuild fast.
    docker(*build, f"{IMAGE}-builder", "--target", "builder", str(ROOT))
    docker(*build, IMAGE, str(ROOT))
    say(pytestconfig, f"{IMAGE} built in {time.monotonic() - started:.0f} s")
    return IMAGE


@pytest.fixture(scope="session")
def address(docker: Callable[..., str]) -> str:
    """The address of this machine in the network of the containers."""
    subnet = "{{(index .IPAM.Config 0).Subnet}}"
    return str(ip_network(docker("network", "inspect", "bridge", "--format", subnet))[1])


@pytest.fixture(scope="session")
def sandbox(address: str) -> Iterator[Sandbox]:
    """A sandbox that containers reach."""
    with Sandbox(World(stocks=300, delisted=400), Plan.unlimited(), host=address) as running:
        yield running


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    """A folder for config, catalog and state, which the user of the image may read."""
    folder = tmp_path / "config"
    folder.mkdir()
    folder.chmod(0o755)
    return folder


@pytest.fixture
def in_image(image: str, mount: Path) -> Callable[..., tuple[int, list[dict[str, Any]]]]:
    """Runs the connector in a container; returns its exit status and its messages."""
    # The platform mounts the files, and changes the working directory.
    options = ["--rm", *CONFINED, f"--volume={mount}:/config:ro", "--workdir=/config"]
    return lambda *args: messages("docker", "run", *options, image, *args)


@pytest.fixture
def in_process(mount: Path) -> Callable[..., tuple[int, list[dict[str, Any]]]]:
    """Runs the connector of this checkout, with the same arguments."""
    return lambda *args: messages(
        sys.executable, "-m", "source_polygon", *(a.replace("/config/", f"{mount}/") for a in args)
    )


def messages(*command: str) -> tuple[int, list[dict[str, Any]]]:
    """Run the connector; every line on its stdout must be a message."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def report(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Prints a line at the end of the run, also where all is well."""
    return lambda line: say(pytestconfig, line)


def say(config: pytest.Config, line: str) -> None:
    """Print a line at the end of the run, also where all is well."""
    config.stash.setdefault(NOTES, []).append(line)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for line in config.stash.get(NOTES, []):
        terminalreporter.write_line(line)

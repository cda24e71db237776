"""The loop of the service `heal`: its script from compose.yaml, with a command that stands in."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration_tests.kafka.stages import wait_until

SECONDS = 60
DEPLOY = Path(__file__).parents[2]
# Ends with the status that is in the file, or waits for the signal of a stop.
HEAL = """\
#!/bin/sh
echo "$@" >> {folder}/runs
status=$(cat {folder}/status)
[ "$status" = wait ] && exec sleep 60
exit "$status"
"""


def _hear_signals() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


class Loop:
    """The service's shell, with its pauses cut short."""

    def __init__(self, folder: Path, key: str) -> None:
        services: Any = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
        (script,) = services["heal"]["command"]
        script = script.replace("$$", "$").replace("/tmp/", f"{folder}/")  # noqa: S108
        assert script.count("sleep 900") == 1
        stand_in = folder / "polygon-stream"
        stand_in.write_text(HEAL.format(folder=folder))
        stand_in.chmod(0o755)
        self._folder = folder
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", script.replace("sleep 900", "sleep 0.05")],
            env={"PATH": f"{folder}:{os.environ['PATH']}", "POLYGON_API_KEY": key},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # As a container starts it. Who runs the tests may hold the signal back.
            preexec_fn=_hear_signals,
        )

    def ends(self, status: str) -> None:
        """Say how the runs from now on end."""
        # In one step: a run in between must not find an empty file.
        new = self._folder / "status.new"
        new.write_text(status)
        new.replace(self._folder / "status")

    @property
    def runs(self) -> list[str]:
        """What the command was called with, each time."""
        made = self._folder / "runs"
        return made.read_text().splitlines() if made.exists() else []

    @property
    def failed(self) -> bool:
        """What the health check looks at."""
        return (self._folder / "failed").exists()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Loop]]:
    started: list[Loop] = []

    def begin(key: str, status: str = "0") -> Loop:
        (tmp_path / "status").write_text(status)
        started.append(Loop(tmp_path, key))
        return started[-1]

    yield begin
    for loop in started:
        if loop.process.poll() is None:
            os.killpg(loop.process.pid, signal.SIGKILL)
        loop.process.wait()
        assert loop.process.stdout
        loop.process.stdout.close()


def test_it_runs_again_and_says_while_the_last_run_has_failed(start: Callable[..., Loop]) -> None:
    loop = start("a-key")
    wait_until(lambda: len(loop.runs) >= 2, SECONDS, "a second run")
    assert set(loop.runs) == {"heal"}
    assert not loop.failed
    loop.ends("1")
    wait_until(lambda: loop.failed, SECONDS, "a word of the failed run")
    loop.ends("0")
    wait_until(lambda: not loop.failed, SECONDS, "a word of the good run")


def test_a_stop_reaches_the_run_under_way(start: Callable[..., Loop]) -> None:
    loop = start("a-key", "wait")
    wait_until(lambda: len(loop.runs) == 1, SECONDS, "a run")
    loop.process.send_signal(signal.SIGTERM)
    assert loop.process.wait(10) == 0
    assert loop.runs == ["heal"]


def test_without_a_key_nothing_is_asked(start: Callable[..., Loop]) -> None:
    loop = start("")
    assert loop.process.stdout
    assert "nothing is healed" in loop.process.stdout.readline()
    loop.process.send_signal(signal.SIGTERM)
    assert loop.process.wait(10) == 0
    assert loop.runs == []

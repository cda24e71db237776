"""The command `polygon-orchestrate`, as far as it goes without Dagster."""

import subprocess
import sys
from pathlib import Path


def test_a_directory_that_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    command = Path(sys.executable).with_name("polygon-orchestrate")
    done = subprocess.run(
        [command, "--directory", tmp_path], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "is not empty, and no demo has made it" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]

"""Jars from Maven Central for tests."""

import shutil
import subprocess
from pathlib import Path


def fetch(project: Path, folder: Path, wanted: str) -> None:
    """Copy what the pom.xml of `project` names to `folder`, unless a jar is there that is `wanted`.

    Args:
        project: the folder of the pom.xml.
        folder: where the jars shall lie.
        wanted: pattern of the name of one of them.

    Raises:
        RuntimeError: java or mvn is missing, or Maven fails.
    """
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise RuntimeError(
                f"{program} is missing: apt-get install openjdk-17-jre-headless maven"
            )
    if any(folder.glob(wanted)):
        return
    command = ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"Maven could not fetch {wanted}: {done.stdout[-2000:]}")

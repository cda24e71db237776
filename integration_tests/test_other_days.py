"""Every Python process of a test is on the day that the test set."""

import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest


@pytest.mark.parametrize("moment", ["2027-01-04T15:00:00Z", "2028-02-29T23:59:00-05:00"])
def test_this_process_and_one_that_it_starts_agree(
    moment: str, clock: Callable[[str], None]
) -> None:
    clock(moment)
    expected = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    code = "import datetime; print(datetime.datetime.now(datetime.timezone.utc).isoformat())"
    started = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    for told in (datetime.now(timezone.utc), datetime.fromisoformat(started.stdout.strip())):
        assert timedelta() <= told - expected < timedelta(minutes=1)

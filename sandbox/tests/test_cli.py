from __future__ import annotations

import signal
import subprocess
import sys

import requests
from click.testing import CliRunner

from polygon_sandbox.cli import main


def test_version_and_help_teach() -> None:
    assert "0.1.0" in CliRunner().invoke(main, ["--version"]).output
    text = CliRunner().invoke(main, ["serve", "--help"]).output
    assert "curl" in text
    assert "--requests-per-minute" in text


def test_a_wrong_instant_is_explained() -> None:
    result = CliRunner().invoke(main, ["serve", "--now", "2026-11-20T22:30:00"])
    assert result.exit_code == 2
    assert "has no UTC offset" in result.output


def test_serve_answers_until_terminated() -> None:
    arguments = ["serve", "--port", "0", "--stocks", "30", "--requests-per-minute", "1"]
    arguments += ["--now", "2026-11-20T22:30:00Z", "--plan", "free", "--verbose"]
    code = f"from polygon_sandbox.cli import main; main({arguments!r})"
    with subprocess.Popen(  # noqa: S603 - our own code in our own interpreter
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        words = line.split()
        url, key = words[3], words[5]
        params = {"apiKey": key, "market": "stocks"}
        path = "/v3/reference/tickers"
        first = requests.get(url + path, params=params, timeout=5)
        second = requests.get(url + path, params=params, timeout=5)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=10)
    assert line.startswith("Polygon sandbox on http://127.0.0.1:")
    assert (first.json()["count"], second.status_code) == (30, 429)
    assert process.returncode == 0
    assert "200 /v3/reference/tickers market=stocks" in log
    assert key not in log

"""`make orchestrate` as a newcomer sees it: headless Chromium on the finished first run."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (apt install chromium)")


def until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Return the first true answer of `condition`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s: {what}")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("orchestrate")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("polygon-orchestrate")), "--port", str(port)]
    command += ["--stocks", "60", "--directory", str(folder / "home")]
    log = folder / "log"
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)  # noqa: S603
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{url}/server_info", timeout=5):  # noqa: S310
                return True
        except (urllib.error.URLError, TimeoutError):
            return False

    try:
        until(answers, 300, "the UI answers")
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@pytest.fixture
def text(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Return a function that opens an address and returns the text on the page so far."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1600,1200"]
    options += [f"--user-data-dir={tmp_path}", "--remote-debugging-port=0", "about:blank"]
    with (tmp_path / "chromium.log").open("w") as log:
        browser = subprocess.Popen([str(CHROMIUM), *options], stdout=log, stderr=log)  # noqa: S603
    try:
        told = tmp_path / "DevToolsActivePort"
        until(lambda: told.exists() and told.read_text().strip(), 60, "Chromium starts")
        port = told.read_text().split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=10) as answer:
            page = next(tab for tab in json.load(answer) if tab["type"] == "page")
        with connect(page["webSocketDebuggerUrl"], max_size=None) as tab:
            opened: list[str] = []

            def ask(method: str, **parameters: Any) -> Any:
                tab.send(json.dumps({"id": 1, "method": method, "params": parameters}))
                while (reply := json.loads(tab.recv(60))).get("id") != 1:
                    pass
                return reply["result"]

            def read(url: str) -> str:
                if opened != [url]:
                    ask("Page.navigate", url=url)
                    opened[:] = [url]
                found = ask("Runtime.evaluate", expression="document.body?.innerText ?? ''")
                return str(found["result"].get("value", ""))

            yield read
    finally:
        browser.terminate()
        browser.wait(30)


def test_the_assets_are_green(address: str, text: Callable[[str], str]) -> None:
    runs = until(
        lambda: (found := text(f"{address}/runs")) and "sessions" in found and found, 60, "the runs"
    )
    assert "Success" in runs
    bars = f"{address}/assets/landing/grouped_daily?view=partitions"
    seen = until(lambda: (found := text(bars)) and "Materialized" in found and found, 60, bars)
    assert re.search(r"Failed\s*\n?\s*0|Failed\n0", seen) or "Failed" not in seen
    table = f"{address}/assets/market/daily_bars_adjusted"
    seen = until(lambda: (found := text(table)) and "Materialized" in found and found, 60, table)
    assert "Failed" not in seen


def test_all_checks_have_passed(address: str, text: Callable[[str], str]) -> None:
    checks = f"{address}/assets/landing/grouped_daily?view=checks"
    names = ["duplicate_key", "price_outside_range", "symbol_count", "zero_volume"]
    names += ["bars_without_ticker", "missing_session", "staleness"]
    seen = until(
        lambda: (found := text(checks)) and all(name in found for name in names) and found,
        60,
        checks,
    )
    assert "Passed" in seen
    assert "Failed" not in seen

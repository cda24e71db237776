"""`make orchestrate` as a newcomer sees it: headless Chromium on the finished first run."""

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from integration_tests.servers import Server, free_ports

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
    (port,) = free_ports(1)
    command = [str(Path(sys.executable).with_name("polygon-orchestrate")), "--port", str(port)]
    command += ["--stocks", "60", "--directory", str(folder / "home")]
    url = f"http://127.0.0.1:{port}"
    with Server(command, folder / "log") as server:
        server.start(lambda: f"The UI: {url}." in server.said(), 600)
        with urllib.request.urlopen(f"{url}/server_info", timeout=30) as answer:  # noqa: S310
            assert answer.status == 200  # at once: it is told when it answers
        yield url


@pytest.fixture
def text(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Return a function that opens an address and returns the text on the page so far."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1600,1200"]
    options += [f"--user-data-dir={tmp_path}", "--remote-debugging-port=0", "about:blank"]
    with (tmp_path / "chromium.log").open("w") as log:
        browser = subprocess.Popen([str(CHROMIUM), *options], stdout=log, stderr=log)
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
    def seen(path: str, *words: str) -> str:
        def complete() -> str:
            found = text(address + path)
            return found if all(word in found for word in words) else ""

        return str(until(complete, 60, f"{path}: {words}"))

    assert "Failure" not in seen("/runs", "sessions", "Success")
    seen("/assets/landing/grouped_daily?view=partitions", "Materialized (12)", "Failed (0)")
    for view in ("latest_tickers", "daily_bars", "daily_bars_adjusted"):
        seen(f"/assets/market/{view}", "Latest materialization", "Row count", "Passing")
    names = ["duplicate_key", "price_outside_range", "symbol_count", "zero_volume"]
    names += ["bars_without_ticker", "missing_session", "staleness"]
    checks = seen("/assets/landing/grouped_daily?view=checks", "Checks (7)", *names, "Succeeded")
    assert checks.count("Succeeded") == len(names)

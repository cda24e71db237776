"""Take the pictures of docs/images anew with Chromium: `make screenshots` after `make demo-stream`.

The report is in `.demo-stream`; Dagster's pages are those of `make orchestrate`, which has to be
running: DAGSTER=http://127.0.0.1:3000 says where.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
REPORT = ROOT / ".demo-stream" / "report.html"
_LARGEST = 200_000
_SECONDS = 60
_GRAPH = "/locations/polygon_orchestration.definitions/asset-groups/market/lineage"


def main() -> None:
    """Take all pictures of which the page is there."""
    dagster = os.environ.get("DAGSTER", "")
    with _browser() as tab:
        if REPORT.exists():
            for scheme in ("light", "dark"):
                _take(tab, REPORT.as_uri(), f"report-{scheme}.png", (1120, 1180), scheme)
        else:
            print("No report: make demo-stream", file=sys.stderr)  # noqa: T201
        if dagster:
            words = "daily_bars_total_return"
            _take(tab, dagster + _GRAPH, "dagster-assets.png", (1440, 820), "light", words)
            page = f"{dagster}/assets/market/daily_bars_adjusted"
            _take(tab, page, "dagster-asset.png", (1440, 1000), "light", "split_factor")
        else:
            print("No pictures of Dagster: DAGSTER is not set", file=sys.stderr)  # noqa: T201


def _take(
    tab: ClientConnection,
    url: str,
    name: str,
    size: tuple[int, int],
    scheme: str,
    words: str = "",
) -> None:
    """Take one picture, once `words` are on the page."""
    width, height = size
    _ask(tab, "Emulation.setDeviceMetricsOverride", width=width, height=height,
         deviceScaleFactor=1, mobile=False)  # fmt: skip
    feature = {"name": "prefers-color-scheme", "value": scheme}
    _ask(tab, "Emulation.setEmulatedMedia", features=[feature])
    _ask(tab, "Page.navigate", url=url)
    deadline = time.monotonic() + _SECONDS
    while words not in (shown := _text(tab)) or not shown:
        if time.monotonic() > deadline:
            raise SystemExit(f"{url}: {words} is not there")
        time.sleep(0.5)
    time.sleep(3)  # what moves has come to rest
    image = base64.b64decode(_ask(tab, "Page.captureScreenshot", format="png")["data"])
    if len(image) > _LARGEST:
        raise SystemExit(f"{name}: {len(image):,} bytes are too many for a README")
    (IMAGES / name).write_bytes(image)
    print(f"{name}: {len(image):,} bytes")  # noqa: T201


def _text(tab: ClientConnection) -> str:
    found = _ask(tab, "Runtime.evaluate", expression="document.body?.innerText ?? ''")
    return str(found["result"].get("value", ""))


def _ask(tab: ClientConnection, method: str, **parameters: Any) -> Any:
    tab.send(json.dumps({"id": 1, "method": method, "params": parameters}))
    while (reply := json.loads(tab.recv(_SECONDS))).get("id") != 1:
        pass
    return reply["result"]


@contextmanager
def _browser() -> Iterator[ClientConnection]:
    """A page of a headless Chromium, spoken to in its DevTools protocol."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise SystemExit("Chromium is not installed: apt-get install chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        options += [f"--user-data-dir={profile}", "--remote-debugging-port=0", "about:blank"]
        process = subprocess.Popen(
            [program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            told = Path(profile) / "DevToolsActivePort"
            deadline = time.monotonic() + _SECONDS
            while not (told.exists() and told.read_text().strip()):
                if time.monotonic() > deadline:
                    raise SystemExit("Chromium does not start")
                time.sleep(0.2)
            port = told.read_text().split()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=10) as answer:
                page = next(tab for tab in json.load(answer) if tab["type"] == "page")
            with connect(page["webSocketDebuggerUrl"], max_size=None) as tab:
                yield tab
        finally:
            process.terminate()
            process.wait(30)


if __name__ == "__main__":
    main()

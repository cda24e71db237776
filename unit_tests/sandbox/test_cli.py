import asyncio
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner
from polygon_sandbox.cli import SIZES, main
from polygon_sandbox.world import World
from websockets.asyncio.client import connect

from integration_tests.servers import Server

VERSION = (Path(__file__).parents[2] / "VERSION").read_text().strip()


def test_version_and_help_teach() -> None:
    assert VERSION in CliRunner().invoke(main, ["--version"]).output
    text = CliRunner().invoke(main, ["serve", "--help"]).output
    assert "curl" in text
    assert "--requests-per-minute" in text


def test_a_wrong_instant_is_explained() -> None:
    result = CliRunner().invoke(main, ["serve", "--now", "2026-11-20T22:30:00"])
    assert result.exit_code == 2
    assert "has no UTC offset" in result.output


def test_serve_answers_until_terminated(tmp_path: Path) -> None:
    arguments = ["serve", "--stocks", "30", "--requests-per-minute", "1"]
    arguments += ["--now", "2026-11-20T22:30:00Z", "--plan", "free", "--verbose"]
    with _Command(tmp_path, *arguments) as serving:
        params = {"apiKey": serving.key, "market": "stocks"}
        path = "/v3/reference/tickers"
        first = requests.get(serving.url + path, params=params, timeout=30)
        second = requests.get(serving.url + path, params=params, timeout=30)
        assert serving.end(seconds=10) == 0
    assert (first.json()["count"], second.status_code) == (30, 429)
    greeting, *log = serving.said().splitlines()
    assert greeting.startswith("Polygon sandbox on http://127.0.0.1:")
    assert any("200 /v3/reference/tickers market=stocks" in line for line in log)
    assert not any(serving.key in line for line in log)


@pytest.mark.parametrize(
    ("market", "name", "field"),
    [("stocks", "A.*", "sym"), ("crypto", "XAS.*", "pair"), ("forex", "CAS.*", "pair")],
)
async def test_serve_has_the_bars_that_stream_sent(
    tmp_path: Path, market: str, name: str, field: str
) -> None:
    with (
        _Command(tmp_path, "serve", "--size", "tiny") as rest,
        _Command(tmp_path, "stream", "--size", "tiny") as stream,
    ):
        events = await _listen(f"{stream.url}/{market}", stream.key, name)
        names = World(**asdict(SIZES["tiny"])).tickers("fx" if market == "forex" else market)
        assert len({event[field] for event in events}) == len({row["ticker"] for row in names})
        for event in events[::7]:
            ticker = event[field]
            if market != "stocks":
                mark, prefix = ("-", "X:") if market == "crypto" else ("/", "C:")
                ticker = prefix + ticker.replace(mark, "")
            path = f"/v2/aggs/ticker/{ticker}/range/1/second/{event['s']}/{event['s']}"
            (row,) = _bars(rest, path)
            for ours, theirs in (("o", "o"), ("h", "h"), ("l", "l"), ("c", "c"), ("v", "v"),
                                 ("vw", "vw"), ("s", "t")):  # fmt: skip
                assert event[ours] == row[theirs]


def _bars(rest: "_Command", path: str) -> list[dict[str, Any]]:
    """Return the bars of a path; the clock of the other process may be some milliseconds behind."""
    deadline = time.monotonic() + 5
    while True:
        answer = requests.get(rest.url + path, params={"apiKey": rest.key}, timeout=30).json()
        rows: list[dict[str, Any]] = answer.get("results") or []
        if rows or time.monotonic() > deadline:
            return rows


class _Command(Server):
    """A command of the sandbox on a free port, for as long as the `with` block lasts."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        code = f"from polygon_sandbox.cli import main; main({[*arguments, '--port', '0']!r})"
        super().__init__([sys.executable, "-c", code], folder / arguments[0])

    def __enter__(self) -> "_Command":
        self.start(lambda: "\n" in self.said())
        words = self.said().split()
        self.url = words[words.index("on") + 1]
        self.key = words[words.index("key") + 1].rstrip(".,")
        return self


async def _listen(url: str, key: str, name: str) -> list[dict[str, Any]]:
    """Return the bars of two frames of a subscription."""
    frames: list[list[dict[str, Any]]] = []
    async with connect(url, proxy=None, max_size=None) as socket:
        for ask in ({"action": "auth", "params": key}, {"action": "subscribe", "params": name}):
            await socket.send(json.dumps(ask))
        while len(frames) < 2:
            frame = json.loads(await asyncio.wait_for(socket.recv(), 15))
            if frame[0]["ev"] != "status":
                frames.append(frame)
    return [event for frame in frames for event in frame]

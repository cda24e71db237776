"""The streaming demo, and the books that it ends with."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from polygon_sandbox.stream_books import Figures, RawTopic, dropped_by, faults, lines, passing

COMMAND = Path(sys.executable).with_name("polygon-sandbox")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What the demo printed, and its directory."""
    directory = tmp_path_factory.mktemp("demo")
    done = subprocess.run(  # noqa: S603
        [COMMAND, "demo-stream", "--directory", directory, "--seconds", "16", "--rate", "60"],
        capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, directory


def test_each_number_can_be_traced_to_the_line_before(demo: tuple[str, Path]) -> None:
    books = re.findall(r"│ (.*?) +│ ([=+-]) │ +([\d,]+) │", demo[0])
    assert len(books) == 13
    total = None
    for text, sign, digits in books:
        number = int(digits.replace(",", ""))
        if sign == "=":
            assert total in (None, number), text
            total = number
        else:
            assert total is not None
            total += number if sign == "+" else -number
    numbers = {text: int(digits.replace(",", "")) for text, _, digits in books}
    (made,) = (number for text, number in numbers.items() if text.startswith("made by the market"))
    assert made % 16 == 0
    assert made >= 16 * 50
    assert numbers["not sent: nobody was connected"] > 0
    assert numbers["dropped by the rule exclude"] > 0
    (healed,) = (number for text, number in numbers.items() if text.startswith("brought by heal"))
    assert healed >= numbers["not sent: nobody was connected"]
    assert "Every bar is accounted for" in " ".join(demo[0].split())


def test_the_report_stands_alone(demo: tuple[str, Path]) -> None:
    text = (demo[1] / "report.html").read_text()
    assert "Every bar is accounted for" in text
    assert "gap as recorded" in text
    assert not re.findall(r"<(?:script|link)[^>]+(?:src|href)=", text), "no network is needed"


def test_the_latency_is_that_of_a_pipeline_that_runs(demo: tuple[str, Path]) -> None:
    (p50, p99) = re.findall(r"p50 ([\d.-]+) s, p99 ([\d.-]+) s", " ".join(demo[0].split()))[0]
    assert float(p50) <= float(p99) < 20


def _books(**changes: Any) -> tuple[RawTopic, Figures]:
    raw = object.__new__(RawTopic)
    raw.counts = Counter(streamed=70, healed=40, exclude=20, min_price=5, kept=85, again=15)
    figures: dict[str, Any] = {
        "symbols": 10, "sent": {1: 40, 2: 0, 3: 40}, "received": 70, "healed": 40, "gaps": 2,
        "outcomes": {"kept": 85, "dropped": 25, "dead_lettered": 0}, "inserted": 85,
        "table": 70, "missing": 0, "different": 0,
    }  # fmt: skip
    return raw, Figures(**{**figures, **changes})


def test_books_that_add_up() -> None:
    raw, figures = _books(sent={1: 40, 2: 0, 3: 40}, symbols=40)
    assert faults(raw, figures) == []
    assert [(line.number, line.is_sum) for line in lines(raw, figures)] == [
        (120, True), (-40, False), (80, True), (-10, False), (70, True), (40, False), (110, True),
        (-20, False), (-5, False), (0, False), (85, True), (-15, False), (70, True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"received": 71}, "received: the feed says 71, the raw topic 70"),
        ({"healed": 39}, "healed: heal says 39, the raw topic 40"),
        ({"inserted": 84}, "inserted: the sink says 84, the filter 85"),
        ({"table": 69}, "in the table: it says 69, what was kept 70"),
        ({"missing": 1}, "missing from the table: it says 1, the market 0"),
        ({"different": 1}, "different in the table: it says 1, the market 0"),
    ],
)
def test_what_does_not_add_up_is_named(change: dict[str, Any], words: str) -> None:
    assert words in faults(*_books(symbols=40, **change))


def test_what_has_to_be_in_the_table() -> None:
    bars = passing(7, ["ABC", "XYZ"], [1_795_651_200, 1_795_651_201])
    assert {symbol for symbol, _ in bars} <= {"XYZ"}
    assert all(start in (1_795_651_199_000, 1_795_651_200_000) for _, start in bars)
    assert (dropped_by("ABC", 50), dropped_by("XYZ", 9.99), dropped_by("XYZ", 10)) == (
        "exclude", "min_price", "",
    )  # fmt: skip

"""The streaming demo, and the books that it ends with."""

import re
import subprocess
import sys
from collections import Counter
from datetime import datetime
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


@pytest.fixture(scope="module")
def report(demo: tuple[str, Path]) -> str:
    return (demo[1] / "report.html").read_text()


def test_the_report_is_small_and_stands_alone(report: str) -> None:
    assert len(report.encode()) < 200_000
    assert not re.findall(r"<(?:script|link|img|iframe)|url\(|@import|https?://", report)


def test_each_scheme_has_all_colours_and_nothing_has_one_of_its_own(report: str) -> None:
    style, body = report.split("</style>")
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    assert "@media (prefers-color-scheme: dark)" in style
    colours = set(re.findall(r"(--\w+):", light))
    assert set(re.findall(r"(--\w+):", dark)) == colours
    assert set(re.findall(r"var\((--\w+)\)", style)) == colours
    assert not re.findall(r"#[0-9a-f]{3,6}\b|rgba?\(| (?:fill|stroke)=", body)
    used = {name for names in re.findall(r'class="([^"]*)"', body) for name in names.split()}
    assert used - {"", "sum", "tick", "dashed", "wick"} <= set(re.findall(r"\.(\w+)", style))


def test_the_figures_are_those_of_the_run(demo: tuple[str, Path], report: str) -> None:
    printed = re.findall(r"│ (.*?) +│ [=+-] │ +([\d,]+) │", demo[0])
    shown = re.findall(r'<td class="(?:step)?">(.*?)<td class=n>[+-]?([\d,]+)<td', report)
    assert shown == printed
    numbers = {text: int(digits.replace(",", "")) for text, digits in printed}
    bars = {
        when: [int(number.replace(",", "")) for number in numbers]
        for when, *numbers in re.findall(
            r"<title>([\d:]+): ([\d,]+) streamed, ([\d,]+) healed, ([\d,]+) made</title>", report
        )
    }
    assert len(bars) == 16
    assert (
        sum(streamed + healed for streamed, healed, _ in bars.values())
        == numbers["bars in the table"]
    )
    assert all(streamed + healed == made for streamed, healed, made in bars.values())
    missed = {when for when, (streamed, healed, _) in bars.items() if healed and not streamed}
    assert missed
    candles = re.findall(r"<title>([\d:]+) open .*?, [\d,]+ shares(, healed)?</title>", report)
    assert len(candles) == 16
    assert sum(bool(healed) for _, healed in candles) == len(missed)
    ((symbol, first, last),) = re.findall(r"│ (\w+) +│ ([\d.]+) +│ ([\d.]+) +│ .*%", demo[0])[:1]
    assert f"<h2>{symbol}, the top mover" in report
    assert f"<td class=n>{first}<td class=n>{last}<td" in report


def test_the_shaded_time_is_the_gap_that_was_recorded(demo: tuple[str, Path], report: str) -> None:
    ((since, until),) = re.findall(
        r"gap from (\S+ \S+) to (\S+ \S+) UTC", " ".join(demo[0].split())
    )
    assert f"<tr><td>{since}<td>{until}<td>disconnected" in report
    begins, ends = (datetime.fromisoformat(text) for text in (since, until))
    length = (ends - begins).total_seconds()
    assert report.count(f">no connection for {length:.1f} s</text>") == 3


def test_the_way_is_split_by_place(demo: tuple[str, Path], report: str) -> None:
    rows = re.findall(
        r"<td>(in the raw topic|in the clean topic|a row in ClickHouse)"
        r"<td class=n>([\d.,]+) (m?s)<td class=n>([\d.,]+) (m?s)",
        report,
    )
    assert [row[0] for row in rows] == [
        "in the raw topic", "in the clean topic", "a row in ClickHouse",
    ]  # fmt: skip
    half = [float(row[1].replace(",", "")) / (1000 if row[2] == "ms" else 1) for row in rows]
    assert 0 < half[0] <= half[1] <= half[2]
    ((p50, _),) = re.findall(r"p50 ([\d.-]+) s, p99 ([\d.-]+) s", " ".join(demo[0].split()))
    assert half[2] == pytest.approx(float(p50), abs=0.006)


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

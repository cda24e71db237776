"""The streaming demo, and the books that it ends with."""

import json
import re
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from polygon_sandbox.stream_books import Figures, Tally, faults, lines
from polygon_sandbox.stream_raw import RawTopic
from polygon_sandbox.stream_rules import CHANNELS, item, made
from polygon_sandbox.tape import ClockTape

COMMAND = Path(sys.executable).with_name("polygon-sandbox")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What the demo printed, and its directory."""
    directory = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [COMMAND, "demo-stream", "--directory", directory, "--seconds", "16", "--rate", "60"],
        capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, directory


def test_each_number_can_be_traced_to_the_line_before(demo: tuple[str, Path]) -> None:
    books = re.findall(r"│ (.*?) +│ ([=+-]) │ +([\d,]+) │", demo[0])
    assert len(books) == 12 + 11 + 11
    for kind, book in (("bars", books[:12]), ("trades", books[12:23]), ("quotes", books[23:])):
        total = None
        for text, sign, digits in book:
            number = int(digits.replace(",", ""))
            if sign == "=":
                assert total in (None, number), text
                total = number
            else:
                assert total is not None
                total += number if sign == "+" else -number
        assert book[-1][0] == f"{kind} in the table"
        numbers = {text.split(":")[0]: int(digits.replace(",", "")) for text, _, digits in book}
        assert numbers["made by the market"] >= 16 * 50
        assert numbers["not sent"] > 0
        (healed,) = (n for text, n in numbers.items() if text.startswith("brought by heal"))
        assert healed >= numbers["not sent"]
        dropped = [n for text, n in numbers.items() if text.startswith("dropped by the rule")]
        assert dropped[0] > 0
    assert "Every bar, trade and quote is accounted for" in " ".join(demo[0].split())


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
    ((symbol, first, last),) = re.findall(r"│ (\S+) +│ ([\d.]+) +│ ([\d.]+) +│ .*%", demo[0])[:1]
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
    """Books of bars and trades that add up, without quotes; `changes` are of the bars' tally."""
    raw = object.__new__(RawTopic)
    raw.counts = {
        "bars": Counter(streamed=70, healed=40, exclude=20, min_price=5, kept=85, again=15),
        "trades": Counter(streamed=7, healed=4, exclude_conditions=2, kept=9, again=3),
        "quotes": Counter(),
    }
    bars: dict[str, Any] = {
        "symbols": 40, "made": 120, "sent": 80, "received": 70, "table": 70, "missing": 0,
        "different": 0,
    }  # fmt: skip
    more = {"healed": (40, 4), "inserted": 94, "outcomes": {"kept": 94, "dropped": 27}}
    more |= {name: changes.pop(name) for name in list(changes) if name in more}
    more["outcomes"]["dead_lettered"] = 0  # type: ignore[index]
    tallies = {
        "bars": Tally(**bars | changes),
        "trades": Tally(2, made=10, sent=8, received=7, table=6, missing=0, different=0),
        "quotes": Tally(0, made=0, sent=0, received=0, table=0, missing=0, different=0),
    }
    return raw, Figures(seconds=3, tallies=tallies, gaps=2, **more)  # type: ignore[arg-type]


def test_books_that_add_up() -> None:
    raw, figures = _books()
    assert faults(raw, figures) == []
    assert [(line.number, line.is_sum) for line in lines("bars", raw, figures)] == [
        (120, True), (-40, False), (80, True), (-10, False), (70, True), (40, False), (110, True),
        (-20, False), (-5, False), (85, True), (-15, False), (70, True),
    ]  # fmt: skip
    assert [line.number for line in lines("trades", raw, figures)] == [
        10, -2, 8, -1, 7, 4, 11, -2, 9, -3, 6,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"received": 71}, "bars received: the feed says 71, the raw topic 70"),
        ({"healed": (39, 4)}, "bars healed: heal says 39, the raw topic 40"),
        ({"healed": (40, 5)}, "trades and quotes healed: heal says 5, the raw topic 4"),
        ({"inserted": 93}, "inserted: the sink says 93, the filter 94"),
        ({"outcomes": {"kept": 94, "dropped": 26}}, "dropped: the filter says 26, its rules 27"),
        ({"table": 69}, "bars in the table: it says 69, what was kept 70"),
        ({"table": 69}, "bars, bars in the table: 69, the lines before it give 70"),
        ({"missing": 1}, "bars missing from the table: it says 1, the market 0"),
        ({"different": 1}, "bars different in the table: it says 1, the market 0"),
    ],
)
def test_what_does_not_add_up_is_named(change: dict[str, Any], words: str) -> None:
    assert words in faults(*_books(**change))


def test_an_event_of_the_raw_topic_and_what_the_market_made_are_the_same() -> None:
    second = 1_795_651_200
    tape = ClockTape(["XYZ", "XYA"], 7)
    for kind, channel in CHANNELS.items():
        events = [json.loads(e) for s in ("XYZ", "XYA") for e in tape.events(channel, s, second)]
        items = list(made(kind, 7, ["XYZ", "XYA"], [second]))
        assert [item(kind, event) for event in events] == items
        assert {i.second for i in items} == {second}


def test_the_rules_of_each_kind() -> None:
    bar = {"ev": "A", "s": 0, "e": 1000, "o": 1, "h": 1, "l": 1, "v": 5}
    for symbol, close, rule in (("ABC", 50, "exclude"), ("X", 9.99, "min_price"), ("X", 10, "")):
        assert item("bars", {**bar, "sym": symbol, "c": close}).rule == rule
    trade = {"ev": "T", "sym": "ABC", "q": 1, "p": 5, "ds": "1.0", "t": 1000}
    assert item("trades", {**trade, "c": [14, 37]}).rule == "exclude_conditions"
    assert item("trades", trade).rule == ""
    quote = {"ev": "Q", "sym": "ABC", "q": 1, "bs": 1, "as": 1, "t": 1000}
    assert item("quotes", {**quote, "bp": 49.99, "ap": 50.01}).rule == "min_price"
    assert item("quotes", {**quote, "bp": 50, "ap": 50.01}).rule == ""

"""Charts: where things are, and what the axes say."""

import re

import pytest
from polygon_sandbox.charts import Figure, nice, spark
from polygon_sandbox.stream_charts import Outage, Second, duration, throughput

NOON = 1_795_694_400  # 2026-11-26 12:00:00 UTC


def figure(**changes: object) -> Figure:
    given = {
        "first": NOON,
        "last": NOON + 60,
        "low": 0,
        "high": 100,
        "label": "bars",
        "height": 160,
    }
    return Figure(**{**given, **changes})  # type: ignore[arg-type]


def test_values_and_moments_have_their_places() -> None:
    one = figure()
    assert (one.x(NOON), one.x(NOON + 60)) == (78, 942)
    assert (one.y(0), one.y(50), one.y(100)) == (114, 64, 14)
    log = figure(low=0.01, high=100, is_log=True)
    assert (log.y(0.01), log.y(1), log.y(100)) == (114, 64, 14)
    assert log.y(0) == 114  # there is no logarithm of it


def test_axes_say_round_values_and_moments() -> None:
    texts = re.findall(r'class="tick".*?>(.*?)<', figure(high=97).svg())
    assert texts[:5] == ["0", "20", "40", "60", "80"]
    assert texts[5:] == ["12:00:00", "12:00:10", "12:00:20", "12:00:30", "12:00:40", "12:00:50"]
    log = figure(low=0.004, high=0.3, is_log=True, says=duration).svg()
    assert re.findall(r'class="tick".*?end">(.*?)<', log) == [
        "5 ms", "10 ms", "20 ms", "50 ms", "100 ms", "200 ms",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("step", "wanted"), [(0.7, 1), (1, 1), (1.2, 2), (3, 5), (42, 50), (60, 100)]
)
def test_steps_are_nice(step: float, wanted: float) -> None:
    assert nice(step) == wanted


def test_a_line_begins_anew_after_a_hole() -> None:
    one = figure()
    one.line("raw", [(NOON, 0), (NOON + 1, 0), (NOON + 5, 0)], 1.5)
    (path,) = re.findall(r'class="line raw" d="(.*?)"', one.svg())
    assert re.findall("[ML]", path) == ["M", "L", "M"]


def test_what_is_outside_is_not_shaded_and_words_are_escaped() -> None:
    one = figure()
    one.shade(NOON - 20, NOON - 10, "before")
    one.shade(NOON + 50, NOON + 900, "<b>")
    (left, width) = re.findall(r'<rect x="([\d.]+)" y="14" width="([\d.]+)"', one.svg())[0]
    assert (float(left), float(left) + float(width)) == (798, 942)
    assert "before" not in one.svg()
    assert "&lt;b&gt;" in one.svg()


def test_healed_bars_stand_on_the_streamed_ones() -> None:
    svg = throughput(
        [Second(NOON, 10, 6, 4), Second(NOON + 1, 10, 10, 0)], [Outage(NOON, NOON + 1)]
    )
    shapes = re.findall(r'<rect class="(\w+)" x="([\d.]+)" y="([\d.]+)".*?height="([\d.]+)"', svg)
    assert [kind for kind, *_ in shapes] == ["streamed", "healed", "streamed"]
    (_, left, top, tall), (_, above_left, above_top, above_tall), _ = shapes
    assert left == above_left
    assert float(above_top) + float(above_tall) == pytest.approx(float(top), abs=0.11)
    assert float(above_tall) / float(tall) == pytest.approx(4 / 6, rel=0.01)
    assert "no connection for 1.0 s" in svg


def test_a_spark_is_coloured_by_where_it_ends() -> None:
    assert 'class="line up"' in spark([1, 0.5, 2])
    assert 'class="line down"' in spark([2, 3, 1])
    assert spark([5, 5]).count(" 22.0") == 2

"""A file with far fewer rows than those around it, and what is no reason for suspicion."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from polygon_streaming.backfill.neighbours import few
from polygon_streaming.backfill.verify import Verify
from polygon_streaming.settings import VerifySettings

from unit_tests.streaming.flat_files import BARS, Connect, bars_key, remarks, run, write

# The 26th is Thanksgiving, the 27th a half-day.
SESSIONS = [date(2025, 11, day) for day in (17, 18, 19, 20, 21, 24, 25, 26, 28)]


@pytest.mark.parametrize(
    ("market", "day", "rows", "suspected"),
    [
        ("stocks", date(2025, 11, 20), 499, True),
        ("stocks", date(2025, 11, 20), 501, False),
        ("stocks", date(2025, 11, 17), 499, True),  # the first of all
        ("stocks", date(2025, 11, 28), 300, False),  # three hours and a half
        ("stocks", date(2025, 11, 28), 200, True),
        ("stocks", date(2025, 11, 22), 1, False),  # a Saturday
        ("crypto", date(2025, 11, 22), 499, True),
        ("forex", date(2025, 11, 23), 1, False),  # Sunday's evening is short
    ],
)
def test_few_rows_are_those_that_a_day_of_its_length_has_not(
    market: str, day: date, rows: int, *, suspected: bool
) -> None:
    others = SESSIONS if market == "stocks" else [SESSIONS[0] + timedelta(n) for n in range(12)]
    known = {each: 538 if each.day == 28 and market == "stocks" else 1000 for each in others}
    assert bool(few(market, {**known, day: rows}, day)) is suspected


def test_of_two_neighbours_nothing_can_be_told() -> None:
    assert few("stocks", dict(zip(SESSIONS[:3], (1000, 1, 1000), strict=True)), SESSIONS[1]) == ""


def test_a_file_that_was_cut_at_a_sound_end_is_suspected(
    client: Any, connect: Connect, tmp_path: Path
) -> None:
    """Members of gzip one after another are a file; so are the first of them alone."""
    for day in SESSIONS[:5]:
        start = int((day - date(1970, 1, 1)).total_seconds()) + 15 * 3600
        rows = [f"AAPL,1,1,1,1,1,{start + 60 * n}000000000,1" for n in range(20)]
        first = write(tmp_path, bars_key(str(day)), BARS, rows[:8])
        if day != SESSIONS[2]:
            more = write(tmp_path, "more.gz", rows[8], rows[9:])
            first.write_bytes(first.read_bytes() + more.read_bytes())
    span = {"start": str(SESSIONS[0]), "end": str(SESSIONS[4]), "directory": tmp_path}
    done = run(connect, **span)
    assert [(o.state, o.rows) for o in done] == [
        ("loaded", 8 if o.day == SESSIONS[2] else 20) for o in done
    ]
    words = "8 rows are few: of the 4 files around it one would expect 20. The file may be short"
    assert remarks(client, connect, done, **span) == [f"2025-11-19  stocks bars: {words}."]
    given = {"day": "2025-11-19", "directory": tmp_path, "clickhouse": "chdb:"}
    (verdict,) = Verify(VerifySettings.model_validate(given), lambda: client).run()
    assert (verdict.few, verdict.is_equal) == (words, True)
    assert f" {words}." in str(verdict)
    again = run(connect, **span)
    assert [o.state for o in again] == ["unchanged"] * 5
    assert remarks(client, connect, again, **span) == [], "said once"


def test_views_that_look_at_inserts_are_told(client: Any, connect: Connect, tmp_path: Path) -> None:
    client.command(
        "CREATE MATERIALIZED VIEW seen ENGINE = Memory AS SELECT * FROM stock_aggregates"
    )
    write(tmp_path, bars_key("2025-11-20"), BARS, ["AAPL,1,1,1,1,1,1763650800000000000,1"])
    span = {"start": "2025-11-20", "end": "2025-11-20", "directory": tmp_path}
    done = run(connect, **span)
    (told,) = remarks(client, connect, done, **span)
    assert told.startswith("seen: what is attached to stock_aggregates is not seen by views")
    assert client.command("SELECT count() FROM seen") == 0
    client.command("DROP VIEW seen")

"""Days of flat files: missing, doubled, replaced, not published yet; the table is the bucket."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from polygon_sandbox import World
from polygon_sandbox.flat_files import FlatFiles

from unit_tests.connector.flat.bucket import (
    CLASSES,
    START,
    STREAMS,
    FlatSyncs,
    each_stream,
    gets,
    in_the_bucket,
    key,
    newest,
    table,
)
from unit_tests.connector.syncing import Row


@pytest.mark.parametrize("defect", ["missing", "doubled"])
def test_a_day_without_its_file_is_said_and_asked_for_until_it_comes(
    syncs: FlatSyncs,
    files: FlatFiles,
    world: World,
    clock: Callable[[str], None],
    defect: Any,
) -> None:
    stream = "flat_minute_bars"
    files.replace(key("2026-11-16"), defect)
    for _ in range(2):
        output = syncs.read(stream)
        assert output.errors == []
        assert "file of 2026-11-16" in output.text
        assert "asked for again at each sync" in output.text
        assert {row["file_date"] for row in syncs.tables[stream].values()} == {
            "2026-11-13", "2026-11-17", "2026-11-18", "2026-11-19"
        }  # fmt: skip
        (lane,) = output.states(stream)[-1]["states"]
        assert lane["cursor"]["file_date"] == "2026-11-19"
        assert lane["cursor"]["missing"] == ["2026-11-16"]
    clock("2027-01-20T22:30:00Z")  # long after the lookback
    files.replace(key("2026-11-16"))
    files.size = replace(files.size, days=80)  # the bucket forgets what is older
    world.advance("2027-01-20T22:30:00Z")
    output = syncs.read(stream, end_date="2026-11-19")
    assert {row["file_date"] for row in output.records(stream)} == {"2026-11-16"}
    assert output.states(stream)[-1]["states"][0]["cursor"]["missing"] == []
    assert "asked for again" not in output.text


def test_what_is_not_published_yet_ends_the_stream_cleanly(
    syncs: FlatSyncs, clock: Callable[[str], None]
) -> None:
    output = syncs.read("flat_minute_bars")
    assert "stocks ends before 2026-11-20, which is not published yet" in output.text
    assert output.status("flat_minute_bars") == "COMPLETE"
    clock("2026-11-18T22:30:00Z")
    output = syncs.read("flat_minute_bars")
    assert output.errors == []
    assert "saved state 2026-11-19 lies in the future" in output.text


def test_a_replaced_file_is_read_again_and_no_other(
    syncs: FlatSyncs, files: FlatFiles, world: World, clock: Callable[[str], None]
) -> None:
    stream = "flat_minute_bars"
    syncs.read(stream)
    clock("2026-11-20T23:00:00Z")
    world.advance("2026-11-20T23:00:00Z")
    files.replace(key("2026-11-13"), "short")
    syncs.sandbox.clear_requests()
    output = syncs.read(stream)
    assert {row["file_date"] for row in output.records(stream)} == {"2026-11-13"}
    assert "the file of 2026-11-13 is new or was replaced" in output.text
    assert gets(syncs) == ["2026-11-13"]
    assert newest(syncs, stream) == in_the_bucket(files, stream, "stocks")
    assert len(table(syncs, stream)) > len(newest(syncs, stream)), "what is gone is marked as old"


@each_stream
def test_the_table_is_the_bucket_after_any_sequence(
    syncs: FlatSyncs,
    files: FlatFiles,
    world: World,
    clock: Callable[[str], None],
    naps: list[float],
    stream: str,
) -> None:
    """Files replaced, taken away, doubled, truncated and mended, days that pass, interrupts."""
    dice = Random(stream)  # noqa: S311 - the same each time
    now, spoilt = world.now, set[str]()
    flat = {"asset_classes": ["stocks", "crypto"]}
    for turn in range(7):
        asset_class = dice.choice(list(flat["asset_classes"]))
        names = files.keys(f"{CLASSES[asset_class]}/{STREAMS[stream]}/")
        recent = [name for name in names if name[-17:-7] >= START][-6:]
        for name in dice.sample(recent, 2):
            defect = dice.choice(["", "short", "missing", "doubled", "truncated"])
            files.replace(name, defect)  # type: ignore[arg-type]
            spoilt.add(name)
        if turn == 6:
            for name in spoilt:
                files.replace(name)
        broken = any(_sound(files, name) == b"" for name in spoilt)
        if dice.random() < 0.4:
            _interrupted(syncs, stream, dice, flat, broken)
        syncs.read(stream, flat=flat, num_workers=dice.choice([1, 4]), expect_failure=broken)
        now += timedelta(hours=dice.choice([1, 24, 30]))
        clock(now.isoformat())
        world.advance(now)
    syncs.read(stream, flat=flat)
    due = in_the_bucket(files, stream, "stocks") + in_the_bucket(files, stream, "crypto")
    assert newest(syncs, stream) == sorted(due)


def _sound(files: FlatFiles, name: str) -> bytes:
    stored = files.get(name)
    try:
        return gzip.decompress(stored.body) if stored else b"gone"
    except EOFError:
        return b""


def _interrupted(syncs: FlatSyncs, stream: str, dice: Random, flat: Row, broken: bool) -> None:
    """Run a sync of which the destination got a beginning that ends with a state."""
    tables, states = dict(syncs.tables[stream]), dict(syncs.saved)
    messages = syncs.read(stream, flat=flat, num_workers=4, expect_failure=broken).messages
    syncs.tables[stream], syncs.saved = tables, states
    cuts = [n for n, message in enumerate(messages, 1) if message["type"] == "STATE"]
    if cuts:
        syncs.load(messages[: dice.choice(cuts)])

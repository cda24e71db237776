"""Flat files that break off, are truncated or wrong: read again, and never taken for complete."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from polygon_sandbox import Fault, World
from polygon_sandbox.flat_files import FlatFiles
from source_polygon.vendor import unpacked

from unit_tests.connector.flat.bucket import (
    FlatSyncs,
    each_stream,
    gets,
    in_the_bucket,
    key,
    rewritten,
    table,
)


@each_stream
@pytest.mark.parametrize(
    "fault",
    [
        Fault.cut_body(path="2026-11-1[3-6]", times=3),
        Fault.slow_down(path="2026-11-1[3-6]", times=5),
        Fault.slow_down(path="list-type", times=3),
        Fault.reset(path="2026-11-13", times=2),
    ],
    ids=lambda fault: fault.name,
)
def test_what_breaks_off_is_read_on_where_it_was(
    syncs: FlatSyncs,
    files: FlatFiles,
    naps: list[float],
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    stream: str,
) -> None:
    monkeypatch.setattr(unpacked, "BLOCK", 700)
    syncs.sandbox.faults.add(fault)
    output = syncs.read(stream)
    assert output.errors == []
    assert table(syncs, stream) == in_the_bucket(files, stream, "stocks")
    assert len(output.records(stream)) == len(syncs.tables[stream]), "no row came twice"


@each_stream
def test_a_truncated_file_is_never_taken_for_complete(
    syncs: FlatSyncs, files: FlatFiles, naps: list[float], stream: str
) -> None:
    files.replace(key("2026-11-17", stream), "truncated")
    output = syncs.read(stream, expect_failure=True)
    assert output.status(stream) == "INCOMPLETE"
    assert "transient_error" in output.failure_types
    assert any("2026-11-17.csv.gz is broken: it is truncated" in e for e in output.errors)
    assert gets(syncs).count("2026-11-17") == 4
    (lane,) = output.states(stream)[-1]["states"]
    assert lane["cursor"]["file_date"] == "2026-11-16"
    files.replace(key("2026-11-17", stream))
    assert syncs.read(stream).errors == []
    assert table(syncs, stream) == in_the_bucket(files, stream, "stocks")


def test_a_file_that_is_mended_while_it_is_read_is_read_from_its_start(
    syncs: FlatSyncs, files: FlatFiles, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacked, "BLOCK", 500)
    name = key("2026-11-17")
    files.replace(name, "truncated")

    def mended(_: float) -> None:
        world.advance(world.now + timedelta(minutes=1))
        files.replace(name)

    monkeypatch.setattr("time.sleep", mended)
    assert syncs.read("flat_minute_bars").errors == []
    assert table(syncs, "flat_minute_bars") == in_the_bucket(files, "flat_minute_bars", "stocks")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text[:-30], "in the middle of a line"),
        (lambda text: text.replace(b"ticker", b"symbol", 1), "header names no ticker"),
        (lambda text: text.replace(b"close", b"last", 1), "header names no close"),
        (lambda text: b"", "it is empty"),
        (lambda text: text.replace(b"\nA", b"\nA,9", 20), "values for 8 columns"),
    ],
)
def test_a_file_that_is_sound_gzip_and_wrong_is_broken(
    syncs: FlatSyncs, naps: list[float], change: Callable[[bytes], bytes], words: str
) -> None:
    syncs.sandbox.faults.add(rewritten(change, path="2026-11-17"))
    output = syncs.read("flat_minute_bars", expect_failure=True)
    assert any(words in error for error in output.errors), output.errors
    assert output.states("flat_minute_bars")[-1]["states"][0]["cursor"]["file_date"] < "2026-11-17"

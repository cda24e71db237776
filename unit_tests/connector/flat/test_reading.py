"""Flat files: every dataset is the file by value, from each state; what is new comes through."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from airbyte_cdk.models.airbyte_protocol_serializers import ConfiguredAirbyteCatalogSerializer
from polygon_sandbox import Fault, Plan, Sandbox, World
from polygon_sandbox.flat_files import FlatFiles
from source_polygon.streams.flat import compiled

from unit_tests.connector.flat.bucket import (
    CLASSES,
    NOW,
    STREAMS,
    FlatSyncs,
    each_stream,
    has,
    in_the_bucket,
    rewritten,
    table,
)
from unit_tests.connector.syncing import Row, catalog

COMMAND = [sys.executable, "-m", "source_polygon"]


@pytest.mark.usefixtures("both_ways")
def test_every_dataset_of_every_asset_class_is_the_file_by_value(
    syncs: FlatSyncs, files: FlatFiles
) -> None:
    output = syncs.read(*STREAMS, flat={"asset_classes": list(CLASSES)})
    assert output.errors == []
    for stream in STREAMS:
        due = [
            row
            for each in CLASSES
            if has(stream, each)
            for row in in_the_bucket(files, stream, each)
        ]
        assert table(syncs, stream) == sorted(due)
        assert len(due) == len(output.records(stream)) > 50
    assert "flat_trades: there are no such files of fx." in output.text
    assert syncs.read(*STREAMS, flat={"asset_classes": list(CLASSES)}).records("flat_trades") == []


@each_stream
def test_python_alone_reads_the_same(
    syncs: FlatSyncs, files: FlatFiles, monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    monkeypatch.setattr(compiled, "SPEEDUPS", None)
    assert syncs.read(stream).errors == []
    assert table(syncs, stream) == in_the_bucket(files, stream, "stocks")


@each_stream
def test_a_sync_resumes_from_each_state(syncs: FlatSyncs, files: FlatFiles, stream: str) -> None:
    classes = {"asset_classes": ["stocks", "crypto"]}
    whole = syncs.read(stream, flat=classes, num_workers=4)
    due = sorted(in_the_bucket(files, stream, "stocks") + in_the_bucket(files, stream, "crypto"))
    assert table(syncs, stream) == due
    cuts = [n for n, message in enumerate(whole.messages, 1) if message["type"] == "STATE"]
    assert len(cuts) >= 2
    for cut in cuts[::2]:
        resumed = FlatSyncs(syncs.sandbox)
        resumed.load(whole.messages[:cut])
        resumed.read(stream, flat=classes)
        assert table(resumed, stream) == due


def test_a_read_that_is_killed_goes_on_from_its_last_state(
    world: World, files: FlatFiles, clock: Callable[[str], None], tmp_path: Path
) -> None:
    """SIGKILL in the middle of a file: what came before the last state is there, the rest comes."""
    clock(NOW)
    with Sandbox(world, plan=Plan.unlimited(), flat_files=files) as running:
        syncs = FlatSyncs(running)
        running.faults.add(Fault.delay(3, path="2026-11-17.csv"))
        (tmp_path / "config.json").write_text(json.dumps(syncs.config(num_workers=1)))
        chosen = ConfiguredAirbyteCatalogSerializer.dump(catalog("flat_trades"))
        (tmp_path / "catalog.json").write_text(json.dumps(chosen))
        process = subprocess.Popen(
            [*COMMAND, "read", "--config", "config.json", "--catalog", "catalog.json"],
            stdout=subprocess.PIPE,
            cwd=tmp_path,
            text=True,
        )
        assert process.stdout is not None
        messages: list[Row] = []
        for line in process.stdout:
            messages.append(json.loads(line))
            if '"file_date":"2026-11-16"' in line and '"STATE"' in line:
                process.kill()
                break
        process.stdout.close()
        assert process.wait(timeout=60) == -signal.SIGKILL
        running.faults.clear()
        syncs.load(messages)
        assert (
            0
            < len(syncs.tables["flat_trades"])
            < len(in_the_bucket(files, "flat_trades", "stocks"))
        )
        assert syncs.read("flat_trades").errors == []
        assert table(syncs, "flat_trades") == in_the_bucket(files, "flat_trades", "stocks")


def test_a_column_that_is_new_comes_through_and_is_told_once(syncs: FlatSyncs) -> None:
    def widened(text: bytes) -> bytes:
        head, *rows = text.splitlines()
        return b"\n".join([head + b",venue", *(row + b",0x" for row in rows), b""])

    syncs.sandbox.faults.add(rewritten(widened, path=r"us_stocks.*\.gz"))
    output = syncs.read("flat_minute_bars")
    assert {row["venue"] for row in output.records("flat_minute_bars")} == {"0x"}
    assert output.text.count("columns that this version does not know: venue") == 1

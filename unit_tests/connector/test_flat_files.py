"""Flat files: tables equal the files after any sequence, each fault has a name, no secret told."""

import csv
import gzip
import io
import json
import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import time_machine
from airbyte_cdk.models.airbyte_protocol_serializers import ConfiguredAirbyteCatalogSerializer
from polygon_sandbox import Fault, Plan, Sandbox, World
from polygon_sandbox.flat_files import FilesSize, FlatFiles
from source_polygon.streams.flat_symbols import is_one_of
from source_polygon.vendor import unpacked

from unit_tests.connector.syncing import KEYS, Output, Row, Syncs, catalog

NOW = "2026-11-20T22:30:00Z"
START = "2026-11-13"
COMMAND = [sys.executable, "-m", "source_polygon"]
STREAMS = {
    "flat_day_bars": "day_aggs_v1",
    "flat_minute_bars": "minute_aggs_v1",
    "flat_trades": "trades_v1",
    "flat_quotes": "quotes_v1",
}
CLASSES = {
    "stocks": "us_stocks_sip",
    "options": "us_options_opra",
    "indices": "us_indices",
    "crypto": "global_crypto",
    "fx": "global_forex",
    "futures_cme": "us_futures_cme",
}
each_stream = pytest.mark.parametrize("stream", ["flat_minute_bars", "flat_trades"])


@pytest.fixture
def world() -> World:
    return World(seed=7, stocks=4, delisted=0, otc=0, crypto=2, fx=2, indices=2, now=NOW)


@pytest.fixture
def files(world: World) -> FlatFiles:
    return FlatFiles(world, FilesSize(days=40, tickers=2, bar_minutes=9, tick_seconds=1))


@pytest.fixture
def syncs(world: World, files: FlatFiles, clock: Callable[[str], None]) -> Iterator["FlatSyncs"]:
    with Sandbox(world, plan=Plan.unlimited(), flat_files=files) as running:
        yield FlatSyncs(running)


class FlatSyncs(Syncs):
    """Syncs with `flat_files` filled in; `flat` is what differs."""

    def config(self, *, flat: Row | None = None, **overrides: Any) -> Row:
        chosen = {
            "access_key_id": self.sandbox.flat_files.access_key_id,
            "secret_access_key": self.sandbox.key,
            "endpoint": self.sandbox.url,
            **(flat or {}),
        }
        return super().config(**{"start_date": START, "flat_files": chosen, **overrides})


def key(day: str, stream: str = "flat_minute_bars", asset_class: str = "stocks") -> str:
    folder = f"{CLASSES[asset_class]}/{STREAMS[stream]}"
    return f"{folder}/{day[:4]}/{day[5:7]}/{day}.csv.gz"


def in_the_bucket(files: FlatFiles, stream: str, asset_class: str) -> list[str]:
    """Return what the table must have, read from the files by Python's own csv."""
    folder = f"{CLASSES[asset_class]}/{STREAMS.get(stream)}/"
    if asset_class.startswith("futures"):
        folder = folder.replace("day_aggs", "session_aggs")
    found = []
    for name in files.keys(folder):
        stored, day = files.get(name), name[-17:-7]
        assert stored is not None
        if day < START:
            continue
        text = io.StringIO(gzip.decompress(stored.body).decode())
        for number, row in enumerate(csv.DictReader(text), 1):
            shared = {"asset_class": asset_class, "file_date": day}
            shared["file_modified_utc"] = f"{stored.last_modified:%Y-%m-%dT%H:%M:%SZ}"
            place = {"file_row": number} if "file_row" in KEYS[stream] else {}
            found.append(told({**shared, **place, **{k: v for k, v in row.items() if v}}))
    return sorted(found)


def told(row: Row) -> str:
    """Return a row as text, numbers as they are written and the UTC time proven and left out."""
    row = dict(row)
    for name in ("window_start_utc", "timestamp_utc"):
        if name in row:
            times = ("window_start", "sip_timestamp", "participant_timestamp", "timestamp")
            nanoseconds = next(int(row[each]) for each in times if each in row)
            stamp = row.pop(name)
            seconds = date.fromisoformat(stamp[:10]).toordinal() - date(1970, 1, 1).toordinal()
            for part, of in zip(stamp[11:19].split(":"), (24, 60, 60), strict=True):
                seconds = seconds * of + int(part)
            assert f"{nanoseconds}" == f"{seconds}{stamp[20:29]}"
    for name in ("conditions", "indicators"):
        if isinstance(row.get(name), list):
            row[name] = ",".join(map(str, row[name]))
    return json.dumps({name: _number(value) for name, value in row.items()}, sort_keys=True)


def _number(value: Any) -> str:
    text = str(value)
    try:
        return f"{float(text):.12g}" if len(text) < 15 else text
    except ValueError:
        return text


def table(syncs: Syncs, stream: str) -> list[str]:
    return sorted(told(row) for row in syncs.tables[stream].values())


def newest(syncs: Syncs, stream: str) -> list[str]:
    """Return the rows of the newest version of each file: what the recipe of the docs keeps."""
    last: dict[tuple[str, str], str] = {}
    for row in syncs.tables[stream].values():
        of = (row["asset_class"], row["file_date"])
        last[of] = max(last.get(of, ""), row["file_modified_utc"])
    return sorted(
        told(row)
        for row in syncs.tables[stream].values()
        if row["file_modified_utc"] == last[row["asset_class"], row["file_date"]]
    )


def gets(syncs: Syncs) -> list[str]:
    return [
        request.path[-17:-7] for request in syncs.sandbox.requests if request.path[-3:] == ".gz"
    ]


@pytest.mark.usefixtures("both_ways")
def test_every_dataset_of_every_asset_class_is_the_file_by_value(
    syncs: FlatSyncs, files: FlatFiles
) -> None:
    output = syncs.read(*STREAMS, flat={"asset_classes": list(CLASSES)})
    assert output.errors == []
    for stream in STREAMS:
        due = [row for each in CLASSES if has(stream, each) for row in _due(files, stream, each)]
        assert table(syncs, stream) == sorted(due)
        assert len(due) == len(output.records(stream)) > 50
    assert "flat_trades: there are no such files of fx." in output.text
    assert syncs.read(*STREAMS, flat={"asset_classes": list(CLASSES)}).records("flat_trades") == []


def has(stream: str, asset_class: str) -> bool:
    without = {"flat_trades": ("fx", "indices"), "flat_quotes": ("crypto", "indices")}
    return asset_class not in without.get(stream, ())


_due = in_the_bucket


@each_stream
def test_a_sync_resumes_from_each_state(syncs: FlatSyncs, files: FlatFiles, stream: str) -> None:
    classes = {"asset_classes": ["stocks", "crypto"]}
    whole = syncs.read(stream, flat=classes, num_workers=4)
    due = sorted(_due(files, stream, "stocks") + _due(files, stream, "crypto"))
    assert table(syncs, stream) == due
    cuts = [n for n, message in enumerate(whole.messages, 1) if message["type"] == "STATE"]
    assert len(cuts) >= 2
    for cut in cuts[::2]:
        resumed = FlatSyncs(syncs.sandbox)
        resumed.load(whole.messages[:cut])
        resumed.read(stream, flat=classes)
        assert table(resumed, stream) == due


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
    monkeypatch.setattr(unpacked, "_BLOCK", 700)
    syncs.sandbox.faults.add(fault)
    output = syncs.read(stream)
    assert output.errors == []
    assert table(syncs, stream) == _due(files, stream, "stocks")
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
    assert table(syncs, stream) == _due(files, stream, "stocks")


def test_a_file_that_is_mended_while_it_is_read_is_read_from_its_start(
    syncs: FlatSyncs, files: FlatFiles, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacked, "_BLOCK", 500)
    name = key("2026-11-17")
    files.replace(name, "truncated")

    def mended(_: float) -> None:
        world.advance(world.now + timedelta(minutes=1))
        files.replace(name)

    monkeypatch.setattr("time.sleep", mended)
    assert syncs.read("flat_minute_bars").errors == []
    assert table(syncs, "flat_minute_bars") == _due(files, "flat_minute_bars", "stocks")


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


def rewritten(change: Callable[[bytes], bytes], path: str) -> Fault:
    return Fault(
        "rewritten",
        lambda reply, _: replace(reply, body=gzip.compress(change(gzip.decompress(reply.body)))),
        path,
        times=None,
    )


def test_a_column_that_is_new_comes_through_and_is_told_once(syncs: FlatSyncs) -> None:
    def widened(text: bytes) -> bytes:
        head, *rows = text.splitlines()
        return b"\n".join([head + b",venue", *(row + b",0x" for row in rows), b""])

    syncs.sandbox.faults.add(rewritten(widened, path=r"us_stocks.*\.gz"))
    output = syncs.read("flat_minute_bars")
    assert {row["venue"] for row in output.records("flat_minute_bars")} == {"0x"}
    assert output.text.count("columns that this version does not know: venue") == 1


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
    assert newest(syncs, stream) == _due(files, stream, "stocks")
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
    due = _due(files, stream, "stocks") + _due(files, stream, "crypto")
    assert newest(syncs, stream) == sorted(due)


def _sound(files: FlatFiles, name: str) -> bytes:
    stored = files.get(name)
    try:
        return gzip.decompress(stored.body) if stored else b"gone"
    except EOFError:
        return b""


def _interrupted(syncs: FlatSyncs, stream: str, dice: Random, flat: Row, broken: bool) -> None:
    """Run a sync of which the destination got a beginning that ends with a state."""
    tables, states = dict(syncs.tables[stream]), dict(syncs._states)
    messages = syncs.read(stream, flat=flat, num_workers=4, expect_failure=broken).messages
    syncs.tables[stream], syncs._states = tables, states
    cuts = [n for n, message in enumerate(messages, 1) if message["type"] == "STATE"]
    if cuts:
        syncs.load(messages[: dice.choice(cuts)])


def test_an_older_history_than_the_plan_has_is_left_out(syncs: FlatSyncs, files: FlatFiles) -> None:
    syncs.sandbox.plan = Plan.unlimited(history_start=date(2026, 11, 17))
    output = syncs.read("flat_minute_bars")
    assert output.errors == []
    assert "the history of the plan starts with 2026-11-17" in output.text
    days = {row["file_date"] for row in output.records("flat_minute_bars")}
    assert days == {"2026-11-17", "2026-11-18", "2026-11-19"}
    syncs.sandbox.clear_requests()
    assert syncs.read("flat_minute_bars").records("flat_minute_bars") == []
    assert gets(syncs) == []


def test_what_the_plan_refuses_fails_alone(syncs: FlatSyncs, files: FlatFiles) -> None:
    syncs.sandbox.plan = Plan.unlimited(markets=frozenset({"crypto"}))
    flat = {"asset_classes": ["stocks", "crypto"]}
    output = syncs.read("flat_minute_bars", flat=flat, expect_failure=True)
    assert output.failure_types == {"config_error"}
    assert any("The plan lacks '" in error for error in output.errors)
    assert table(syncs, "flat_minute_bars") == _due(files, "flat_minute_bars", "crypto")
    syncs.sandbox.plan = Plan.unlimited()
    syncs.read("flat_minute_bars", flat=flat)
    assert len(table(syncs, "flat_minute_bars")) > len(_due(files, "flat_minute_bars", "crypto"))


def test_a_refusal_of_the_newest_file_alone_ends_the_lane(
    syncs: FlatSyncs, files: FlatFiles
) -> None:
    syncs.sandbox.plan = Plan.unlimited(refused=(f"/{key('2026-11-19')}",))
    output = syncs.read("flat_minute_bars", num_workers=1)
    assert output.errors == []
    assert "ends before the file of 2026-11-19, which is refused" in output.text
    syncs.sandbox.plan = Plan.unlimited()
    syncs.read("flat_minute_bars")
    assert table(syncs, "flat_minute_bars") == _due(files, "flat_minute_bars", "stocks")


def test_only_symbols_are_picked_out_of_what_is_read(syncs: FlatSyncs, files: FlatFiles) -> None:
    flat = {"asset_classes": ["stocks", "crypto", "fx"], "only_symbols": True}

    def read(*symbols: str) -> tuple[set[str], Output]:
        output = syncs.read("flat_minute_bars", flat=flat, symbols=list(symbols))
        return {row["ticker"] for row in output.records("flat_minute_bars")}, output

    tickers, output = read("A", "X:B*", "ZZZZ")
    assert len(tickers) == 2
    assert tickers < {row["ticker"] for row in _all_rows(files)}
    assert {name[:3] for name in tickers} == {"A", "X:B"}
    assert "none of the symbols is one of fx" in output.text
    assert read("X:B*", "ZZZZ", "A")[0] == set(), "the same in another order"
    tickers, output = read("X:B*", "A*")
    assert {name for name in tickers if name[:1] == "A"} == {"A", "AA"}
    assert not any(name[:2] == "X:" for name in tickers), "crypto's are still the same"


def _all_rows(files: FlatFiles) -> Iterator[Row]:
    for asset_class in ("stocks", "crypto"):
        yield from map(json.loads, _due(files, "flat_minute_bars", asset_class))


def test_pairs_are_found_as_files_and_as_rest_write_them() -> None:
    wanted = is_one_of(["X:BTCUSD", "C:EUR-USD", "BRK.*"])
    assert all(map(wanted, ["X:BTC-USD", "X:BTCUSD", "C:EUR-USD", "BRK.A", "BRK.B"]))
    assert not any(map(wanted, ["X:BTC-EUR", "BTC-USD", "BRK", "BRKxA", "ABRK.A", "C:EURUSDT"]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"access_key_id": "nobody"}, "flat_files.access_key_id is not known"),
        ({"secret_access_key": "wrong-0f3"}, "secret_access_key does not belong"),
        ({"bucket": "other-bucket"}, "flat_files.bucket: there is no such bucket"),
    ],
)
def test_check_tells_a_wrong_pair_by_its_half(syncs: FlatSyncs, change: Row, words: str) -> None:
    succeeded, message = syncs.check(flat=change)
    assert not succeeded
    assert words in message
    assert "wrong-0f3" not in message
    output = syncs.read("flat_minute_bars", flat=change, expect_failure=True)
    assert any(words in error for error in output.errors), output.errors


def test_check_tells_agreement_plan_and_clock_apart(syncs: FlatSyncs) -> None:
    assert syncs.check() == (True, "")
    files = syncs.sandbox.flat_files
    files.agreement_signed = False
    succeeded, message = syncs.check()
    assert succeeded, "what else was chosen can be read"
    assert "agreement is not signed" in message
    files.agreement_signed = True
    syncs.sandbox.plan = Plan.unlimited(refused=("/us_stocks_sip/trades", "/us_stocks_sip/quotes"))
    succeeded, message = syncs.check()
    assert succeeded
    assert "flat_trades, flat_quotes: the flat files of stocks are refused" in message
    assert "The plan lacks '" in message
    syncs.sandbox.plan = Plan.unlimited()
    files.clock_ahead = timedelta(hours=1)
    with time_machine.travel(time_machine.escape_hatch.datetime.datetime.now(), tick=True):
        succeeded, message = syncs.check(markets=["stocks"])
    assert not succeeded
    assert "clock of this machine is wrong" in message


def test_no_request_leaves_for_another_address(syncs: FlatSyncs, naps: list[float]) -> None:
    with Sandbox(syncs.sandbox.world) as other:
        there = f"{other.url}/flatfiles/{key('2026-11-17')}"
        syncs.sandbox.faults.add(Fault.redirect(there, path="2026-11-17", times=None))
        output = syncs.read("flat_minute_bars", expect_failure=True)
        assert other.requests == []
    assert any("is not followed" in error for error in output.errors), output.errors


def test_no_secret_is_told(
    syncs: FlatSyncs, files: FlatFiles, naps: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    files.access_key_id = "AKIA0123456789"
    syncs.sandbox.faults.add(Fault.html(path="2026-11-13.csv"))
    syncs.sandbox.faults.add(Fault.slow_down(path="2026-11-16.csv", times=None))
    output: Output = syncs.read("flat_minute_bars", expect_failure=True)
    told_text = output.text + caplog.text
    assert "2026-11-16" in told_text
    assert syncs.sandbox.key not in told_text
    assert files.access_key_id not in told_text
    assert not any(request.key_in_url for request in syncs.sandbox.requests)


@pytest.mark.parametrize("filled", [{}, {"access_key_id": "a"}, {"secret_access_key": "b"}])
def test_half_a_pair_is_named_and_none_is_no_fault(syncs: FlatSyncs, filled: Row) -> None:
    succeeded, message = syncs.check(flat_files=filled)
    assert succeeded == (not filled)
    if filled:
        (missing,) = {"access_key_id", "secret_access_key"} - set(filled)
        assert f"flat_files.{missing} is missing. Give" in message
    else:
        output = syncs.read("flat_minute_bars", flat_files={}, expect_failure=True)
        assert any("since `flat_files` is empty" in error for error in output.errors)


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
        assert process.wait(timeout=60) == -signal.SIGKILL
        running.faults.clear()
        syncs.load(messages)
        assert 0 < len(syncs.tables["flat_trades"]) < len(_due(files, "flat_trades", "stocks"))
        assert syncs.read("flat_trades").errors == []
        assert table(syncs, "flat_trades") == _due(files, "flat_trades", "stocks")

"""Each exit status of backfill and verify; what the doctor says of the files."""

import json
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from polygon_sandbox import Plan, Sandbox
from polygon_streaming import cli, doctor
from polygon_streaming.process import logs, signals
from polygon_streaming.settings import DoctorSettings

from unit_tests.streaming.flat_files import bars_key

FRIDAY, MONDAY = "2026-11-20", "2026-11-23"
NARROW = Plan(markets=frozenset({"crypto"}))


@pytest.fixture
def ended(
    monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, address: str, client: Any
) -> Callable[..., int]:
    """Runs a command in this process, and returns its status."""
    monkeypatch.setattr(signals, "guard", lambda *_: None)
    monkeypatch.setattr(signals, "stop_on_signal", Event)
    monkeypatch.setattr(logs, "set_up", lambda *_: None)
    # The engine's database of a client is the test's own.
    monkeypatch.setattr(
        "polygon_streaming.backfill.clients.connect", lambda _: lambda: _Open(client)
    )

    def run(*arguments: str, **more: str) -> int:
        environment = {
            "POLYGON_FLAT_FILES_ENDPOINT": sandbox.url,
            "POLYGON_FLAT_FILES_ACCESS_KEY_ID": sandbox.flat_files.access_key_id,
            "POLYGON_FLAT_FILES_SECRET_ACCESS_KEY": sandbox.key,
            "POLYGON_STREAM_CLICKHOUSE": address,
            "POLYGON_STREAM_PARALLEL": "1",
            **more,
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.argv", ["polygon-stream", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert isinstance(end.value.code, int)
        return end.value.code

    return run


class _Open:
    """A client that stays open for the next command."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def close(self) -> None:
        pass


def _defect(defect: Any) -> Callable[[Sandbox], None]:
    return lambda sandbox: sandbox.flat_files.replace(bars_key(FRIDAY), defect)


def _plan(sandbox: Sandbox) -> None:
    sandbox.plan = NARROW


BACKFILL = ("backfill", "--start", FRIDAY, "--end", FRIDAY)
WRONG = {"POLYGON_FLAT_FILES_SECRET_ACCESS_KEY": "wrong"}


@pytest.mark.parametrize(
    ("arguments", "fault", "more", "status", "words"),
    [
        (BACKFILL, None, {}, 0, "1 loaded; 9 rows"),
        ((*BACKFILL, "--dry-run"), None, {}, 0, "1 to load; about 9 rows"),
        (("backfill", "--start", MONDAY, "--end", MONDAY), None, {}, 0, "1 unpublished"),
        (BACKFILL, _defect("missing"), {}, 1, "a trading day without a file"),
        (BACKFILL, _plan, {}, 2, "the plan does not include it"),
        (BACKFILL, None, WRONG, 2, "the secret is not that of the access key id"),
        (("verify", FRIDAY), None, {}, 3, "of 9 in the file 0 are equal"),
        (("verify", FRIDAY, "--mend"), None, {}, 0, "9 missing; 0 extra. Mended."),
        (("verify", FRIDAY), _defect("missing"), {}, 1, "a trading day without a file"),
        (("verify", FRIDAY), _defect("truncated"), {}, 1, "cannot be read to its end"),
        (("verify", FRIDAY), _plan, {}, 2, "the plan does not include it"),
        (("verify", FRIDAY), None, WRONG, 2, "the secret is not that of the access key id"),
        (("verify", "2026-11-21"), None, {}, 2, "is not a trading day of stocks"),
        (("verify", MONDAY), None, {}, 4, "is not published yet"),
    ],
)  # fmt: skip
def test_each_end_has_its_status(
    ended: Callable[..., int], sandbox: Sandbox, clock: Callable[[str], None],
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...],
    fault: Callable[[Sandbox], None] | None, more: dict[str, str], status: int, words: str,
) -> None:  # fmt: skip
    if MONDAY in arguments:
        clock("2026-11-23T15:00:00Z")
    if fault:
        fault(sandbox)
    assert ended(*arguments, **more) == status
    told = capsys.readouterr()
    assert words in told.out + told.err
    assert "Traceback" not in told.err


def test_a_day_that_is_not_mended_has_its_figures(
    ended: Callable[..., int], sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(*BACKFILL) == 0
    sandbox.flat_files.replace(bars_key(FRIDAY), "short")
    files = {name: tmp_path / f"v.{name}" for name in ("json", "html", "prom")}
    flags = ("--json-file", "--html", "--metrics-file")
    where = [each for pair in zip(flags, map(str, files.values()), strict=True) for each in pair]
    assert ended("verify", FRIDAY, "--mend", *where) == 1
    told = capsys.readouterr()
    assert "6 in the file 6 are equal (100.0000%), 0 other, 0 missing; 3 extra." in told.out
    assert f"polygon-stream verify: stocks bars of {FRIDAY}: Nothing is mended: 33%" in told.err
    (found,) = json.loads(files["json"].read_text())
    assert (found["extra"], found["mended"], found["unmended"][:18]) == (
        3,
        False,
        "Nothing is mended:",
    )
    assert "Nothing is mended: 33%" in files["html"].read_text()
    figures = files["prom"].read_text()
    assert 'polygon_verify_rows{data="bars",market="stocks",state="extra"} 3.0' in figures
    assert 'polygon_verify_mended{data="bars",market="stocks"} 0.0' in figures


@pytest.mark.parametrize(
    ("fault", "more", "well", "words"),
    [
        (None, {}, True, f"the newest minute bars of stocks are of {FRIDAY}"),
        (_plan, {}, False, "the plan does not include it"),
        (None, {"flat_files_secret_access_key": "wrong"}, False, "the secret is not that of"),
        (None, {"flat_files_bucket": "nothing"}, False, "there is no such bucket"),
        (None, {"flat_files_access_key_id": ""}, True, "left out; set POLYGON_FLAT_FILES"),
    ],
)
def test_the_doctor_looks_at_the_files(
    sandbox: Sandbox, given: dict[str, Any], mock_kafka: str,
    fault: Callable[[Sandbox], None] | None, more: dict[str, str], well: bool, words: str,
) -> None:  # fmt: skip
    if fault:
        fault(sandbox)
    near = {"bootstrap_servers": mock_kafka, "rest_url": sandbox.url, "clickhouse": ""}
    settings = DoctorSettings.model_validate({**given, **near, **more})
    findings = {name: (good, found) for name, good, found in doctor.examine(settings, 60)}
    good, found = findings["flat_files"]
    assert good == well
    assert words in found

"""Who may read flat files: history, plan, pair, agreement, clock told apart; no secret told."""

import logging
from datetime import date, timedelta

import pytest
import time_machine
from polygon_sandbox import Fault, Plan, Sandbox
from polygon_sandbox.flat_files import FlatFiles

from unit_tests.connector.flat.bucket import FlatSyncs, gets, in_the_bucket, key, table
from unit_tests.connector.syncing import Output, Row


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
    assert table(syncs, "flat_minute_bars") == in_the_bucket(files, "flat_minute_bars", "crypto")
    syncs.sandbox.plan = Plan.unlimited()
    syncs.read("flat_minute_bars", flat=flat)
    assert len(table(syncs, "flat_minute_bars")) > len(
        in_the_bucket(files, "flat_minute_bars", "crypto")
    )


def test_a_refusal_of_the_newest_file_alone_ends_the_lane(
    syncs: FlatSyncs, files: FlatFiles
) -> None:
    syncs.sandbox.plan = Plan.unlimited(refused=(f"/{key('2026-11-19')}",))
    output = syncs.read("flat_minute_bars", num_workers=1)
    assert output.errors == []
    assert "ends before the file of 2026-11-19, which is refused" in output.text
    syncs.sandbox.plan = Plan.unlimited()
    syncs.read("flat_minute_bars")
    assert table(syncs, "flat_minute_bars") == in_the_bucket(files, "flat_minute_bars", "stocks")


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

"""What a sync says every minute while it runs, and at its end."""

import logging
import time
from collections.abc import Iterator

import pytest
from airbyte_cdk.models import AirbyteMessage, AirbyteRecordMessage, Type
from source_polygon import SourcePolygon, progress
from source_polygon.progress import Progress, reported
from source_polygon.vendor.tally import Tally

from unit_tests.connector.syncing import Syncs, catalog

LOGGER = logging.getLogger("airbyte")


def record(stream: str) -> AirbyteMessage:
    row = AirbyteRecordMessage(stream=stream, data={"a": 1}, emitted_at=0)
    return AirbyteMessage(type=Type.RECORD, record=row)


class Run:
    """A sync whose clock and figures the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slices: dict[str, str] = {}
        self.tally = Tally(lambda: self.now)
        self.tally.sends("stocks")  # of an earlier sync in this process
        self.progress = Progress(self.tally, lambda: self.slices, lambda: self.now)

    def minute(self) -> Iterator[str]:
        """First minute: two streams under way, and a wait for the budget that goes on."""
        for _ in range(5):
            self.tally.sends("stocks")
        self.progress.count(record("exchanges"))
        self.slices = {"bars": "0 of 3 windows"}
        with self.tally.waiting("stocks"):
            self.now += 60
            yield self.progress.line()
            self.now += 2
        self.tally.sends("crypto")
        self.slices = {"bars": "1 of 3 windows"}
        self.now += 58
        yield self.progress.line()
        self.now += 60
        yield self.progress.line()


LINES = [
    "1 min in: 5 requests, of which waiting for the budget: stocks 60 seconds. "
    "bars: 0 of 3 windows, 0 records; exchanges: 1 record.",
    "2 min in: 6 requests (stocks 5, crypto 1), of which waiting for the budget: stocks 62 seconds."
    " bars: 1 of 3 windows, 0 records.",
    "3 min in: 6 requests (stocks 5, crypto 1), of which waiting for the budget: stocks 62 seconds."
    " Nothing new since the last such line.",
]


def test_a_line_tells_requests_waiting_and_the_streams_that_moved() -> None:
    assert list(Run().minute()) == LINES


def test_the_end_adds_up(caplog: pytest.LogCaptureFixture) -> None:
    run = Run()
    list(run.minute())
    run.tally.believed_empty()
    with caplog.at_level(logging.INFO):
        run.progress.summary(LOGGER)
    assert caplog.messages == [
        "exchanges: 1 record.",
        "Requests sent, retries included: 6, in 180 seconds, of which waiting for the budget: "
        "stocks 62 seconds (stocks 5, crypto 1).",
        "Empty answers that were believed: 1, see above.",
    ]


def test_a_line_comes_every_minute_until_the_end(caplog: pytest.LogCaptureFixture) -> None:
    run, asked = Run(), []

    def wait(seconds: float) -> bool:
        asked.append(seconds)
        run.now += seconds
        return len(asked) == 3

    with caplog.at_level(logging.INFO), reported(run.progress, LOGGER, wait):
        pass
    assert asked == [60.0, 60.0, 60.0]
    assert caplog.messages == [
        f"{minutes} min in: 0 requests. Nothing new since the last such line." for minutes in (1, 2)
    ]


def test_a_sync_reports_while_nobody_takes_its_records(
    syncs: Syncs, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.01)
    chosen, config = catalog("grouped_daily"), syncs.config()
    messages = SourcePolygon(chosen, config).read(LOGGER, config, chosen)
    first = next(message for message in messages if message.record)
    deadline = time.monotonic() + 60
    while "1 record" not in caplog.text and time.monotonic() < deadline:
        time.sleep(0.01)
    assert first.record
    assert "of 15 sessions, 1 record" in caplog.text
    number = 1 + sum(message.record is not None for message in messages)
    assert f"grouped_daily: {number} records." in caplog.messages
    lines = len(caplog.messages)
    time.sleep(0.05)
    assert len(caplog.messages) == lines

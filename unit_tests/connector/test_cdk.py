"""Where the connector leans on the CDK's private parts: each test says what broke when it moves."""

import inspect
import logging
from collections.abc import Mapping
from importlib.metadata import requires, version
from typing import Any

import pytest
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.logger import PRINT_BUFFER
from airbyte_cdk.sources.concurrent_source import concurrent_read_processor
from airbyte_cdk.sources.declarative.stream_slicers.declarative_partition_generator import (
    StreamSlicerPartitionGenerator,
)
from airbyte_cdk.sources.streams.call_rate import LimiterMixin, LimiterSession
from airbyte_cdk.sources.streams.concurrent.default_stream import DefaultStream
from airbyte_cdk.sources.streams.http.http_client import HttpClient
from packaging.requirements import Requirement
from packaging.version import Version
from source_polygon import SourcePolygon
from source_polygon.engine import cdk
from source_polygon.engine.cursor import LaneCursor
from source_polygon.engine.output import in_pages
from source_polygon.engine.retriever import LaneRetriever
from source_polygon.run import Entrypoint, Plain
from source_polygon.vendor.budget import Budget

CONFIG = {"api_key": "k-0123456789", "start_date": "2026-11-02"}


@pytest.fixture(scope="module")
def streams() -> Mapping[str, DefaultStream]:
    source = SourcePolygon(config=CONFIG, output=in_pages)
    found = {}
    for stream in source.streams(CONFIG):
        assert isinstance(stream, DefaultStream), "streams() returns another kind of stream"
        found[stream.name] = stream
    return found


def test_the_bound_of_the_dependency_is_what_these_tests_ran_with() -> None:
    (requirement,) = (
        Requirement(text)
        for text in requires("airbyte-source-polygon") or ()
        if text.startswith("airbyte-cdk") and "extra" not in text
    )
    installed = Version(version("airbyte-cdk"))
    assert installed in requirement.specifier
    next_minor = f"{installed.major}.{installed.minor + 1}.0"
    assert next_minor not in requirement.specifier, "widen the bound once these tests pass on it"


@pytest.mark.parametrize("name", ["grouped_daily", "tickers"])
def test_a_custom_partition_router_is_found_and_becomes_the_cursor(
    streams: Mapping[str, DefaultStream], name: str
) -> None:
    stream = streams[name]
    generator = stream._stream_partition_generator
    assert isinstance(generator, StreamSlicerPartitionGenerator)
    cursor = cdk.lane_cursor_of(stream)
    assert isinstance(cursor, LaneCursor), "the partition router is kept elsewhere"
    assert stream.cursor is cursor, "the stream's cursor is kept elsewhere"
    assert stream.as_airbyte_stream().default_cursor_field == ["last_updated_utc"], (
        "the stream's cursor field is kept elsewhere"
    )


def test_every_retriever_is_found_and_told_how_records_leave(
    streams: Mapping[str, DefaultStream],
) -> None:
    outputs = {name: cdk.retriever_of(stream).output for name, stream in streams.items()}
    assert set(outputs.values()) == {in_pages}
    assert isinstance(cdk.retriever_of(streams["tickers"]), LaneRetriever)


def test_another_retriever_is_named(streams: Mapping[str, DefaultStream]) -> None:
    class Elsewhere:
        name = "tickers"
        _stream_partition_generator = object()

    with pytest.raises(TypeError, match="tickers is not read by one of our retrievers: None"):
        cdk.retriever_of(Elsewhere())  # type: ignore[arg-type]


def test_a_requester_is_built_as_for_its_stream() -> None:
    source = SourcePolygon(config=CONFIG)
    requester = source.manifest.requester("tickers")
    assert (
        requester.get_url(stream_state=None, stream_slice=None, next_page_token=None)
        == "https://api.massive.com/v3/reference/tickers"
    )


def test_the_count_of_pages_is_recognised_among_the_log_lines() -> None:
    text = inspect.getsource(concurrent_read_processor)
    assert 'f"Read {' in text, "the CDK words its count of records otherwise"

    def line(module: str, message: str) -> logging.LogRecord:
        record = logging.LogRecord("x", logging.INFO, f"{module}.py", 1, message, (), None)
        assert record.module == module
        return record

    assert cdk.is_count_of_pages(line("concurrent_read_processor", "Read 3 records from x stream"))
    assert not cdk.is_count_of_pages(line("concurrent_read_processor", "Syncing stream: x"))
    assert not cdk.is_count_of_pages(line("elsewhere", "Read 3 records"))
    assert Plain().filter(line("concurrent_read_processor", "Read 3 records from x")) is False


def test_the_entry_point_has_the_parts_that_ours_replaces() -> None:
    for name in ("validate_connection", "handle_record_counts", "read"):
        assert hasattr(AirbyteEntrypoint, name), f"AirbyteEntrypoint has no {name}"
    read = inspect.getsource(AirbyteEntrypoint.read)
    assert "self.handle_record_counts(message" in read, "records are counted elsewhere"
    run = inspect.getsource(AirbyteEntrypoint.run)
    steps = ("configure(", "read_catalog(", "read_state(", "self.read(")
    for text in (run, inspect.getsource(Entrypoint.output)):
        places = [text.index(step) for step in steps]
        assert places == sorted(places), "`run` does its steps around a read in another order"
    # Before a spec, after `configure`, and at the end.
    assert run.count("_emit_queued_messages(") == 3, "`run` prints what is queued elsewhere, too"


def test_what_is_queued_is_printed_around_a_read() -> None:
    waiting: list[Any] = ["first", "second"]

    class Repository:
        def consume_queue(self) -> Any:
            yield from waiting

    class Source:
        message_repository = Repository()

    assert list(cdk.queued(Source())) == waiting  # type: ignore[arg-type]
    assert list(cdk.queued(SourcePolygon())) == []


def test_the_print_buffer_can_be_locked_and_flushed() -> None:
    assert PRINT_BUFFER.lock.acquire(timeout=5), "it is not a lock, or taken"
    PRINT_BUFFER.lock.release()
    assert callable(PRINT_BUFFER.flush)


def test_the_budget_of_every_requester_is_ours_and_sees_each_attempt_once(
    streams: Mapping[str, DefaultStream],
) -> None:
    """The tally of requests counts there."""
    budgets = set()
    for stream in streams.values():
        client = cdk.retriever_of(stream).requester._http_client  # type: ignore[attr-defined]
        assert isinstance(client._session, LimiterSession), "requests are paced elsewhere"
        budgets.add(client._session._api_budget)
    (budget,) = budgets
    assert isinstance(budget, Budget)
    assert inspect.getsource(LimiterMixin.send).count("acquire_call(request)") == 1
    assert inspect.getsource(HttpClient._send).count("_session.send(") == 1

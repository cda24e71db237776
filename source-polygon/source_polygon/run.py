"""The command `source-polygon`: Airbyte's spec, check, discover and read."""

import argparse
import gc
import logging
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib.metadata import version
from threading import Thread, Timer
from typing import Any, BinaryIO, Final, NoReturn, TypeVar, cast

from source_polygon.startup import give_large_blocks_back, quick_imports

with quick_imports():
    from airbyte_cdk.entrypoint import AirbyteEntrypoint
    from airbyte_cdk.exception_handler import init_uncaught_exception_handler
    from airbyte_cdk.logger import PRINT_BUFFER, is_platform_debug_log_enabled
    from airbyte_cdk.models import (
        AirbyteLogMessage,
        AirbyteMessage,
        ConnectorSpecification,
        FailureType,
        Level,
        Type,
    )
    from airbyte_cdk.sources.connector_state_manager import HashableStreamDescriptor
    from airbyte_cdk.utils.traced_exception import AirbyteTracedException

    from source_polygon.engine.backlog import Backlog
    from source_polygon.engine.cdk import is_count_of_pages, message_text, queued
    from source_polygon.engine.output import Page, page_of
    from source_polygon.errors import config_error
    from source_polygon.source import SourcePolygon

LOGGER = logging.getLogger("airbyte")

# What a shell reports for a process that SIGTERM has ended.
_STOPPED: Final = 128 + signal.SIGTERM

_LAST_WORDS_SECONDS: Final = 2

_STOPPED_BY_SIGTERM: Final = AirbyteMessage(
    type=Type.LOG,
    log=AirbyteLogMessage(
        level=Level.INFO,
        message="Stopped by SIGTERM. The last STATE message is where the next sync resumes.",
    ),
)

# New objects between two looks for cycles. Records have none; Python's own number costs a fifth of
# a sync.
_GC_THRESHOLD: Final = 50_000

T = TypeVar("T")

_HELP: Final = """\
source-polygon reads Polygon.io (Massive.com) as an Airbyte source.

  source-polygon spec
      print the configuration form
  source-polygon check --config config.json
      say what the key covers, in a few requests
  source-polygon discover --config config.json
      print the streams and their schemas
  source-polygon read --config config.json --catalog catalog.json [--state state.json]
      print records and states, one JSON message a line

A smallest config.json:

  {"api_key": "...", "start_date": "2026-11-02"}

A catalog.json that reads the daily bars incrementally:

  {"streams": [{"sync_mode": "incremental", "destination_sync_mode": "append_dedup",
                "cursor_field": ["last_updated_utc"],
                "stream": {"name": "grouped_daily", "json_schema": {},
                           "supported_sync_modes": ["full_refresh", "incremental"]}}]}

A state.json is a list of the last STATE messages: [{"type": "STREAM", "stream": {...}}].
Exit status: 0 done (a failed check too: read its message), 1 failed, 2 wrong usage, 143 stopped.
"""


class Plain(logging.Filter):
    """Makes the CDK's log messages say what the user needs to know, and no more."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace the traceback of a worded failure by the words; drop the count of pages.

        The CDK takes a page for one record. The source logs how many records there were.
        """
        if is_count_of_pages(record):
            return False
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, AirbyteTracedException):
            record.msg, record.args = f"{record.getMessage()}: {error.message}", ()
            record.exc_info = record.exc_text = None
        return True


class Entrypoint(AirbyteEntrypoint):
    """Airbyte's entry point, with the configuration judged by the source alone.

    The CDK would report the first wrong value without naming its field.
    """

    @staticmethod
    def validate_connection(source_spec: ConnectorSpecification, config: Any) -> None:
        """Leave it to `SourcePolygon`."""

    @staticmethod
    def handle_record_counts(
        message: AirbyteMessage,
        stream_message_count: defaultdict[HashableStreamDescriptor, float],
    ) -> AirbyteMessage:
        """Count the records of a page where the CDK would count one."""
        page = page_of(message)
        if page is None:
            return AirbyteEntrypoint.handle_record_counts(message, stream_message_count)
        stream_message_count[HashableStreamDescriptor(name=page.stream)] += page.count
        return message

    def output(self, parsed: argparse.Namespace) -> Iterator[str | Page]:
        """Return what to print: messages in the form of text, records by the page."""
        if parsed.command != "read":
            yield from self.run(parsed)
            return
        # What the CDK's `run` does for a read, in its order, but for turning each record into text,
        # and for a folder to cache requests in, which no stream asks for.
        debug = parsed.debug or is_platform_debug_log_enabled()
        for logger in (self.logger, LOGGER):
            logger.setLevel(logging.DEBUG if debug else logging.INFO)
        spec = self.source.spec(self.logger)
        try:
            config = self.source.configure(self.source.read_config(parsed.config), "")
            yield from map(message_text, queued(self.source))
            catalog = self.source.read_catalog(parsed.catalog)
            state = self.source.read_state(parsed.state)
            for message in self.read(spec, config, catalog, state):
                yield page_of(message) or message_text(message)
        finally:
            yield from map(message_text, queued(self.source))


def main() -> None:
    """Run the command line and exit."""
    init_uncaught_exception_handler(LOGGER)
    args = sys.argv[1:]
    if not args or args[0] in ("-h", "--help"):
        sys.stdout.write(_HELP)
        sys.exit(0 if args else 2)
    if args[0] == "--version":
        sys.stdout.write(f"source-polygon {version('airbyte-source-polygon')}\n")
        sys.exit(0)
    parsed = Entrypoint.parse_args(args)
    give_large_blocks_back()
    gc.set_threshold(_GC_THRESHOLD)
    # Who starts us may ignore it, and hand that down: Dagster does so in the background of a shell.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Before any other thread starts, since threads inherit what is blocked.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    Thread(target=_end_on_sigterm, daemon=True).start()
    for handler in logging.getLogger().handlers:
        handler.addFilter(Plain())
    backlog = Backlog()
    try:
        entrypoint = Entrypoint(_source(parsed, backlog))
        with PRINT_BUFFER:
            for item in entrypoint.output(parsed):
                _print(item)
                if isinstance(item, Page):
                    backlog.printed(item)
    except AirbyteTracedException as error:
        trace = error.as_airbyte_message()
        if error.failure_type is FailureType.config_error and trace.trace and trace.trace.error:
            # Where in our code a wrong file or value was noticed helps nobody.
            trace.trace.error.stack_trace = None
        sys.stdout.write(f"{message_text(trace)}\n")
        sys.exit(1)
    finally:
        backlog.give_up()
        gc.freeze()  # what is left goes with the process


def _print(item: str | Page) -> None:
    """Print to stdout, whole lines at a time, in order with what the loggers print."""
    if isinstance(item, str):
        PRINT_BUFFER.write(f"{item}\n")
        return
    with PRINT_BUFFER.lock:
        PRINT_BUFFER.flush()
        stdout = sys.__stdout__
        if stdout is not None:
            cast(BinaryIO, stdout.buffer).write(item.lines)
            stdout.flush()


def _source(parsed: argparse.Namespace, backlog: Backlog) -> SourcePolygon:
    return SourcePolygon(
        catalog=_load(parsed, "catalog", SourcePolygon.read_catalog),
        config=_load(parsed, "config", SourcePolygon.read_config),
        state=_load(parsed, "state", SourcePolygon.read_state),
        output=backlog.in_pages,
    )


def _load(parsed: argparse.Namespace, option: str, read: Callable[[str], T]) -> T | None:
    """Read the file that `option` names, if it was given.

    Raises:
        AirbyteTracedException: there is no such file, or not of that kind (config_error).
    """
    path = getattr(parsed, option, None)
    if not path:
        return None
    try:
        return read(path)
    except Exception as error:  # noqa: BLE001 - the CDK's readers raise all kinds
        text = f"--{option} {path} cannot be read: {error}"
        raise config_error(text) from None


def _end_on_sigterm() -> None:
    """Wait for SIGTERM and end at once, between two messages.

    What has been printed up to the last STATE is safe; the next sync resumes there. Worker threads
    may be waiting for the vendor, and Python would wait for them. A thread waits for the signal
    because a handler would run in the middle of a write. Whoever should read our output may have
    stopped to do so: then what is left to print is given up.
    """
    signal.sigwait({signal.SIGTERM})
    overdue = Timer(_LAST_WORDS_SECONDS, _die)
    overdue.daemon = True
    overdue.start()
    with PRINT_BUFFER.lock:
        # Past the logger: a thread that is logging has the logger's lock and waits for this one.
        PRINT_BUFFER.write(f"{message_text(_STOPPED_BY_SIGTERM)}\n")
        PRINT_BUFFER.flush()
        _die()


def _die() -> NoReturn:
    """End as SIGTERM ends a process: 143 to a shell; to its parent -15, which PyAirbyte expects."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    os.kill(os.getpid(), signal.SIGTERM)
    os._exit(_STOPPED)  # the first process of a container survives its own signals

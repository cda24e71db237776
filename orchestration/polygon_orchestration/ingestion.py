"""Who runs the connector: this process through PyAirbyte, or Airbyte's platform."""

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, Protocol

import airbyte
from airbyte.caches import CacheBase
from airbyte.exceptions import AirbyteConnectorFailedError
from dagster_airbyte import AirbyteWorkspace

EVENTS = ("splits", "dividends")
REFERENCE = ("tickers", *EVENTS)
BARS = "grouped_daily"


class SyncError(Exception):
    """The connector ended with an error; the message is its own."""


class Ingestion(Protocol):
    """Fills LANDING.

    Attributes:
        rereads: whether a sync reads all of the range, whatever was read before.
    """

    rereads: ClassVar[bool]

    def sync(self, streams: Sequence[str], first: date, last: date) -> Mapping[str, Any]:
        """Read `streams`, the bars from session `first` to `last`.

        Bars and tickers are merged by their keys. Splits and dividends replace the table: a new
        one changes the factors of older ones, and one that the vendor takes back must go.

        Returns:
            What to show beside the assets.

        Raises:
            SyncError: the connector ended with an error.
        """


@dataclass(frozen=True)
class Local:
    """The connector as a command of this environment, run by PyAirbyte.

    Attributes:
        config: of the connector; its `start_date` is where splits and dividends begin.
        open_cache: opens where the tables are, which keeps the state as well. A DuckDB file is
            locked from then on until it is closed.
    """

    rereads: ClassVar[bool] = True
    config: Mapping[str, Any]
    open_cache: Callable[[], CacheBase]

    def sync(self, streams: Sequence[str], first: date, last: date) -> Mapping[str, Any]:
        """Read the bars of exactly these sessions, whatever was read before, and tickers on."""
        records = {}
        events = [stream for stream in streams if stream in EVENTS]
        others = [stream for stream in streams if stream not in (BARS, *EVENTS)]
        if BARS in streams:
            days = {"start_date": first.isoformat(), "end_date": last.isoformat()}
            records[BARS] = self._read([BARS], days, "merge", anew=True)
        if others:
            records[", ".join(others)] = self._read(others, {}, "merge", anew=False)
        if events:
            records[", ".join(events)] = self._read(events, {}, "replace", anew=True)
        return {f"records of {names}": count for names, count in records.items()}

    def _read(
        self, streams: list[str], config: Mapping[str, Any], write: str, *, anew: bool
    ) -> int:
        source = airbyte.get_source(
            "source-polygon",
            config={**self.config, **config},
            local_executable=Path(sys.executable).with_name("source-polygon"),
            install_if_missing=False,
            streams=streams,
        )
        with _its_own_words(), self.open_cache() as cache:
            result = source.read(cache=cache, write_strategy=write, force_full_refresh=anew)
            return int(result.processed_records)


@contextmanager
def _its_own_words() -> Iterator[None]:
    """Raise what the connector said, which PyAirbyte only logs, instead of its exit status."""

    class Errors(logging.Handler):
        said: str | None = None

        def emit(self, record: logging.LogRecord) -> None:
            self.said = record.getMessage()

    errors = Errors(logging.ERROR)
    logger = logging.getLogger("airbyte.source-polygon")
    logger.addHandler(errors)
    try:
        yield
    except AirbyteConnectorFailedError as error:
        raise SyncError(errors.said or str(error)) from None
    finally:
        logger.removeHandler(errors)


@dataclass(frozen=True)
class Platform:
    """A connection of Airbyte Cloud or Self-Managed, as `make publish-cloud` creates it.

    It knows by its own state what to read: all its streams, from where the last sync ended, and
    the last sessions again. A sync that runs already is waited for.
    """

    rereads: ClassVar[bool] = False
    workspace: AirbyteWorkspace
    connection_id: str

    def sync(self, streams: Sequence[str], first: date, last: date) -> Mapping[str, Any]:
        """Run a sync to its end; the range is the connection's own matter."""
        job = self.workspace.get_client().sync_and_poll(self.connection_id).job_details
        return {
            "Airbyte job": str(job["jobId"]),
            "records": job.get("rowsSynced", 0),
            "bytes": job.get("bytesSynced", 0),
        }

"""The vendor's flat files of sessions: into ClickHouse, and the stream held against them.

All of it is the streaming package's work; the order is this module's. What the stream has brought
is looked at before the files change anything, so that the figures are those of the stream, and
again afterwards, so that what is said of the table is seen and not concluded.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from threading import Event
from typing import Any, Final

from clickhouse_connect.driver.exceptions import ClickHouseError
from polygon_streaming import (
    Backfill,
    BackfillSettings,
    Outcome,
    StreamError,
    Verdict,
    Verify,
    VerifySettings,
    clickhouse,
    connect_tables,
    open_files,
)
from pydantic import ValidationError

from polygon_orchestration.settings import Settings, SettingsError

# What does not pass within minutes.
_LASTING: Final = ("unpublished", "missing", "refused")


@dataclass
class Filed:
    """What came of one file of a session.

    Attributes:
        day: the session.
        kind: bars, trades or quotes.
        etag: of the file as it was listed; empty if there was none.
        streamed: how the table stood to the file before; None where nothing had been streamed yet.
        outcome: what loading it came to; None if it was not tried.
        held: how the table stands to the file now; None where nothing had been streamed yet.
        words: why the session is not done; empty if it is.
        may_pass: whether that may pass within minutes.
        few: that the file has far fewer rows than those around it; empty if not. Known at the end.
    """

    day: date
    kind: str
    etag: str
    streamed: Verdict | None = None
    outcome: Outcome | None = None
    held: Verdict | None = None
    words: str = ""
    may_pass: bool = False
    few: str = ""


@dataclass
class FlatFiles:
    """The files of stocks that a deployment reads, and the tables that get their rows."""

    settings: Settings
    _values: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        """Look at the settings; nothing is asked yet.

        Raises:
            SettingsError: one is not what the streaming package takes.
        """
        given = self.settings
        self._values = {
            "clickhouse": given.clickhouse,
            "clickhouse_password": given.clickhouse_password,
            "table": given.clickhouse_table,
            "data": given.flat_files_data,
            "flat_files_endpoint": given.flat_files_endpoint,
            "flat_files_bucket": given.flat_files_bucket,
            "flat_files_access_key_id": given.flat_files_access_key_id,
            "flat_files_secret_access_key": given.flat_files_secret_access_key,
        }
        try:
            self._backfill(given.start_date, given.start_date)
        except ValidationError as error:
            names = ", ".join(f"POLYGON_{e['loc'][0]}".upper() for e in error.errors())
            raise SettingsError(f"{names}: not a value that flat files can be read with.") from None
        except StreamError as error:
            raise SettingsError(f"Flat files: {error}") from None

    def listed(self, first: date, last: date) -> dict[date, dict[str, str]]:
        """Return the sessions whose files are all there, each with keys and ETags.

        Raises:
            StreamError: the bucket refuses the list (ConfigError), or cannot be asked now.
        """
        backfill, source = self._backfill(first, last)
        found = [(dataset, source.listed(dataset, first, last)) for dataset in backfill.datasets]
        whole = set.intersection(*(set(days) for _, days in found))
        return {
            day: {dataset.key(day): days[day].etag for dataset, days in found}
            for day in sorted(whole)
        }

    def load(self, days: Sequence[date], tell: Callable[[str, Verdict], None]) -> Iterator[Filed]:
        """Load the files of sessions, several at a time; verify and mend what was streamed.

        What was streamed is that from the first day on of which the table has any: a day on which
        nothing came is then one that lacks everything, and history before it is not.

        Args:
            days: the sessions.
            tell: is told what was found of a kind of data, before anything is changed.

        Raises:
            StreamError: ClickHouse or the bucket refuses, or does not answer.
        """
        backfill, source = self._backfill(min(days), max(days))
        client = self._connect()
        try:
            jobs = [job for job in backfill.plan(client) if job.day in days]
            since = {job.dataset.name: _streamed_since(client, job) for job in jobs}
            found, to_load = {}, []
            for job in jobs:
                name = job.dataset.name
                etag = job.found.etag if job.found else ""
                one = found[name, job.day] = Filed(job.day, job.dataset.kind.name, etag)
                if job.found and (since[name] or date.max) <= job.day:
                    try:
                        one.streamed = self._verdict(one, client, source, mend=False)
                    except StreamError as error:
                        # Loading it would change what has not been looked at.
                        one.words, one.may_pass = str(error), error.exit_status == 1
                        yield one
                        continue
                    tell(one.kind, one.streamed)
                to_load.append(job)
            for outcome in backfill.run(to_load, Event()):
                one = found[outcome.dataset, outcome.day]
                one.outcome = outcome
                if outcome.state not in ("loaded", "unchanged"):
                    one.words, one.may_pass = outcome.words, outcome.state not in _LASTING
                elif one.streamed:
                    self._hold(one, client, source)
                yield one
            done = [one.outcome for one in found.values() if one.outcome and not one.words]
            for outcome, few in backfill.with_few_rows(client, done):
                found[outcome.dataset, outcome.day].few = few
        except ClickHouseError as error:
            raise clickhouse.refusal(error) from None
        finally:
            client.close()

    def _hold(self, one: Filed, client: Any, source: Any) -> None:
        """See how the table stands to the file now; take out what the file does not have."""
        try:
            one.held = self._verdict(one, client, source, mend=True)
            if one.held.mended:
                one.held = self._verdict(one, client, source, mend=False)
        except StreamError as error:
            one.words, one.may_pass = str(error), error.exit_status == 1

    def _verdict(self, one: Filed, client: Any, source: Any, *, mend: bool) -> Verdict:
        given = self._of(VerifySettings, day=str(one.day), data=one.kind, mend=mend)
        (found,) = Verify(given, lambda: client, source).run()
        return found

    def _connect(self) -> Any:
        return connect_tables(self._of(BackfillSettings, start=self.settings.start_date))()

    def _backfill(self, first: date, last: date) -> tuple[Backfill, Any]:
        given = self._of(BackfillSettings, start=first, end=last)
        source = open_files(given)
        return Backfill(given, connect_tables(given), source), source

    def _of(self, kind: Any, **own: Any) -> Any:
        return kind.model_validate({**self._values, **own})


def _streamed_since(client: Any, job: Any) -> date | None:
    """Return the first day of which the table has what the stream brought."""
    kind, dataset = job.dataset.kind, job.dataset
    (row,) = client.query(
        f"SELECT toDate(minOrNull({kind.time}), 'America/New_York') FROM {job.to.name} "  # noqa: S608 - checked names
        f"WHERE market = '{dataset.market}' AND event_type = '{dataset.channel}' AND NOT healed"
    ).result_rows
    found: date | None = row[0]
    return found

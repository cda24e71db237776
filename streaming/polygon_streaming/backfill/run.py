"""A backfill: the files of a range of days, several at a time, each a whole day or nothing."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import timedelta
from threading import Event
from typing import Any, Final

import structlog
from clickhouse_connect.driver.exceptions import ClickHouseError

from polygon_streaming.backfill import days
from polygon_streaming.backfill.clients import Connect, open_source
from polygon_streaming.backfill.jobs import Job, absent, chosen, jobs_of
from polygon_streaming.backfill.kinds import Dataset
from polygon_streaming.backfill.ledger import Ledger
from polygon_streaming.backfill.neighbours import few
from polygon_streaming.backfill.outcomes import Broken, NotThere, Outcome, Refused
from polygon_streaming.backfill.sources import Source
from polygon_streaming.backfill.stage import staged
from polygon_streaming.backfill.target import onlookers
from polygon_streaming.errors import ConfigError, StreamError
from polygon_streaming.settings import BackfillSettings
from polygon_streaming.sink import clickhouse

log = structlog.get_logger()

_MOST_AT_A_TIME: Final = 8
_TRIES: Final = 3
_PAUSE_SECONDS: Final = 2.0


class Backfill:
    """Loads what the table lacks of a range of days."""

    def __init__(
        self,
        settings: BackfillSettings,
        connect: Connect,
        source: Source | None = None,
        pause_seconds: float = _PAUSE_SECONDS,
    ) -> None:
        """Prepare to load.

        Args:
            settings: see there.
            connect: returns a client of its own for each file that is read at a time.
            source: where the files are; as the settings say unless it is given.
            pause_seconds: before a file that is broken is read again; doubles.

        Raises:
            ConfigError: the settings name days, data or markets that there are not.
        """
        self._settings = settings
        self._connect = connect
        self._pause = pause_seconds
        first, last = settings.start, settings.end or days.today() - timedelta(days=1)
        if first > last:
            raise ConfigError(f"start: {first} is after the last day, {last}. Give an earlier one.")
        self._span = first, last
        self.datasets = chosen(settings.data, settings.markets)
        self._source = source or open_source(settings)

    def plan(self, client: Any) -> list[Job]:
        """Return what there is to do: each day that has a file or should have one.

        Raises:
            ConfigError, StreamError: the source or ClickHouse refuses.
        """
        try:
            return [
                job
                for dataset in self.datasets
                for job in jobs_of(client, self._source, dataset, self._span, self._settings)
            ]
        except ClickHouseError as error:
            raise clickhouse.refusal(error) from None

    def dry_run(self, client: Any, jobs: list[Job]) -> Iterator[Outcome]:
        """Return what would be read. Rows are told from sizes, by one file that is counted."""
        ratios: dict[str, float] = {}
        for job in jobs:
            if job.found is None:
                yield absent(job)
                continue
            name = job.dataset.name
            try:
                self._source.look(job.dataset, job.day)
                if name not in ratios:
                    rows = self._source.count(client, job.dataset, job.day)
                    ratios[name] = rows / job.found.size
            except (Refused, NotThere) as error:
                yield _failed(job, error)
                continue
            except ClickHouseError as error:
                yield Outcome(name, job.day, "broken", words=clickhouse.in_short(error))
                continue
            rows = round(ratios[name] * job.found.size)
            yield Outcome(name, job.day, "to load", rows=rows, bytes=job.found.size)

    def run(self, jobs: list[Job], stop: Event) -> Iterator[Outcome]:
        """Do the jobs, and return what came of each as it ends.

        Raises:
            ConfigError: the key is not accepted, or ClickHouse refuses for good.
            StreamError: `stop` was set; what was loaded stays.
        """
        waiting = iter(jobs)
        busy: set[Future[Outcome]] = set()
        with ThreadPoolExecutor(self.parallel(), "file") as pool:
            try:
                while True:
                    for job in waiting:
                        busy.add(pool.submit(self._do, job, stop))
                        if len(busy) >= self.parallel():
                            break
                    if not busy:
                        return
                    done, busy = wait(busy, return_when=FIRST_COMPLETED)
                    for each in done:
                        yield each.result()
                    if stop.is_set():
                        raise StreamError("Stopped. The next run goes on with the next day.")
            finally:
                stop.set()  # what is under way ends at the next step

    def remarks(self, client: Any, outcomes: Sequence[Outcome]) -> list[str]:
        """Return what else there is to know of what was loaded, for people.

        Raises:
            StreamError: ClickHouse refuses.
        """
        try:
            return [
                words
                for dataset in self.datasets
                for words in self._remarks(client, dataset, outcomes)
            ]
        except ClickHouseError as error:
            raise clickhouse.refusal(error) from None

    def _remarks(self, client: Any, dataset: Dataset, outcomes: Sequence[Outcome]) -> Iterator[str]:
        table = self._settings.tables[dataset.kind.name]
        loaded = [o for o in outcomes if o.dataset == dataset.name and o.state == "loaded"]
        for outcome, words in self.with_few_rows(client, loaded):
            yield f"{outcome.day}  {dataset.name}: {words}."
        if any(outcome.written for outcome in loaded) and (views := onlookers(client, table)):
            yield (
                f"{', '.join(views)}: what is attached to {table} is not seen by views that look "
                "at inserts."
            )

    def with_few_rows(
        self, client: Any, outcomes: Sequence[Outcome]
    ) -> Iterator[tuple[Outcome, str]]:
        """Return those whose files have far fewer rows than the loaded ones around them, and how.

        Args:
            client: see there.
            outcomes: of files that are in their tables, after the run.
        """
        for dataset in self.datasets:
            own = sorted((o for o in outcomes if o.dataset == dataset.name), key=lambda o: o.day)
            if own:
                ledger = Ledger(client, dataset, self._settings.tables[dataset.kind.name])
                rows = {day: one.rows for day, one in ledger.loaded().items()}
                told = [(outcome, few(dataset.market, rows, outcome.day)) for outcome in own]
                yield from ((outcome, words) for outcome, words in told if words)

    def parallel(self) -> int:
        """Return how many files are read at a time."""
        if not self._settings.parallel:
            client = self._connect()
            try:
                threads = int(client.command("SELECT getSetting('max_threads')"))
            finally:
                client.close()
            # A packed file is unpacked by one thread, and parsed and sorted by others.
            return self._keep(max(1, min(_MOST_AT_A_TIME, threads // 2)))
        return self._settings.parallel

    def _keep(self, count: int) -> int:
        self._settings = self._settings.model_copy(update={"parallel": count})
        return count

    def _do(self, job: Job, stop: Event) -> Outcome:
        if job.found is None:
            return absent(job)
        if job.known and job.known.etag == job.found.etag and not self._settings.again:
            return Outcome(
                job.dataset.name, job.day, "unchanged", rows=job.known.rows, bytes=job.known.size
            )
        client = self._connect()
        try:
            return self._load(client, job, stop)
        except ClickHouseError as error:
            raise clickhouse.refusal(error) from None
        finally:
            client.close()

    def _load(self, client: Any, job: Job, stop: Event) -> Outcome:
        """Load a file; what is broken is read again, since it may have been on its way."""
        pause = self._pause
        for left in range(_TRIES - 1, -1, -1):
            try:
                return load(client, job, self._source)
            except ConfigError:
                raise
            except (Refused, NotThere) as error:
                return _failed(job, error)
            except StreamError as error:
                if not left or stop.wait(pause):
                    return _failed(job, error)
                log.warning("again", file=f"{job.dataset.name} {job.day}", reason=str(error))
                pause *= 2
        raise AssertionError("unreachable")


def load(client: Any, job: Job, source: Source) -> Outcome:
    """Bring a day's file into the table.

    Raises:
        Broken, NotThere, Refused: the file is of no use; the table is as it was.
        StreamError: ClickHouse refuses now.
        ConfigError: ClickHouse refuses for good.
    """
    began = time.monotonic()
    with staged(client, job.dataset, job.day, job.to) as stage:
        stage.read(source)
        if not (job.dataset.matches_the_stream or stage.table_is_empty() or job.known):
            raise Refused(
                "the table has trades of this day from the stream, and the file has neither "
                "sequence numbers nor ids by which to tell which they are."
            )
        written = stage.publish()
        removed = stage.remove(only_healed=True)
        outcome = Outcome(
            job.dataset.name,
            job.day,
            "loaded",
            rows=stage.rows,
            written=written,
            removed=removed,
            doubles=stage.doubles.told(job.dataset.kind),
            bytes=stage.found.size,
            seconds=time.monotonic() - began,
        )
        # Last, so that a day which is remembered is there.
        Ledger(client, job.dataset, job.to.name).note(outcome, stage.found.etag)
    return outcome


def _failed(job: Job, error: StreamError) -> Outcome:
    state = "broken"
    if isinstance(error, Refused):
        state = "refused"
    elif isinstance(error, NotThere):
        return absent(job)
    elif not isinstance(error, Broken):
        log.error("not loaded", file=f"{job.dataset.name} {job.day}", reason=str(error))
    return Outcome(job.dataset.name, job.day, state, words=str(error))  # type: ignore[arg-type]

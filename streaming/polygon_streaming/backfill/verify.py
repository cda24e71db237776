"""The day after: what the stream brought, held against the vendor's file, in ClickHouse.

Two bars are equal if open, high, low, close and volume are; two trades if price, size and
correction are. What only the stream knows (vwap, the day's volume so far) is not compared.
"""

import time
from collections.abc import Iterator
from datetime import date, datetime, timezone
from typing import Final

import structlog
from clickhouse_connect.driver.exceptions import ClickHouseError

from polygon_streaming.backfill import days, ledger
from polygon_streaming.backfill.clients import Connect, open_source
from polygon_streaming.backfill.jobs import chosen
from polygon_streaming.backfill.kinds import Dataset
from polygon_streaming.backfill.neighbours import few
from polygon_streaming.backfill.outcomes import NotThere, Refused
from polygon_streaming.backfill.sources import Source
from polygon_streaming.backfill.stage import Stage, staged
from polygon_streaming.backfill.target import sweep, target
from polygon_streaming.backfill.verdict import Verdict, finding
from polygon_streaming.errors import ConfigError, StreamError
from polygon_streaming.settings import VerifySettings
from polygon_streaming.sink import clickhouse

log = structlog.get_logger()

# How much of a bad day is told row by row; the counts have all of it.
_MOST_SYMBOLS: Final = 500
_MOST_ROWS: Final = 1_000
_LOOK_BACK_DAYS: Final = 10


class NotPublished(StreamError):
    """The file of the day is not there yet."""

    exit_status = 4


class Verify:
    """Holds tables against files, and mends the tables if that is wanted."""

    def __init__(
        self,
        settings: VerifySettings,
        connect: Connect,
        source: Source | None = None,
    ) -> None:
        """Prepare to look; `connect` returns a client.

        Raises:
            ConfigError: the settings name data or markets that there are not, or that cannot be
                verified.
        """
        self._settings = settings
        self._datasets = chosen(settings.data, settings.markets)
        for dataset in self._datasets:
            if not dataset.matches_the_stream:
                raise ConfigError(
                    f"data: {dataset.name} cannot be verified: the file has neither sequence "
                    "numbers nor ids by which to tell which trade of the stream is which."
                )
        self._source = source or open_source(settings)
        self._client = connect()

    def run(self) -> Iterator[Verdict]:
        """Return a verdict for each dataset, also for one that could not be mended.

        What ends one dataset ends no other; the first such reason is raised after the last.

        Raises:
            NotPublished: there is no file yet.
            StreamError: the file is missing, refused or broken, nothing could be mended, or
                ClickHouse refuses.
        """
        reasons: list[StreamError] = []
        for dataset in self._datasets:
            try:
                yield self._verify(dataset, reasons)
            except (ClickHouseError, StreamError) as error:
                reasons.append(_reason(error))
        for reason in reasons[1:]:
            log.error("not done", reason=str(reason))
        if reasons:
            raise reasons[0]

    def _verify(self, dataset: Dataset, reasons: list[StreamError]) -> Verdict:
        began = time.monotonic()
        table = self._settings.tables[dataset.kind.name]
        to = target(self._client, table)
        sweep(self._client, table, embedded=self._settings.clickhouse.startswith("chdb:"))
        day = self._day(dataset)
        # Of a file that is not there yet S3 says that it may not be read.
        if day not in self._source.listed(dataset, day, day):
            raise self._absent(dataset, day)
        verdict = Verdict(dataset.name, dataset.market, dataset.kind.name, day)
        with staged(self._client, dataset, day, to) as stage:
            try:
                stage.read(self._source)
            except NotThere:
                raise self._absent(dataset, day) from None
            except Refused as error:
                raise Refused(f"{dataset.name} of {day}: {error}") from None
            except StreamError as error:
                raise type(error)(f"{dataset.name} of {day}: {error}") from None
            self._judge(stage, dataset, verdict)
            verdict.few = self._few(dataset, table, day, stage.rows)
            if self._settings.mend and not verdict.is_equal:
                try:
                    self._mend(stage, verdict)
                except (ClickHouseError, StreamError) as error:
                    reason = _reason(error)
                    verdict.unmended = str(reason)
                    reasons.append(type(reason)(f"{dataset.name} of {day}: {reason}"))
        verdict.seconds = time.monotonic() - began
        log.info("verified", **verdict.figures())
        return verdict

    def _day(self, dataset: Dataset) -> date:
        if self._settings.day != "yesterday":
            try:
                return date.fromisoformat(self._settings.day)
            except ValueError:
                raise ConfigError(f"day: {self._settings.day} is not a day.") from None
        last = days.today()
        for day in reversed(
            days.between(date.fromordinal(last.toordinal() - _LOOK_BACK_DAYS), last)
        ):
            if day < last and days.is_expected(dataset.market, day):
                return day
        raise NotPublished(f"{dataset.name} has had no day with a file lately.")

    def _absent(self, dataset: Dataset, day: date) -> StreamError:
        if not days.is_expected(dataset.market, day):
            return ConfigError(f"day: {day} is not a trading day of {dataset.market}.")
        if not days.is_due(day, datetime.now(timezone.utc)):
            return NotPublished(
                f"{dataset.name} of {day}: the file is not published yet. It is there at about "
                "11:00 New York time of the day after."
            )
        return NotThere(
            f"{dataset.name} of {day}: a trading day without a file. The vendor has not published "
            "it; run again later."
        )

    def _judge(self, stage: Stage, dataset: Dataset, verdict: Verdict) -> None:
        table = stage.compare()
        query = self._client.query
        kinds = dict(query(f"SELECT kind, count() FROM {table} GROUP BY kind").result_rows)
        verdict.other, verdict.missing, verdict.extra = (
            kinds.get(kind, 0) for kind in ("other", "missing", "extra")
        )
        verdict.in_file = stage.keys
        verdict.doubles = stage.doubles.told(dataset.kind)
        verdict.equal = verdict.in_file - verdict.other - verdict.missing
        verdict.fields = dict(
            query(
                f"SELECT arrayJoin(fields) AS field, count() FROM {table} GROUP BY field "
                "ORDER BY count() DESC, field"
            ).result_rows
        )
        for symbol, missing, extra, other in query(
            "SELECT symbol, countIf(kind = 'missing'), countIf(kind = 'extra'), "
            f"countIf(kind = 'other') FROM {table} GROUP BY symbol ORDER BY count() DESC, symbol "
            f"LIMIT {_MOST_SYMBOLS}"
        ).result_rows:
            verdict.symbols[symbol] = {"missing": missing, "extra": extra, "other": other}
        names = list(dataset.kind.compared)
        for row in query(
            "SELECT symbol, toString(at), kind, id, fields, filed_values, table_values "
            f"FROM {table} ORDER BY symbol, at, id LIMIT {_MOST_ROWS}"
        ).result_rows:
            verdict.findings.append(finding(names, *row))

    def _few(self, dataset: Dataset, table: str, day: date, rows: int) -> str:
        if not int(self._client.command(f"EXISTS TABLE {ledger.TABLE}")):
            return ""
        loaded = ledger.Ledger(self._client, dataset, table).loaded()
        return few(dataset.market, {**{d: one.rows for d, one in loaded.items()}, day: rows}, day)

    def _mend(self, stage: Stage, verdict: Verdict) -> None:
        held = verdict.equal + verdict.other + verdict.extra
        if verdict.extra > self._settings.most_extra * held:
            raise StreamError(
                f"Nothing is mended: {verdict.extra / held:.0%} of the table's rows are "
                "not in the file, which may be short. Verify again when the vendor has replaced "
                "it, or give --most-extra 1 to take the file as it is."
            )
        stage.publish()
        stage.remove(only_healed=False)
        verdict.mended = True


def _reason(error: ClickHouseError | StreamError) -> StreamError:
    return error if isinstance(error, StreamError) else clickhouse.refusal(error)

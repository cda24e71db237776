"""Kind `flat_file`: one packed CSV a day, asset class and dataset, over S3."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any, ClassVar, Final

from airbyte_cdk.sources.types import Record, StreamSlice

from source_polygon.engine.cursor import LaneCursor
from source_polygon.engine.lanes import LaneEnds, LaneSlice
from source_polygon.engine.output import Leaving, around
from source_polygon.engine.retriever import LaneRetriever
from source_polygon.errors import transient_error
from source_polygon.sessions import new_york_today
from source_polygon.streams.flat.access import access_of, datasets, refused
from source_polygon.streams.flat.days import FlatLane, Known, expected
from source_polygon.streams.flat.read import AnotherDay, FileReader
from source_polygon.streams.flat.symbols import is_one_of, symbols_for
from source_polygon.streams.history import Contradiction, Outside
from source_polygon.vendor.flat_files import PRODUCT, Listed, flat_files
from source_polygon.vendor.flat_refusals import FilesRefused, NoSuchFile

LOGGER = logging.getLogger("airbyte")

_NAMED: Final = 10

# Of what is older and refused, waiting brings nothing.
_RECENT_DAYS: Final = 7


@dataclass
class FlatFileCursor(LaneCursor[FlatLane, Listed]):
    """One lane per chosen asset class that has the dataset, one slice per file.

    The lane is also keyed by the symbols that are picked out, where they are: for others the
    history is read anew.

    Attributes:
        stream: name of the stream.
        dataset: which of the vendor's, such as `minute_aggs`.
        lookback_days: days before the last complete one whose files are read again if replaced.
    """

    stream: str
    dataset: str
    lookback_days: int

    def partitions(self) -> Iterable[Mapping[str, Any]]:
        """Return asset class, and symbols, for each chosen asset class that has the dataset."""
        for asset_class in self.config["flat_files"]["asset_classes"]:
            if asset_class not in datasets(self.dataset):
                LOGGER.info("%s: there are no such files of %s.", self.stream, asset_class)
                continue
            symbols = symbols_for(asset_class, self.config)
            if symbols is None:
                yield {"asset_class": asset_class}
            elif symbols:
                yield {"asset_class": asset_class, "symbols": symbols}
            else:
                LOGGER.info("%s: none of the symbols is one of %s.", self.stream, asset_class)

    def lane(self, partition: Mapping[str, Any], cursor: Mapping[str, Any]) -> FlatLane:
        """Return the lane; which files it reads is found out when it is its turn."""
        known = Known.of(cursor, self.cursor_field)
        start = date.fromisoformat(self.config["start_date"])
        return FlatLane(partition, cursor, known, start, self.lookback_days, self.run_ahead)

    def planned(self) -> Iterator[tuple[LaneSlice[FlatLane, Listed], int]]:
        """Return a slice of each lane and how many files it will read, by the calendar alone."""
        lanes, _ = self._opened()
        for lane in lanes:
            start = date.fromisoformat(self.config["start_date"])
            days = expected(lane.asset_class, max(start, lane.known.day or start), self._last)
            new = [day for day in days if lane.known.day is None or day > lane.known.day]
            if new:
                yield LaneSlice(lane, Listed(new[0], "", "", "")), len(new)

    def slices(self, lane: FlatLane) -> Iterator[LaneSlice[FlatLane, Listed]]:
        """Return a slice per file: those since the last day, replaced ones, and late ones."""
        of = f"{self.stream} {lane.asset_class}"
        if lane.known.day and lane.known.day > new_york_today():
            LOGGER.warning("%s: the saved state %s lies in the future.", of, lane.known.day)
            return
        listed = self._listed(lane)
        lane.found(listed)
        if not listed:
            LOGGER.warning("%s: the vendor lists no files since %s.", of, lane.since)
        if lane.missing:
            LOGGER.warning(
                "%s: the vendor has no file of %s. It is asked for again at each sync.",
                *(of, _some(sorted(lane.missing))),
            )
        for each in lane.files:
            if lane.known.day and each.day <= lane.known.day:
                LOGGER.info("%s: the file of %s is new or was replaced.", of, each.day)
            yield LaneSlice(lane, each, file_date=each.day.isoformat())
        due = expected(lane.asset_class, listed[-1].day if listed else self._last, self._last)
        if listed and len(due) > 1:
            LOGGER.info("%s ends before %s, which is not published yet.", of, due[1])

    @property
    def _last(self) -> date:
        today = new_york_today()
        return min(today, date.fromisoformat(self.config.get("end_date") or today.isoformat()))

    def _listed(self, lane: FlatLane) -> list[Listed]:
        files = flat_files(access_of(self.config))
        try:
            listed = files.listed(
                lane.asset_class, datasets(self.dataset)[lane.asset_class], lane.since
            )
        except FilesRefused as refusal:
            raise refused(self.stream, lane.asset_class, refusal) from None
        return [each for each in listed if each.day <= self._last]


@dataclass(kw_only=True)
class FlatFileRetriever(LaneRetriever[FlatLane, Listed]):
    """Reads one file.

    Attributes:
        cursor_field: the day of the file.
        numbered: whether records say which row of the file they are, the key of those without one.
    """

    unit: ClassVar[str] = "flat file"

    cursor_field: str
    numbered: bool
    _schema: Mapping[str, Any] = field(init=False, default_factory=dict)
    _told: set[str] = field(init=False, default_factory=set)

    @property
    def least_requests(self) -> int:
        """None of the REST API."""
        return 0

    def product(self, stream_slice: StreamSlice) -> str:
        """Return the product of its own that files are: they wait for no other's pace."""
        return PRODUCT

    def read_records(
        self, records_schema: Mapping[str, Any], stream_slice: StreamSlice | None = None
    ) -> Iterable[Record]:
        """Return the records of `stream_slice`; the schema says what its columns are."""
        self._schema = records_schema
        yield from super().read_records(records_schema, stream_slice)

    def rows(self, lane: FlatLane, task: Listed) -> Iterator[Leaving]:
        """Return the records of a file, a block at a time."""
        if lane.history.excludes(task.day):
            return
        symbols = lane.partition.get("symbols")
        reader = FileReader(
            flat_files(access_of(self.config)),
            task,
            lane.asset_class,
            schema=self._schema,
            numbered=self.numbered,
            wanted=None if symbols is None else is_one_of(symbols),
            around=partial(around, self.name),
        )
        try:
            for portion in reader.records():
                if portion is None:
                    lane.history.served(task.day)
                else:
                    yield portion
        except FilesRefused as refusal:
            self._pass_over_or_end(lane, task, refusal)
            return
        except Contradiction as error:
            raise _contradiction(lane, error) from None
        except (NoSuchFile, AnotherDay) as error:
            LOGGER.warning(
                "%s %s: the file of %s %s. It is asked for again at each sync.",
                *(self.name, lane.asset_class, task.day),
                "is gone" if isinstance(error, NoSuchFile) else error,
            )
            lane.was_absent(task.day)
            return
        self._tell_of(reader.unknown)
        if reader.etag != task.etag:
            lane.was_replaced(task.day)

    def checkpoint(self, lane: FlatLane, task: Listed) -> Mapping[str, Any]:
        """Return the day of the file, of which the lane makes the state."""
        return {self.cursor_field: task.day.isoformat()}

    def _tell_of(self, columns: Iterable[str]) -> None:
        new = [each for each in columns if each not in self._told]
        if new:
            self._told.update(new)
            LOGGER.warning(
                "%s: the files have columns that this version does not know: %s. They come "
                "through as text.",
                *(self.name, ", ".join(new)),
            )

    def _pass_over_or_end(self, lane: FlatLane, task: Listed, refusal: FilesRefused) -> None:
        """Return if a refused file is before the plan's history.

        Raises:
            LaneEnds: the plan gets it later.
            AirbyteTracedException: the key pair may read none of them (config_error).
        """
        files = flat_files(access_of(self.config))
        keys = {each.day: each.key for each in lane.files}

        def is_refused(day: date) -> bool:
            try:
                files.probe(keys[day])
            except FilesRefused:
                return True
            except NoSuchFile:
                pass
            return False

        known = lane.history.start
        try:
            side = lane.history.place(task.day, is_refused)
        except Contradiction as error:
            raise _contradiction(lane, error) from None
        if side is Outside.AFTER:
            recent = (new_york_today() - task.day).days <= _RECENT_DAYS
            if recent and (lane.known.day or lane.history.earliest_served):
                LOGGER.warning(
                    "%s %s ends before the file of %s, which is refused: %s",
                    *(self.name, lane.asset_class, task.day, refusal.words),
                )
                raise LaneEnds
            raise refused(self.name, lane.asset_class, refusal)
        if lane.history.start != known:
            LOGGER.warning(
                "%s %s: the history of the plan starts with %s; the files before it are left out.",
                *(self.name, lane.asset_class, lane.history.start),
            )


def _contradiction(lane: FlatLane, error: Contradiction) -> Exception:
    return transient_error(
        f"The flat file of {lane.asset_class} of {error.refused} is refused, although that of "
        f"{error.served} was served. Sync again later."
    )


def _some(days: list[date]) -> str:
    more = len(days) - _NAMED
    return ", ".join(map(str, days[:_NAMED])) + (f" and {more} more" if more > 0 else "")

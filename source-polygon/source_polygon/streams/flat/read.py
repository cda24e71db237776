"""One flat file, read to its end or not at all: broken ones again, from where they broke."""

import csv
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Final
from zoneinfo import ZoneInfo

from source_polygon.errors import transient_error
from source_polygon.rows import Row
from source_polygon.streams.flat.by_row import Facts
from source_polygon.streams.flat.compiled import Around
from source_polygon.streams.flat.layout import Layout
from source_polygon.streams.flat.writer import LineWriter
from source_polygon.vendor.flat_files import FlatFiles, Listed, Opened
from source_polygon.vendor.flat_refusals import FileReplaced
from source_polygon.vendor.lines import Messages
from source_polygon.vendor.unpacked import BrokenFile, lines

LOGGER = logging.getLogger("airbyte")

# Seconds before each further reading of a file that is broken.
_PAUSES: Final = (2, 4, 8)

_NEW_YORK: Final = ZoneInfo("America/New_York")
_NEW_YORK_DAYS: Final = ("stocks", "options", "indices")


class AnotherDay(Exception):
    """The file has no row of its day; the text says so."""


class FileReader:
    """Reads one file.

    Attributes:
        etag: that of the version which was read.
        unknown: its columns that the schema does not know.
    """

    def __init__(
        self,
        files: FlatFiles,
        listed: Listed,
        asset_class: str,
        *,
        schema: Mapping[str, Any],
        numbered: bool,
        wanted: Callable[[str], bool] | None,
        around: Around,
    ) -> None:
        """Prepare to read a file of the list; the rest as `Facts` and `LineWriter` have it."""
        self._files, self._listed, self._asset_class = files, listed, asset_class
        self._schema, self._numbered = schema, numbered
        self._wanted, self._around = wanted, around
        self.etag = ""
        self.unknown: list[str] = []
        # How much of the version `etag` has been handed out, header included.
        self._bytes = self._rows = 0

    def records(self) -> Iterator[Sequence[Row] | None]:
        """Return the records, a block at a time, after a None as soon as the file is served.

        A file that breaks is opened again, and read on behind what has been handed out of it; if it
        was replaced meanwhile, from its start.

        Raises:
            FilesRefused, NoSuchFile: see `FlatFiles`.
            AnotherDay: it has no rows, or none of its day.
            AirbyteTracedException: it stayed broken (transient_error).
        """
        key = self._listed.key
        for pause in (*_PAUSES, None):
            try:
                opened = self._files.opened(key)
                yield None
                yield from self._of(opened)
            except BrokenFile as error:
                fault = str(error)
            except FileReplaced:
                fault = "it was replaced while it was read"
            else:
                return
            if pause is None:
                break
            LOGGER.warning("The flat file %s is broken: %s. Reading it again.", key, fault)
            time.sleep(pause)
        raise transient_error(
            f"The flat file {key} is broken: {fault}, even when read again. Nothing of it is taken "
            "for complete. Sync again later; if it stays so, tell the vendor."
        )

    def _of(self, opened: Opened) -> Iterator[Sequence[Row]]:
        if opened.etag != self.etag:
            self.etag, self._bytes, self._rows = opened.etag, 0, 0
        writer: LineWriter | None = None
        at, judged = 0, False
        for block in lines(opened.chunks()):
            if writer is None:
                header, _, block = block.partition(b"\n")
                at = len(header) + 1
                self._bytes = max(self._bytes, at)
                writer = self._writer(header, opened)
            if block and not judged:
                self._require_its_day(block, writer.layout)
                judged = True
            end = at + len(block)
            fresh = block[max(0, self._bytes - at) :]
            if fresh:
                records = writer.records(fresh, self._rows + 1)
                yield records
                self._rows += records.rows if isinstance(records, Messages) else fresh.count(b"\n")
                self._bytes = end
            at = end
        if writer is None:
            raise BrokenFile("it is empty")
        if not self._rows:
            raise AnotherDay("has no rows")

    def _writer(self, header: bytes, opened: Opened) -> LineWriter:
        layout = Layout.of(header, self._schema)
        self.unknown = layout.unknown(self._schema)
        facts = Facts(self._asset_class, self._listed.day, opened.modified, self._numbered)
        return LineWriter(layout, facts, self._wanted, self._around)

    def _require_its_day(self, block: bytes, layout: Layout) -> None:
        """Raise an error if none of a file's first rows is of its day, where that is sure.

        The vendor was seen to publish a day's file once more under the next day's name. A day
        is New York's or UTC's. Not sure are futures, whose sessions begin the evening before, and
        when the files of ticks of crypto and fx begin.

        Raises:
            AnotherDay: none of them is.
        """
        if self._asset_class not in _NEW_YORK_DAYS and (
            self._numbered or self._asset_class.startswith("futures")
        ):
            return
        day = self._listed.day
        first = datetime.combine(day, datetime.min.time(), timezone.utc).timestamp()
        after = datetime.combine(day + timedelta(days=1), datetime.min.time(), _NEW_YORK)
        rows = csv.reader(block.decode(errors="replace").splitlines())
        try:
            times = [row[layout.time] for row in rows if len(row) > layout.time]
            if not any(first <= int(each) / 1e9 < after.timestamp() for each in times):
                raise AnotherDay("has rows of another day and none of its own")
        except (csv.Error, ValueError):
            return  # what is wrong with the row is said when its turn comes

"""Where the files lie: the vendor's bucket, a mirror of it, or a directory in its layout.

ClickHouse reads them itself. This side lists what there is, and asks for one byte of a file before
it is read, because what S3 answers to a refusal is clearer than what ClickHouse makes of it.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final, NamedTuple, Protocol

from polygon_streaming.backfill.kinds import Dataset


class Found(NamedTuple):
    """A file that is there: its size in bytes, and a tag that changes when it is replaced."""

    size: int
    etag: str


class Source(Protocol):
    """Where files are."""

    def listed(self, dataset: Dataset, first: date, last: date) -> dict[date, Found]:
        """Return what there is of the days of a range.

        Raises:
            ConfigError: the place or the key is of no use.
            StreamError: it cannot be asked now.
        """

    def look(self, dataset: Dataset, day: date) -> Found:
        """Return the file of a day as it is now, and make sure that it may be read.

        Raises:
            NotThere, Refused, Broken: it cannot be.
            ConfigError, StreamError: as for `listed`.
        """

    def insert(
        self, client: Any, dataset: Dataset, day: date, into: str, columns: Mapping[str, str]
    ) -> None:
        """Have ClickHouse read a file.

        Args:
            client: of clickhouse-connect.
            dataset: whose.
            day: of the file.
            into: the table that gets the rows.
            columns: its columns, each with the SQL of the file's columns.
        """

    def count(self, client: Any, dataset: Dataset, day: date) -> int:
        """Have ClickHouse count the rows of a file."""


READING: Final = {
    # NULL in a column that takes none is a fault of the file and not a 0.
    "insert_null_as_default": 0,
    "input_format_null_as_default": 0,
    "input_format_with_names_use_header": 1,
    "input_format_skip_unknown_fields": 1,
    "input_format_csv_empty_as_default": 1,
    "input_format_allow_errors_num": 0,
    "max_partitions_per_insert_block": 0,
    "async_insert": 0,
    # A server that does not answer is given up after half a minute, and the day is tried again.
    "s3_retry_attempts": 8,
    "max_execution_time": 0,
}


def quoted(text: str) -> str:
    """Return a text as a literal of ClickHouse's SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def day_of(key: str, dataset: Dataset) -> date | None:
    """Return the day that a key of the dataset names; None if it is of another form."""
    try:
        day = date.fromisoformat(key.rpartition("/")[2].removesuffix(".csv.gz"))
    except ValueError:
        return None
    return day if dataset.key(day) == key else None


def insertion(into: str, columns: Mapping[str, str], table: str) -> str:
    """Return the statement that inserts what a table function reads."""
    return (
        f"INSERT INTO {into} ({', '.join(columns)}) SELECT {', '.join(columns.values())} "
        f"FROM {table}"
    )

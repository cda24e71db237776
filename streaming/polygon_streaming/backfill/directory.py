"""A directory with the vendor's layout."""

import gzip
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from polygon_streaming.backfill.kinds import Dataset
from polygon_streaming.backfill.outcomes import NotThere, Refused
from polygon_streaming.backfill.sources import READING, Found, day_of, insertion, quoted
from polygon_streaming.errors import ConfigError


class Directory:
    """A directory with the vendor's layout, on this machine.

    The embedded ClickHouse reads the files by itself; to a server they are sent as they are,
    packed.
    """

    def __init__(self, directory: Path, *, embedded: bool) -> None:
        """Prepare to look.

        Raises:
            ConfigError: there is no such directory.
        """
        if not directory.is_dir():
            raise ConfigError(f"directory: {directory} is not a directory.")
        self._directory = directory.resolve()
        self._embedded = embedded

    def listed(self, dataset: Dataset, first: date, last: date) -> dict[date, Found]:
        """See `Source`."""
        found = {}
        for path in (self._directory / dataset.folder).glob("*/*/*.csv.gz"):
            day = day_of(str(path.relative_to(self._directory)), dataset)
            if day is not None and first <= day <= last:
                with suppress(FileNotFoundError):  # taken away meanwhile, or a link to nowhere
                    found[day] = _of(path)
        return found

    def look(self, dataset: Dataset, day: date) -> Found:
        """See `Source`."""
        path = self._directory / dataset.key(day)
        try:
            with path.open("rb") as file:
                file.read(1)
            return _of(path)
        except FileNotFoundError:
            raise NotThere(f"{path} is not there.") from None
        except OSError as error:
            raise Refused(f"{path} cannot be read: {error.strerror}.") from None

    def insert(
        self, client: Any, dataset: Dataset, day: date, into: str, columns: Mapping[str, str]
    ) -> None:
        """See `Source`."""
        path = self._directory / dataset.key(day)
        if self._embedded:
            table = self._table(path, quoted(dataset.kind.structure))
            client.command(insertion(into, columns, table), settings=READING)
            return
        # What is inserted here is kept nowhere, but seen by the view, which writes into the table.
        landing, view = f"{into}_landing", f"{into}_view"
        made = ", ".join(f"{sql} AS its_{name}" for name, sql in columns.items())
        named = ", ".join(f"its_{name} AS {name}" for name in columns)
        try:
            client.command(f"CREATE TABLE {landing} ({dataset.kind.structure}) ENGINE = Null")
            client.command(
                f"CREATE MATERIALIZED VIEW {view} TO {into} AS "
                f"SELECT {named} FROM (SELECT {made} FROM {landing})"
            )
            with path.open("rb") as file:
                client.raw_insert(
                    landing,
                    insert_block=file,
                    fmt="CSVWithNames",
                    compression="gzip",
                    settings=READING,
                )
        finally:
            client.command(f"DROP VIEW IF EXISTS {view} SYNC")
            client.command(f"DROP TABLE IF EXISTS {landing} SYNC")

    def count(self, client: Any, dataset: Dataset, day: date) -> int:
        """See `Source`."""
        path = self._directory / dataset.key(day)
        if self._embedded:
            table = self._table(path, quoted(dataset.kind.structure))
            return int(client.command(f"SELECT count() FROM {table}"))
        with gzip.open(path, "rb") as file:
            return sum(1 for _ in file) - 1

    def _table(self, path: Path, structure: str) -> str:
        return f"file({quoted(str(path))}, 'CSVWithNames', {structure}, 'gzip')"


def _of(path: Path) -> Found:
    known = path.stat()
    return Found(known.st_size, f"{known.st_size}-{known.st_mtime_ns}")

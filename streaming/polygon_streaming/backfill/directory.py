"""A directory with the vendor's layout."""

import gzip
from datetime import date
from pathlib import Path
from typing import Any

from polygon_streaming.backfill.kinds import Dataset
from polygon_streaming.backfill.outcomes import NotThere, Refused
from polygon_streaming.backfill.sources import READING, Found, day_of, quoted
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

    def insert(self, client: Any, dataset: Dataset, day: date, into: str, columns: str) -> None:
        """See `Source`."""
        path = self._directory / dataset.key(day)
        structure = quoted(dataset.kind.structure)
        if self._embedded:
            query = f"INSERT INTO {into} SELECT {columns} FROM {self._table(path, structure)}"
            client.command(query, settings=READING)
            return
        # What stands before FORMAT is the client's to hand on: a table, or as here a query.
        target = f"{into} SELECT {columns} FROM input({structure})"
        with path.open("rb") as file:
            client.raw_insert(
                target,
                insert_block=file,
                fmt="CSVWithNames",
                compression="gzip",
                settings=READING,
            )

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

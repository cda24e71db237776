"""A day's file beside the table: read whole and looked at before a row of it can be seen.

The rows go into a table of their own with the shape of the real one. Only when the file was read to
its end, and is of its day, the parts are attached to the real table, at once: readers see none of
the day or all of it, and an end by kill -9 leaves nothing but the table of its own, which a later
run drops. Where the table has rows of the day already, only what it lacks, or has otherwise, is
attached; a row that is equal stays as the stream brought it.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, Final

from clickhouse_connect.driver.exceptions import ClickHouseError

from polygon_streaming.backfill import doubles
from polygon_streaming.backfill.differences import WALK, comparison
from polygon_streaming.backfill.doubles import Doubles
from polygon_streaming.backfill.faults import fault_of
from polygon_streaming.backfill.inspection import inspect_rows, within
from polygon_streaming.backfill.kinds import BARS, Dataset
from polygon_streaming.backfill.outcomes import Broken
from polygon_streaming.backfill.sources import Found, Source, quoted
from polygon_streaming.backfill.target import MARK, Target
from polygon_streaming.errors import StreamError

# A mutation names the rows of so many keys at a time, where it cannot name a table of them.
_KEYS: Final = 2_000
_INSERTING: Final = {
    "max_partitions_per_insert_block": 0,
    "async_insert": 0,
    "distributed_foreground_insert": 1,
}
# A rollup looks five minutes back from its last refresh.
_NEW_SECONDS: Final = 120


class Stage:
    """One day's file, read.

    Attributes:
        rows: in the file.
        doubles: those of them that have the key of another; one of each key is taken.
        found: the file that was read.
        differences: the table of what differs, once it is asked for.
    """

    def __init__(self, client: Any, dataset: Dataset, day: date, to: Target) -> None:
        self._client = client
        self._dataset = dataset
        self._day = day
        self._to = to
        self._name = f"{to.name}{MARK}{uuid.uuid4().hex[:12]}"
        self._span = self._own = ("", "")
        self.rows = 0
        self.doubles = Doubles(0, 0)
        self.found = Found(0, "")
        self.differences = ""

    def create(self, name: str) -> None:
        """Create a table of the real one's shape."""
        # An ordinary engine: others would drop what the file has twice, and the count with it.
        self._client.command(
            f"CREATE TABLE {name} AS {self._to.name} ENGINE = MergeTree {self._to.shape}"
        )

    def read(self, source: Source) -> None:
        """Have ClickHouse read the file, and look at what it read.

        Raises:
            Broken: it is not whole, not of its day, empty, or was replaced meanwhile.
            NotThere, Refused: it cannot be read.
            StreamError: ClickHouse refuses.
        """
        before = source.look(self._dataset, self._day)
        self.create(self._name)
        columns = {
            "event_type": quoted(self._dataset.channel),
            "market": quoted(self._dataset.market),
            "symbol": self._dataset.symbol(),
            **self._dataset.columns,
        }
        try:
            source.insert(self._client, self._dataset, self._day, self._name, columns)
        except ClickHouseError as error:
            raise fault_of(error) from None
        self.found = source.look(self._dataset, self._day)
        if self.found.etag != before.etag:
            raise Broken("the file was replaced while it was read. Run again.")
        seen = inspect_rows(self._client, self._dataset, self._day, self._name)
        self.rows, self._span, self._own = seen
        self._choose()

    @property
    def keys(self) -> int:
        """How many keys the file has."""
        return self.rows - self.doubles.rows

    def _choose(self) -> None:
        """Leave one row of each key."""
        client, kind = self._client, self._dataset.kind
        if not doubles.are_likely(client, kind, self._name):
            return
        unlike = doubles.unlike(client, kind, self._name)
        chosen = f"{self._name}_chosen"
        self.create(chosen)
        self._insert(chosen, doubles.choice(kind, self._name))
        keys = int(client.command(f"SELECT count() FROM {chosen}"))
        self.doubles = Doubles(self.rows - keys, unlike)
        self._client.command(f"DROP TABLE {self._name} SYNC")
        self._client.command(f"RENAME TABLE {chosen} TO {self._name}")

    @property
    def of_the_day(self) -> str:
        """What the file's rows and those of the stream have in common, as a condition."""
        return (
            f"market = {quoted(self._dataset.market)} "
            f"AND event_type = {quoted(self._dataset.channel)} "
            f"AND {within(self._dataset.kind.time, *self._span)}"
        )

    def table_is_empty(self) -> bool:
        """Tell whether the table has no rows of the day."""
        query = f"SELECT 1 FROM {self._to.name} WHERE {self.of_the_day} LIMIT 1"
        return not self._client.query(query).result_rows

    def compare(self) -> str:
        """Write down how table and file differ; return the name of the table that says so."""
        self.differences = f"{self._name}_differences"
        self._client.command(
            comparison(
                self._dataset.kind,
                self.differences,
                self._name,
                self._to.name,
                self.of_the_day,
                within("held.at", *self._own),
            ),
            settings=WALK,
        )
        return self.differences

    def publish(self) -> int:
        """Bring the file's rows into the table; return how many it lacked, or had otherwise."""
        if self.table_is_empty():
            self._attach(self._name)
            return self.keys
        if not self.differences:
            self.compare()
        wanted = f"SELECT count() FROM {self.differences} WHERE kind != 'extra'"
        if not int(self._client.command(wanted)):
            return 0
        patch = f"{self._name}_patch"
        self.create(patch)
        self._fill(patch)
        written = int(self._client.command(f"SELECT count() FROM {patch}"))
        self._attach(patch)
        return written

    def _fill(self, patch: str) -> None:
        """Fill a table with the rows to be written, each newer than the one that it replaces."""
        kind = self._dataset.kind
        columns = [
            row[0]
            for row in self._client.query(
                "SELECT name FROM system.columns WHERE database = currentDatabase() "
                f"AND table = {quoted(patch)} AND default_kind NOT IN ('MATERIALIZED', 'ALIAS')"
            ).result_rows
        ]
        given = {
            **{name: f"file.{name}" for name in columns},
            # Where the table has none, the file has none either.
            **{name: f"ifNull(held.{name}, file.{name})" for name in kind.kept},
            "ingested_at": "greatest(file.ingested_at, held.newest + INTERVAL 1 MILLISECOND)",
        }
        self._client.command(
            f"INSERT INTO {patch} ({', '.join(columns)}) "
            f"SELECT {', '.join(given[name] for name in columns)} FROM "
            f"(SELECT *, {kind.at} AS its_at, {kind.identity} AS its_id FROM {self._name}) AS file "
            f"INNER JOIN (SELECT * FROM {self.differences} WHERE kind != 'extra') AS held "
            "ON file.symbol = held.symbol AND file.its_at = held.at AND file.its_id = held.id",
            settings=_INSERTING,
        )

    def _insert(self, into: str, query: str) -> None:
        self._client.command(f"INSERT INTO {into} {query}", settings=_INSERTING)

    def _attach(self, name: str) -> None:
        if not self._to.takes_parts:
            # A table over several servers: each row finds its own.
            self._insert(self._to.name, f"SELECT * FROM {name}")
            return
        name = self._renewed(name)
        partitions = self._client.query(
            "SELECT DISTINCT partition_id FROM system.parts WHERE active "
            f"AND database = currentDatabase() AND table = {quoted(name)} ORDER BY partition_id"
        ).result_rows
        for (partition,) in partitions:
            self._client.command(
                f"ALTER TABLE {self._to.name} ATTACH PARTITION ID '{partition}' FROM {name}"
            )

    def _renewed(self, name: str) -> str:
        """Return a table with these rows that say they are new.

        Rollups of bars look for what was ingested in the last minutes, and would not see a bar that
        is attached later than that.
        """
        if self._dataset.kind is not BARS:
            return name
        age = f"SELECT dateDiff('second', min(ingested_at), now64(3)) FROM {name}"
        if int(self._client.command(age)) < _NEW_SECONDS:
            return name
        renewed = f"{self._name}_renewed"
        self.create(renewed)
        now = "greatest(now64(3), ingested_at) AS ingested_at"
        self._insert(renewed, f"SELECT * REPLACE ({now}) FROM {name}")
        return renewed

    def remove(self, *, only_healed: bool) -> int:
        """Remove from the table what the file does not have; return how many keys that are.

        Args:
            only_healed: leave what the stream brought.

        Raises:
            StreamError: the table is spread over several servers, which each have to be told.
        """
        if not self.differences:
            return 0
        which = "kind = 'extra'" + (" AND by_hand" if only_healed else "")
        count = int(self._client.command(f"SELECT count() FROM {self.differences} WHERE {which}"))
        if not count:
            return 0
        if not self._to.takes_parts:
            raise StreamError(
                f"{count:,} rows are not in the file, and cannot be removed through "
                f"{self._to.name}, which is over several servers. Delete them on each."
            )
        kind = self._dataset.kind
        key = f"(symbol, {kind.at}, {kind.identity})"
        for keys in self._keys(which, count):
            self._client.command(
                f"ALTER TABLE {self._to.name} DELETE WHERE {self.of_the_day} AND {key} IN ({keys})",
                settings={"mutations_sync": 2, "allow_nondeterministic_mutations": 1},
            )
        return count

    def _keys(self, which: str, count: int) -> Iterator[str]:
        """Return the keys as SQL: a query, or where other replicas execute it, the keys."""
        table = f"{self._to.database}.{self.differences}"
        if not self._to.engine.startswith("Replicated"):
            yield f"SELECT symbol, at, id FROM {table} WHERE {which}"
            return
        for first in range(0, count, _KEYS):
            rows = self._client.query(
                f"SELECT symbol, toString(at), id FROM {table} WHERE {which} "
                f"ORDER BY symbol, at, id LIMIT {_KEYS} OFFSET {first}"
            ).result_rows
            yield ", ".join(
                f"({quoted(symbol)}, toDateTime64('{at}', 3, 'UTC'), {number})"
                for symbol, at, number in rows
            )

    def drop(self) -> None:
        """Drop what was made on the way."""
        for name in ("_differences", "_patch", "_chosen", "_renewed", ""):
            self._client.command(f"DROP TABLE IF EXISTS {self._name}{name} SYNC")


@contextmanager
def staged(client: Any, dataset: Dataset, day: date, to: Target) -> Iterator[Stage]:
    """Return a stage that is dropped at the end, whatever happens."""
    stage = Stage(client, dataset, day, to)
    try:
        yield stage
    finally:
        stage.drop()

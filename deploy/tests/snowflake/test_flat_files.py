"""Flat files on Snowflake: the statements on fakesnow, over files of the sandbox.

fakesnow has no COPY by name, so that the test copies: the columns that the table has, and the
versions of files that were not copied before, as Snowflake's documentation says.
"""

import csv
import gzip
import io
import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone
from typing import Any

import fakesnow
import pandas as pd
import pytest
import snowflake.connector
import sqlglot
from polygon_sandbox import World
from polygon_sandbox.flat_files import FilesSize, FlatFiles
from snowflake.connector import pandas_tools
from sqlglot import exp

from deploy.tests.snowflake.landing import FOLDER, NO_OPERATION
from deploy.tests.snowflake.script import statements

DAY, NEXT = date(2026, 11, 18), date(2026, 11, 19)
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - Snowflake's NTZ, in UTC
_UNKNOWN = [*NO_OPERATION, r"\s*(USE WAREHOUSE|CREATE FILE FORMAT)\b"]

Row = dict[str, Any]


def key(dataset: str, day: date) -> str:
    return f"us_stocks_sip/{dataset}/{day:%Y/%m/%Y-%m-%d}.csv.gz"


@pytest.fixture
def files() -> FlatFiles:
    """Files of three stocks: bars of two days, the first trades of one."""
    world = World(stocks=3, delisted=0, otc=0, now="2026-11-20T17:00:00Z")
    files = FlatFiles(
        world, FilesSize(days=2, bars_from=time(9, 30), bar_minutes=20, tick_seconds=600)
    )
    lines = _text(files, key("trades_v1", DAY)).splitlines(keepends=True)
    files.put(key("trades_v1", DAY), gzip.compress("".join(lines[:200]).encode()))
    files.replace(key("trades_v1", NEXT), "missing")
    return files


def _text(files: FlatFiles, name: str) -> str:
    stored = files.get(name)
    assert stored is not None
    return gzip.decompress(stored.body).decode()


class Account:
    """A database with the tables of flat_files.sql, and a bucket to copy from."""

    def __init__(self, connection: Any, files: FlatFiles) -> None:
        self._connection, self._files = connection, files
        self._cursor = connection.cursor()
        self._copied: dict[tuple[str, str], str] = {}
        self.run("flat_files.sql")

    def run(self, script: str, *, until: str = "nothing", force: bool = False) -> None:
        """Run a script, up to the statement that begins with some words; then the session ends."""
        for statement in statements(FOLDER / script):
            if statement.startswith(until):
                self._cursor.execute("ROLLBACK")
                return
            if statement.startswith("COPY INTO"):
                self._copy(statement, force=force)
            else:
                self._cursor.execute(statement)

    def rows(self, query: str) -> list[Row]:
        """Return what a query finds, by lower-case column names."""
        self._cursor.execute(query)
        names = [column[0].lower() for column in self._cursor.description]
        return [dict(zip(names, row, strict=True)) for row in self._cursor.fetchall()]

    def _copy(self, statement: str, *, force: bool) -> None:
        copy = sqlglot.parse_one(statement, read="snowflake")
        assert isinstance(copy, exp.Copy)
        options = {p.this.name: p.sql("snowflake") for p in copy.args["params"]}
        assert options["MATCH_BY_COLUMN_NAME"].endswith("= CASE_INSENSITIVE")
        assert options["ON_ERROR"].endswith("= SKIP_FILE")
        assert "'POLYGON.FLAT_FILES.PACKED_CSV'" in options["FILE_FORMAT"]
        (pattern,) = re.findall(r"PATTERN = '(.*)'", statement)
        (prefix,) = re.findall(r"@POLYGON\.FLAT_FILES\.VENDOR/(\S+)", statement)
        given = dict(re.findall(r"(\w+) = METADATA\$(\w+)", statement))
        table = copy.this.name
        columns = [row["name"] for row in self.rows(f"DESCRIBE TABLE {table}")]
        for name in self._files.keys(prefix):
            stored = self._files.get(name)
            assert stored is not None
            if not re.fullmatch(pattern, name):
                continue
            if self._copied.get((table, name)) == stored.etag and not force:
                continue
            try:
                text = gzip.decompress(stored.body).decode()
            except EOFError:
                continue  # SKIP_FILE
            self._copied[table, name] = stored.etag
            frame = pd.DataFrame(
                [
                    {column.upper(): value or None for column, value in row.items()}
                    for row in csv.DictReader(io.StringIO(text))
                ]
            ).reindex(columns=columns)
            metadata: Row = {
                "FILENAME": name,
                "FILE_LAST_MODIFIED": stored.last_modified.replace(tzinfo=None),
                "FILE_ROW_NUMBER": range(1, len(frame) + 1),
            }
            for column, field in given.items():
                frame[column] = metadata[field]
            pandas_tools.write_pandas(self._connection, frame, table)


@pytest.fixture
def account(files: FlatFiles) -> Iterator[Account]:
    with fakesnow.patch(nop_regexes=_UNKNOWN):
        connection = snowflake.connector.connect(database="POLYGON", schema="FLAT_FILES")
        yield Account(connection, files)
        connection.close()


def _bars(files: FlatFiles, day: date) -> list[Row]:
    """Return the bars of a file as the table should have them."""
    text = _text(files, key("minute_aggs_v1", day))
    found = [
        {
            "file_date": day,
            "ticker": row["ticker"],
            "window_start": int(row["window_start"]),
            "window_start_utc": EPOCH + timedelta(seconds=int(row["window_start"]) // 10**9),
            **{name: float(row[name]) for name in ("open", "high", "low", "close", "volume")},
            "transactions": int(row["transactions"]),
        }
        for row in csv.DictReader(io.StringIO(text))
    ]
    assert len(found) > 20
    return sorted(found, key=lambda row: (row["ticker"], row["window_start"]))


def _held(account: Account, day: date) -> list[Row]:
    found = account.rows(
        f"SELECT * FROM MINUTE_BARS WHERE file_date = '{day}' ORDER BY ticker, window_start"
    )
    for row in found:
        del row["file_modified"]
        row.update({n: float(row[n]) for n in ("open", "high", "low", "close", "volume")})
    return found


def _states(account: Account) -> list[tuple[str, date, str]]:
    found = account.rows("SELECT * FROM ARRIVED_FILES ORDER BY dataset, file_date")
    return [(row["dataset"], row["file_date"], row["state"]) for row in found]


def test_the_script_holds_no_key_and_readers_see_what_was_loaded_alone() -> None:
    script = [" ".join(text.split()) for text in statements(FOLDER / "flat_files.sql")]
    (stage,) = [text for text in script if text.startswith("CREATE STAGE")]
    assert "(AWS_KEY_ID = 'ACCESS_KEY_ID' AWS_SECRET_KEY = 'SECRET_ACCESS_KEY')" in stage
    (form,) = [text for text in script if text.startswith("CREATE FILE FORMAT")]
    for option in ("GZIP", "PARSE_HEADER = TRUE", "FIELD_OPTIONALLY_ENCLOSED_BY = '\"'"):
        assert option in form
    granted = [
        re.sub(r".* ON \w+ (\S+) TO ROLE ", r"\1 ", text) for text in script if "GRANT" in text
    ]
    names = ("", ".MINUTE_BARS", ".TRADES", ".ARRIVED_FILES")
    assert granted == [f"POLYGON.FLAT_FILES{name} POLYGON_READER" for name in names]
    again = ("USE ", "GRANT ", "CREATE OR REPLACE VIEW ")
    assert all(text.startswith(again) or " IF NOT EXISTS " in text for text in script)


def test_the_tables_have_what_the_files_have_however_often_it_runs(
    account: Account, files: FlatFiles
) -> None:
    for _ in range(2):
        account.run("load_flat_files.sql")
        for day in (DAY, NEXT):
            assert _held(account, day) == _bars(files, day)
        assert _states(account) == []


def test_trades_keep_digits_and_conditions(account: Account, files: FlatFiles) -> None:
    account.run("load_flat_files.sql")
    rows = list(csv.DictReader(io.StringIO(_text(files, key("trades_v1", DAY)))))
    assert any("," in row["conditions"] for row in rows)
    held = account.rows(f"SELECT * FROM TRADES WHERE file_date = '{DAY}' ORDER BY file_row")
    assert len(held) == len(rows)
    for number, (row, kept) in enumerate(zip(rows, held, strict=True), 1):
        assert kept["file_row"] == number
        for name in ("ticker", "id", "conditions"):
            assert kept[name] == (row[name] or None)
        exact = ("sip_timestamp", "participant_timestamp", "trf_timestamp", "sequence_number")
        for name in (*exact, "exchange", "correction", "tape", "trf_id"):
            assert kept[name] == int(row[name])
        assert (float(kept["price"]), float(kept["size"])) == (
            float(row["price"]), float(row["size"])
        )  # fmt: skip
        # fakesnow's timestamps are of microseconds, through a float.
        at = EPOCH + timedelta(microseconds=int(row["sip_timestamp"]) // 1000)
        assert abs(kept["sip_timestamp_utc"] - at) <= timedelta(microseconds=1)


def test_a_replaced_file_replaces_its_day_and_no_other(account: Account, files: FlatFiles) -> None:
    account.run("load_flat_files.sql")
    files.world.advance("2026-11-20T18:00:00Z")
    files.replace(key("minute_aggs_v1", NEXT), "short")
    short = _bars(files, NEXT)
    account.run("load_flat_files.sql")
    assert _held(account, NEXT) == short
    assert _held(account, DAY) == _bars(files, DAY)
    files.world.advance("2026-11-20T19:00:00Z")
    files.replace(key("minute_aggs_v1", NEXT))
    account.run("load_flat_files.sql")
    assert _held(account, NEXT) == _bars(files, NEXT)
    assert len(_held(account, NEXT)) > len(short)


@pytest.mark.parametrize("until", ["DELETE FROM", "INSERT INTO", "COMMIT"])
def test_a_run_that_was_cut_off_is_made_up_for(
    account: Account, files: FlatFiles, until: str
) -> None:
    account.run("load_flat_files.sql", until=until)
    assert _held(account, DAY) == []
    files.world.advance("2026-11-20T18:00:00Z")
    files.replace(key("minute_aggs_v1", DAY))  # both versions have arrived now
    account.run("load_flat_files.sql")
    for day in (DAY, NEXT):
        assert _held(account, day) == _bars(files, day)
    assert _states(account) == []


def test_what_is_wrong_is_not_loaded_and_is_seen(account: Account, files: FlatFiles) -> None:
    account.run("load_flat_files.sql")
    before = _held(account, NEXT)
    files.world.advance("2026-11-20T18:00:00Z")
    files.replace(key("minute_aggs_v1", NEXT), "doubled")
    account.run("load_flat_files.sql")
    assert _held(account, NEXT) == before
    assert _states(account) == [("minute_bars", NEXT, "of another day")]
    files.world.advance("2026-11-20T19:00:00Z")
    files.replace(key("minute_aggs_v1", NEXT), "truncated")
    account.run("load_flat_files.sql")
    assert _held(account, NEXT) == before
    files.world.advance("2026-11-20T20:00:00Z")
    files.replace(key("minute_aggs_v1", NEXT))
    account.run("load_flat_files.sql")
    assert _held(account, NEXT) == _bars(files, NEXT)
    assert _states(account) == []


def test_a_forced_run_changes_nothing_and_one_on_top_of_a_cut_off_one_says_so(
    account: Account, files: FlatFiles
) -> None:
    account.run("load_flat_files.sql")
    account.run("load_flat_files.sql", force=True)
    assert _held(account, DAY) == _bars(files, DAY)
    account.run("load_flat_files.sql", until="BEGIN", force=True)
    account.run("load_flat_files.sql", force=True)
    assert _held(account, DAY) == _bars(files, DAY)
    assert _states(account) == [
        ("minute_bars", DAY, "read twice"),
        ("minute_bars", NEXT, "read twice"),
    ]


def test_columns_go_by_name_and_a_day_of_new_york_ends_after_midnight_in_utc(
    account: Account, files: FlatFiles
) -> None:
    last = int(datetime(2026, 11, 20, 0, 59, tzinfo=timezone.utc).timestamp()) * 10**9
    content = (
        "open,close,high,low,volume,window_start,surprise,ticker\n"
        f"1.5,2,3,1,123456789.123456,{last},7,A\n"
    )
    files.put(key("minute_aggs_v1", NEXT), gzip.compress(content.encode()))
    account.run("load_flat_files.sql")
    (row,) = account.rows(f"SELECT * FROM MINUTE_BARS WHERE file_date = '{NEXT}'")
    assert (row["ticker"], row["window_start"]) == ("A", last)
    assert row["window_start_utc"] == datetime(2026, 11, 20, 0, 59)  # noqa: DTZ001 - NTZ
    assert [str(row[name]) for name in ("open", "high", "low", "close", "volume")] == [
        "1.5000000000", "3.0000000000", "1.0000000000", "2.0000000000", "123456789.1234560000"
    ]  # fmt: skip
    assert row["transactions"] is None
    assert _states(account) == []

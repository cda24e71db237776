"""Backfill and mending, killed before each statement that changes something, and run again."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from polygon_streaming.backfill.run import Backfill
from polygon_streaming.backfill.verify import Verify
from polygon_streaming.settings import BackfillSettings, VerifySettings

from unit_tests.streaming.flat_files import BARS, bars_key, left_behind, write

# Two months in UTC: the day's last evening in New York is of the month after.
DAY = date(2025, 10, 31)
NOON = 1_761_926_400  # 16:00 UTC
_CHANGES = ("CREATE", "INSERT", "ALTER", "RENAME", "DROP")


class _KilledError(BaseException):
    """The process is gone: nothing catches this, and nothing that follows it is executed."""


class _Mortal:
    """A client of a process that is killed before it changes something for the n-th time."""

    def __init__(self, client: Any, changes: int) -> None:
        self._client = client
        self._left = changes

    def command(self, statement: str, *rest: Any, **settings: Any) -> Any:
        if statement.startswith(_CHANGES):
            self._left -= 1
        if self._left < 0:
            raise _KilledError
        return self._client.command(statement, *rest, **settings)

    def query(self, *rest: Any, **settings: Any) -> Any:
        if self._left < 0:
            raise _KilledError
        return self._client.query(*rest, **settings)

    def close(self) -> None:
        pass


def _backfill(client: Any, files: Path) -> None:
    given = {"start": DAY, "end": DAY, "directory": files, "clickhouse": "chdb:", "parallel": 1}
    backfill = Backfill(BackfillSettings.model_validate(given), lambda: client)
    for outcome in backfill.run(backfill.plan(client), Event()):
        assert outcome.state in ("loaded", "unchanged")


def _mend(client: Any, files: Path) -> None:
    given = {"day": str(DAY), "directory": files, "clickhouse": "chdb:", "mend": True}
    settings = VerifySettings.model_validate({**given, "most_extra": 1})
    list(Verify(settings, lambda: client).run())


@pytest.mark.parametrize("what", [_backfill, _mend])
def test_killed_before_any_change_and_run_again_the_table_has_the_file(
    client: Any, tmp_path: Path, what: Callable[[Any, Path], None]
) -> None:
    evening = NOON + 10 * 3600
    rows = [f"{name},{n},1,2,3,0.5,{at}000000000,1" for n, (name, at) in enumerate(
        [("A", NOON), ("A", NOON + 60), ("A", NOON + 60), ("B", NOON), ("B", evening)]
    )]  # fmt: skip
    write(tmp_path, bars_key(str(DAY)), BARS, rows)
    held = "SELECT symbol, toUnixTimestamp(window_start), volume FROM stock_aggregates FINAL"
    expected = [("A", NOON, 0), ("A", NOON + 60, 2), ("B", NOON, 3), ("B", evening, 4)]
    whole = False
    for changes in range(40):
        client.command("TRUNCATE TABLE stock_aggregates")
        client.command("DROP TABLE IF EXISTS flat_files")
        # One that is equal, one that is other, one that an earlier file had.
        client.command(
            "INSERT INTO stock_aggregates (event_type, market, symbol, window_start, window_end, "
            "open, high, low, close, volume, otc, received_at, healed) SELECT 'AM', 'stocks', "
            f"['A', 'B', 'C'][number + 1], {NOON} + 0, {NOON} + 60, 1, 3, 0.5, 2, 2 * number, "
            f"false, {NOON} + 60, true FROM numbers(3)"
        )
        try:
            what(_Mortal(client, changes), tmp_path)
            whole = True
        except _KilledError:
            pass
        what(_Mortal(client, 1_000), tmp_path)
        assert client.query(f"{held} ORDER BY ALL").result_rows == expected, changes
        assert left_behind(client) == []
        if whole:
            break
    assert whole
    assert changes > 8

"""A streamed day held against the vendor's file: each kind of difference; none after mending."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from polygon_sandbox import Plan, Sandbox
from polygon_streaming.backfill import report
from polygon_streaming.backfill.outcomes import Broken, NotThere, Refused
from polygon_streaming.backfill.verdict import Finding, Verdict, exit_status
from polygon_streaming.backfill.verify import NotPublished, Verify
from polygon_streaming.errors import ConfigError, StreamError
from polygon_streaming.settings import VerifySettings

from unit_tests.streaming.flat_files import BARS, Connect, bars_key, left_behind, run, write

DAY = "2025-11-20"
MINUTE = 60_000_000_000
OPENING = 1_763_649_000_000_000_000  # 14:30 UTC
TRADES = (
    "ticker,conditions,correction,exchange,id,participant_timestamp,price,sequence_number,"
    "sip_timestamp,size,tape,trf_id,trf_timestamp"
)
SYMBOLS = ("AAPL", "BRK.B", "MSFT")

FILE_BARS = (
    "SELECT symbol, window_start, open, high, low, close, volume FROM stock_aggregates FINAL "
    "WHERE market = 'stocks' AND event_type = 'AM' AND toDate(window_start) = '2025-11-20' "
    "ORDER BY symbol, window_start"
)
FILE_TRADES = (
    "SELECT symbol, sequence_number, price, toFloat64(size), ifNull(correction, 0) FROM trades "
    "FINAL ORDER BY symbol, sequence_number"
)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A day of ten minutes and three symbols, with six trades a symbol."""
    write(
        tmp_path, bars_key(DAY), BARS,
        [
            f"{symbol},{100 + n},10.5,10.75,11,10.25,{OPENING + n * MINUTE},7"
            for symbol in SYMBOLS
            for n in range(10)
        ],
    )  # fmt: skip
    write(
        tmp_path, bars_key(DAY).replace("minute_aggs_v1", "trades_v1"), TRADES,
        [
            f'{symbol},"12,37",{8 if n == 5 else 0},4,{n},{OPENING + n},10.5,{n},'
            f"{OPENING + n * 1_000_001},{n}.5,1,0,0"
            for symbol in SYMBOLS
            for n in range(6)
        ],
    )  # fmt: skip
    return tmp_path


def _stream_bars(client: Any, where: str = "true", change: str = "", healed: str = "false") -> None:
    """Insert what the stream would have brought of the day's bars."""
    client.command(
        "INSERT INTO stock_aggregates (event_type, market, symbol, window_start, window_end, open, "
        "high, low, close, vwap, volume, accumulated_volume, official_open, received_at, healed) "
        f"SELECT 'AM', 'stocks', symbol, "
        f"fromUnixTimestamp64Nano({OPENING} + n * {MINUTE}, 'UTC') AS window_start, "
        "window_start + 60 AS window_end, 10.5, 11, "
        f"10.25, 10.75, 10.6, 100 + n, 5000 + n, 10.4, window_end, {healed} "
        f"FROM (SELECT arrayJoin({list(SYMBOLS)}) AS symbol, arrayJoin(range(10)) AS n "
        f"WHERE {where}) {change}"
    )


def _verify(client: Any, files: Path | None, **settings: Any) -> list[Verdict]:
    given = {"day": DAY, "directory": files, "clickhouse": "chdb:", **settings}
    return list(Verify(VerifySettings.model_validate(given), lambda: client).run())


def _one_bar(symbol: str, n: int, close: float, **more: Any) -> str:
    columns = {"vwap": "10.6", "healed": "false", **more}
    return (
        "INSERT INTO stock_aggregates (event_type, market, symbol, window_start, window_end, open, "
        f"high, low, close, volume, received_at, {', '.join(columns)}) SELECT 'AM', 'stocks', "
        f"'{symbol}', fromUnixTimestamp64Nano({OPENING} + {n} * {MINUTE}, 'UTC') "
        f"AS window_start, window_start + 60 AS window_end, 10.5, 11, 10.25, "
        f"{close}, {100 + n}, window_end, "
        f"{', '.join(columns.values())}"
    )


def _a_bad_day(client: Any) -> None:
    _stream_bars(client, "NOT (symbol = 'AAPL' AND n IN (3, 4, 5))")  # a gap
    client.command(_one_bar("MSFT", 2, 10.99, ingested_at="now64(3) + 1"))  # before a late trade
    _stream_bars(client, "symbol = 'BRK.B' AND n < 4")  # twice
    client.command(_one_bar("BRK.B", 8, 10.7, ingested_at="now64(3) - 60"))  # corrected since
    client.command(_one_bar("GONE", 1, 10.75))  # taken back
    client.command(_one_bar("MSFT", 12, 10.75, healed="true"))  # likewise, of REST


def test_each_difference_is_told_by_symbol_minute_and_field(client: Any, files: Path) -> None:
    _a_bad_day(client)
    (verdict,) = _verify(client, files)
    told = (verdict.in_file, verdict.equal, verdict.other, verdict.missing, verdict.extra)
    assert told == (30, 26, 1, 3, 2)
    assert verdict.fields == {"close": 1}
    assert verdict.symbols == {
        "AAPL": {"missing": 3, "extra": 0, "other": 0},
        "MSFT": {"missing": 0, "extra": 1, "other": 1},
        "GONE": {"missing": 0, "extra": 1, "other": 0},
    }
    found = {(f.symbol, f.at[11:16]): f for f in verdict.findings}
    assert len(found) == 6
    assert found["MSFT", "14:32"] == Finding(
        "MSFT", "2025-11-20 14:32:00.000", "other", 0, {"close": (10.75, 10.99)}
    )
    assert found["AAPL", "14:33"].kind == "missing"
    assert found["AAPL", "14:33"].fields["volume"] == (103.0, None)
    assert found["GONE", "14:31"].kind == "extra"
    assert found["GONE", "14:31"].fields["volume"] == (None, 101.0)
    assert exit_status([verdict]) == 3
    assert left_behind(client) == []
    assert str(verdict) == (
        "2025-11-20  stocks bars: of 30 in the file 26 are equal (86.6667%), 1 other (1 in close), "
        "3 missing; 2 extra."
    )


def test_after_mending_the_table_equals_the_file(
    client: Any, connect: Connect, files: Path, tmp_path: Path
) -> None:
    _a_bad_day(client)
    run(connect, start=DAY, end=DAY, directory=files, table="by_file")
    expected = client.query(FILE_BARS.replace("stock_aggregates", "by_file")).result_rows
    client.command(_one_bar("AAPL", 3, 9.99, event_type_of="1").replace("event_type_of", "otc"))
    _stream_other_markets(client)
    (verdict,) = _verify(client, files, mend=True)
    assert verdict.mended
    assert exit_status([verdict]) == 0
    assert client.query(FILE_BARS).result_rows == expected
    assert client.command("SELECT count() FROM stock_aggregates WHERE symbol = 'OTHER'") == 3
    kept = (
        "SELECT vwap, accumulated_volume, official_open, otc, healed FROM stock_aggregates FINAL "
        "WHERE market = 'stocks' AND event_type = 'AM' AND symbol = '{}' AND window_start = "
        "'2025-11-20 {}'"
    )
    equal = client.query(kept.format("BRK.B", "14:30:00")).result_rows
    assert equal == [(10.6, 5000, 10.4, False, False)], "an equal bar stays as it was"
    mended = client.query(kept.format("MSFT", "14:32:00")).result_rows
    assert mended == [(None, None, None, False, True)], "what counts its trades is not true of it"
    over_the_counter = client.query(kept.format("AAPL", "14:33:00")).result_rows
    assert over_the_counter == [(None, None, None, True, True)]
    (again,) = _verify(client, files)
    assert again.is_equal
    assert exit_status([again]) == 0
    assert left_behind(client) == []


def _stream_other_markets(client: Any) -> None:
    """Rows that are none of the file's business."""
    for change in (
        ("'AM'", "'A'"),
        ("'stocks'", "'options'"),
        (f"{OPENING}", f"{OPENING - 10**15}"),
    ):
        client.command(_one_bar("OTHER", 0, 1).replace(*change))


def test_trades_are_held_against_their_file_too(client: Any, connect: Connect, files: Path) -> None:
    run(connect, start=DAY, end=DAY, directory=files, data="trades", trades_table="by_file")
    client.command(
        "INSERT INTO trades (event_type, market, symbol, timestamp, sequence_number, trade_id, "
        "price, size, conditions, exchange, tape, received_at, healed) SELECT 'T', 'stocks', "
        "symbol, fromUnixTimestamp64Milli(toInt64(toUnixTimestamp64Milli(timestamp)), 'UTC'), "
        "sequence_number, trade_id, if(symbol = 'MSFT' AND sequence_number = 1, 10.51, price), "
        "size, conditions, exchange, tape, now64(3), false FROM by_file "
        "WHERE NOT (symbol = 'AAPL' AND sequence_number = 2)"
    )
    client.command("INSERT INTO trades SELECT * REPLACE(99 AS sequence_number) FROM trades LIMIT 1")
    (verdict,) = _verify(client, files, data="trades", mend=True)
    # The last trade of each symbol was corrected in the file.
    told = (verdict.in_file, verdict.equal, verdict.other, verdict.missing, verdict.extra)
    assert told == (18, 13, 4, 1, 1)
    assert verdict.fields == {"correction": 3, "price": 1}
    held = client.query(FILE_TRADES).result_rows
    assert held == client.query(FILE_TRADES.replace("trades", "by_file")).result_rows
    (again,) = _verify(client, files, data="trades")
    assert again.is_equal


def test_a_file_that_may_be_short_mends_nothing(client: Any, files: Path) -> None:
    _stream_bars(client)
    write(files, bars_key(DAY), BARS, [f"AAPL,100,10.5,10.75,11,10.25,{OPENING},7"])
    given = {"day": DAY, "directory": files, "clickhouse": "chdb:", "mend": True}
    verdicts = Verify(VerifySettings.model_validate(given), lambda: client).run()
    verdict = next(verdicts)
    assert (verdict.extra, verdict.mended, exit_status([verdict])) == (29, False, 3)
    assert verdict.unmended.startswith("Nothing is mended: 97% of the table's rows are not in")
    assert "Nothing is mended: 97% of" in report.page([verdict])
    with pytest.raises(StreamError, match="stocks bars of 2025-11-20: Nothing is mended: 97% of"):
        next(verdicts)
    assert client.command("SELECT count() FROM stock_aggregates") == 30
    (verdict,) = _verify(client, files, mend=True, most_extra=1)
    assert verdict.extra == 29
    assert client.command("SELECT count() FROM stock_aggregates FINAL") == 1


def test_what_ends_one_kind_of_data_ends_no_other(client: Any, files: Path) -> None:
    _stream_bars(client)
    trades = bars_key(DAY).replace("minute_aggs_v1", "trades_v1")
    (files / trades).write_bytes((files / trades).read_bytes()[:40])
    given = {"day": DAY, "directory": files, "clickhouse": "chdb:", "data": "trades,bars"}
    verdicts = Verify(VerifySettings.model_validate(given), lambda: client).run()
    assert next(verdicts).dataset == "stocks bars"
    with pytest.raises(Broken, match="stocks trades of 2025-11-20: the file cannot be read"):
        next(verdicts)


def test_a_row_that_is_in_the_file_twice_is_taken_by_value(
    client: Any, connect: Connect, files: Path
) -> None:
    rows = [f"AAPL,{100 + n},10.5,{10 + n},20,10,{OPENING},7" for n in (2, 0, 3, 1)]
    rows += [f"MSFT,5,10.5,11,12,10,{OPENING},7"] * 2
    held = "SELECT symbol, close, volume FROM stock_aggregates FINAL ORDER BY symbol"
    for turn in (rows, rows[::-1]):  # which is the first must not matter
        write(files, bars_key(DAY), BARS, turn)
        (outcome,) = run(connect, start=DAY, end=DAY, directory=files)
        assert outcome.rows == 6
        assert outcome.doubles == (
            "4 with the key of another row, 1 of the keys with different values: "
            "the greatest volume taken"
        )
        assert outcome.doubles in str(outcome)
        assert client.query(held).result_rows == [("AAPL", 13, 103), ("MSFT", 11, 5)]
        (verdict,) = _verify(client, files)
        assert (verdict.in_file, verdict.equal, verdict.is_equal) == (2, 2, True)
        assert f"In the file: {outcome.doubles}." in str(verdict)
        assert outcome.doubles in report.page([verdict])
        client.command("OPTIMIZE TABLE stock_aggregates FINAL")
    client.command("TRUNCATE TABLE stock_aggregates")
    (verdict,) = _verify(client, files, mend=True)
    assert verdict.missing == 2
    assert client.query(held).result_rows == [("AAPL", 13, 103), ("MSFT", 11, 5)]
    assert left_behind(client) == []


def test_a_day_that_was_not_streamed_is_filled(client: Any, files: Path) -> None:
    (verdict,) = _verify(client, files, mend=True)
    assert (verdict.missing, verdict.equal) == (30, 0)
    assert client.command("SELECT count() FROM stock_aggregates") == 30


def test_why_a_day_cannot_be_verified(
    client: Any, sandbox: Sandbox, given: dict[str, Any], clock: Callable[[str], None]
) -> None:
    def refused(day: str, kind: type[StreamError], words: str, **more: Any) -> None:
        with pytest.raises(kind, match=words) as caught:
            _verify(client, None, **{**given, "day": day, **more})
        assert caught.value.exit_status == {NotPublished: 4, Refused: 2, ConfigError: 2}.get(
            kind, 1
        )

    refused("2026-11-21", ConfigError, "2026-11-21 is not a trading day of stocks")
    refused("2026-11-19", ConfigError, "neither sequence", markets="options", data="trades")
    refused("2026-02-30", ConfigError, "is not a day")
    sandbox.flat_files.replace(bars_key("2026-11-19"), "missing")
    refused("2026-11-19", NotThere, "a trading day without a file")
    sandbox.flat_files.replace(bars_key("2026-11-19"), "truncated")
    refused("2026-11-19", Broken, "stocks bars of 2026-11-19: the file cannot be read to its end")
    sandbox.plan = Plan(markets=frozenset({"crypto"}))
    refused("2026-11-18", Refused, "the plan does not include it")
    sandbox.plan = Plan.unlimited()
    clock("2026-11-23T15:00:00Z")
    refused("2026-11-23", NotPublished, "is not published yet")


def test_yesterday_is_the_last_trading_day(
    client: Any, sandbox: Sandbox, given: dict[str, Any]
) -> None:
    (verdict,) = _verify(client, None, **{**given, "day": "yesterday"})
    assert verdict.day == date(2026, 11, 20)


def test_findings_for_machines_and_for_people(client: Any, files: Path, tmp_path: Path) -> None:
    _a_bad_day(client)
    client.command(_one_bar("<b>", 3, 1))
    given = VerifySettings.model_validate(
        {
            "day": DAY,
            "json_file": tmp_path / "v.json",
            "html": tmp_path / "v.html",
            "metrics_file": tmp_path / "v.prom",
        }
    )
    report.write(given, _verify(client, files))
    (told,) = json.loads((tmp_path / "v.json").read_text())
    assert (told["day"], told["missing"], told["is_equal"]) == (DAY, 3, False)
    assert told["findings"][1]["fields"]["close"] == [10.75, None]
    page = (tmp_path / "v.html").read_text()
    assert "close 10.75 → 10.99" in page
    assert "<td>&lt;b&gt;</td>" in page
    assert "http" not in page
    assert "<script" not in page
    assert "prefers-color-scheme:dark" in page
    lines = (tmp_path / "v.prom").read_text().splitlines()
    assert 'polygon_verify_rows{data="bars",market="stocks",state="missing"} 3.0' in lines
    assert 'polygon_verify_rows{data="bars",market="stocks",state="equal"} 26.0' in lines
    start = 'polygon_verify_day_timestamp_seconds{data="bars",market="stocks"} '
    assert start + "1.7635968e+09" in lines


def test_figures_of_what_could_not_be_verified_stay_those_of_the_last_run(tmp_path: Path) -> None:
    path = tmp_path / "v.prom"
    old = "polygon_verify_timestamp_seconds"
    path.write_text(
        f'# TYPE {old} gauge\n{old}{{data="trades",market="stocks"}} 17.0\n'
        f'{old}{{data="quotes",market="stocks"}} 16.0\n'
    )
    given = {"day": DAY, "metrics_file": path, "data": "bars,trades"}
    verdict = Verdict("stocks bars", "stocks", "bars", date(2025, 11, 20))
    report.write(VerifySettings.model_validate(given), [verdict])
    lines = path.read_text().splitlines()
    assert f'{old}{{data="trades",market="stocks"}} 17.0' in lines
    (ours,) = [line for line in lines if line.startswith(f'{old}{{data="bars"')]
    assert float(ours.split()[1]) > 1e9
    assert f'{old}{{data="quotes",market="stocks"}} 16.0' not in lines, "not asked for any more"


def test_a_page_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    given = VerifySettings.model_validate({"day": DAY, "html": tmp_path / "none" / "v.html"})
    with pytest.raises(ConfigError, match="cannot be written: No such file"):
        report.write(given, [])

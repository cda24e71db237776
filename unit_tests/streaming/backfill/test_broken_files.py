"""A file that is no good, of whatever kind: told as broken, and the table stays as it was."""

import gzip
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from polygon_sandbox import Sandbox

from unit_tests.streaming.flat_files import (
    BARS,
    Connect,
    bars_key,
    left_behind,
    run,
    write,
)

THURSDAY, FRIDAY = "2026-11-19", "2026-11-20"


@pytest.mark.parametrize(
    ("defect", "state", "words"),
    [
        ("truncated", "broken", "the file cannot be read to its end: "),
        ("doubled", "broken", "9 of 9 rows are of another day than the file's name says"),
        ("missing", "missing", "a trading day without a file"),
    ],
)
def test_a_file_that_is_no_good_leaves_the_table_as_it_was(
    client: Any, connect: Connect, sandbox: Sandbox, given: dict[str, Any],
    defect: Any, state: str, words: str,
) -> None:  # fmt: skip
    sandbox.flat_files.replace(bars_key(FRIDAY), defect)
    good, bad = run(connect, **given, start=THURSDAY, end=FRIDAY)
    assert (good.state, bad.state) == ("loaded", state)
    assert words in bad.words
    days = client.query("SELECT DISTINCT toDate(window_start) FROM stock_aggregates").result_rows
    assert days == [(date.fromisoformat(THURSDAY),)]
    assert left_behind(client) == []
    sandbox.flat_files.replace(bars_key(FRIDAY))
    assert [o.state for o in run(connect, **given, start=THURSDAY, end=FRIDAY)] == [
        "unchanged", "loaded",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("header", "rows", "words"),
    [
        (BARS.replace("close", "last"), ["AAPL,1,1,1,1,1,1763650800000000000,1"], "NULL"),
        (BARS.replace("ticker", "symbol"), ["AAPL,1,1,1,1,1,1763650800000000000,1"], "no ticker"),
        (BARS, ["AAPL,1,1,x,1,1,1763650800000000000,1"], "cannot be read to its end"),
        (BARS, ["AAPL,1,1,1,1"], "cannot be read to its end"),
        (BARS, [], "the file has no rows"),
        (BARS, ["AAPL,1,1,NaN,1,1,1763650800000000000,1"], "1 rows have NaN or an infinite number"),
        (BARS.replace("volume", "vol"), ["AAPL,1,1,1,1,1,1763650800000000000,1"], "volume"),
        (BARS, ["A\udcff,1,1,1,1,1,1763650800000000000,1"], "one that is not text"),
    ],
)
def test_a_file_of_another_form_is_broken(
    client: Any, connect: Connect, tmp_path: Path, header: str, rows: list[str], words: str
) -> None:
    write(tmp_path, bars_key("2025-11-20"), header, rows)
    (outcome,) = run(connect, start="2025-11-20", end="2025-11-20", directory=tmp_path)
    assert outcome.state == "broken"
    assert words in outcome.words
    assert client.command("SELECT count() FROM stock_aggregates") == 0


ROW = {
    "ticker": "AAPL", "conditions": '"12,37"', "correction": "0", "exchange": "4", "id": "1",
    "participant_timestamp": "1", "price": "10.5", "sequence_number": "7",
    "sip_timestamp": "1763650800000000000", "size": "100", "tape": "1", "trf_id": "",
    "trf_timestamp": "0",
}  # fmt: skip


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("exchange", f"{2**32 + 5}"),
        ("correction", f"{2**128 + 1}"),
        ("sequence_number", f"{2**63}"),
        ("sip_timestamp", f"{2**64 + 1763650800000000000}"),
        ("trf_timestamp", "1e3"),
        ("tape", "-1"),
        ("trf_id", "1.5"),
        ("conditions", f"{2**32 + 12}"),
    ],
)
def test_a_whole_number_that_no_column_holds_is_named_with_its_symbol(
    client: Any, connect: Connect, tmp_path: Path, column: str, value: str
) -> None:
    row = ",".join({**ROW, column: value}.values())
    key = bars_key("2025-11-20").replace("minute_aggs_v1", "trades_v1")
    write(tmp_path, key, ",".join(ROW), [",".join(ROW.values()), row])
    span = {"start": "2025-11-20", "end": "2025-11-20", "directory": tmp_path, "data": "trades"}
    (outcome,) = run(connect, **span)
    assert outcome.state == "broken"
    assert outcome.words.endswith(
        f"Cannot parse string '{column} {value} of AAPL' as "
        + ("Int64" if column.endswith(("_timestamp", "_number")) else "UInt32")
    )
    assert client.command("SELECT count() FROM trades") == 0


def test_a_bar_between_two_milliseconds_is_named_with_its_symbol(
    client: Any, connect: Connect, tmp_path: Path
) -> None:
    write(tmp_path, bars_key("2025-11-20"), BARS, ["AAPL,1,1,1,1,1,1763650800000000001,1"])
    (outcome,) = run(connect, start="2025-11-20", end="2025-11-20", directory=tmp_path)
    assert (outcome.state, client.command("SELECT count() FROM stock_aggregates")) == ("broken", 0)
    assert "'window_start 1763650800000000001 of AAPL'" in outcome.words


def test_a_file_that_ends_within_a_row_is_broken_and_no_other(
    client: Any, connect: Connect, tmp_path: Path
) -> None:
    row = "AAPL,1,1,1,1,1,{},1"
    cut = write(tmp_path, bars_key("2025-11-19"), BARS, [row.format(1763564400000000000)])
    cut.write_bytes(gzip.compress(gzip.decompress(cut.read_bytes())[:-9]))
    write(tmp_path, bars_key("2025-11-20"), BARS, [row.format(1763650800000000000)])
    done = run(connect, start="2025-11-19", end="2025-11-20", directory=tmp_path)
    assert [outcome.state for outcome in done] == ["broken", "loaded"]
    assert "cannot be read to its end" in done[0].words


def test_trades_of_stocks_without_their_sequence_numbers_are_not_taken(
    client: Any, connect: Connect, tmp_path: Path
) -> None:
    key = bars_key("2025-11-20").replace("minute_aggs_v1", "trades_v1")
    write(
        tmp_path, key, "ticker,id,price,seq,sip_timestamp,size", ["A,1,1,7,1763650800000000000,1"]
    )
    (outcome,) = run(
        connect, start="2025-11-20", end="2025-11-20", directory=tmp_path, data="trades"
    )
    assert (outcome.state, client.command("SELECT count() FROM trades")) == ("broken", 0)
    assert "no row has a sequence_number" in outcome.words


def test_a_file_of_no_bytes_in_a_bucket_is_broken(
    client: Any, connect: Connect, sandbox: Sandbox, given: dict[str, Any]
) -> None:
    sandbox.flat_files.put(bars_key(FRIDAY), b"")
    (outcome,) = run(connect, **given, start=FRIDAY, end=FRIDAY)
    assert (outcome.state, outcome.words) == ("broken", "the file is empty.")

"""Only the rows of some symbols, out of flat files that have all."""

import json
from collections.abc import Iterator

from polygon_sandbox.flat_files import FlatFiles
from source_polygon.streams.flat.symbols import is_one_of

from unit_tests.connector.flat.bucket import FlatSyncs, in_the_bucket
from unit_tests.connector.syncing import Output, Row


def test_only_symbols_are_picked_out_of_what_is_read(syncs: FlatSyncs, files: FlatFiles) -> None:
    flat = {"asset_classes": ["stocks", "crypto", "fx"], "only_symbols": True}

    def read(*symbols: str) -> tuple[set[str], Output]:
        output = syncs.read("flat_minute_bars", flat=flat, symbols=list(symbols))
        return {row["ticker"] for row in output.records("flat_minute_bars")}, output

    tickers, output = read("A", "X:B*", "ZZZZ")
    assert len(tickers) == 2
    assert tickers < {row["ticker"] for row in _all_rows(files)}
    assert {name[:3] for name in tickers} == {"A", "X:B"}
    assert "none of the symbols is one of fx" in output.text
    assert read("X:B*", "ZZZZ", "A")[0] == set(), "the same in another order"
    tickers, output = read("X:B*", "A*")
    assert {name for name in tickers if name[:1] == "A"} == {"A", "AA"}
    assert not any(name[:2] == "X:" for name in tickers), "crypto's are still the same"


def _all_rows(files: FlatFiles) -> Iterator[Row]:
    for asset_class in ("stocks", "crypto"):
        yield from map(json.loads, in_the_bucket(files, "flat_minute_bars", asset_class))


def test_pairs_are_found_as_files_and_as_rest_write_them() -> None:
    wanted = is_one_of(["X:BTCUSD", "C:EUR-USD", "BRK.*"])
    assert all(map(wanted, ["X:BTC-USD", "X:BTCUSD", "C:EUR-USD", "BRK.A", "BRK.B"]))
    assert not any(map(wanted, ["X:BTC-EUR", "BTC-USD", "BRK", "BRKxA", "ABRK.A", "C:EURUSDT"]))

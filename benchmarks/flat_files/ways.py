"""Ways to turn a flat file into JSON lines, or only to read it: `python ways.py WAY FILE`.

Each at its best: whole numbers stay whole, no column is guessed that is known, prices may stay the
texts that they are where the way allows it. JSON lines go to stdout.
"""

import csv
import gzip
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

_CHUNK = 200_000
_WHOLE = {
    *("window_start", "transactions", "participant_timestamp", "sip_timestamp", "trf_timestamp"),
    *("sequence_number", "id", "trf_id", "tape", "exchange", "ask_exchange", "bid_exchange"),
    *("ask_size", "bid_size", "correction"),
}
_TEXTS = {"ticker", "conditions", "indicators"}


def csv_json(path: str) -> Iterator[str]:
    """The loop that everyone writes first."""
    with gzip.open(path, "rt", newline="") as lines:
        reader = csv.reader(lines)
        header = next(reader)
        kinds: list[Callable[[str], object]] = [_kind(name) for name in header]
        for row in reader:
            record = {name: kind(text) for name, kind, text in zip(header, kinds, row, strict=True)}
            yield json.dumps(record, separators=(",", ":"))


def pandas(path: str) -> Iterator[str]:
    """read_csv by chunks; to_json."""
    import pandas as pd

    types = {name: "Int64" if name in _WHOLE else "string" for name in _header(path)}
    types |= {name: "float64" for name in types if name not in _WHOLE | _TEXTS}
    for chunk in pd.read_csv(path, dtype=types, chunksize=_CHUNK):
        yield chunk.to_json(orient="records", lines=True).rstrip("\n")


def duckdb(path: str) -> Iterator[str]:
    """COPY, CSV to JSON."""
    import duckdb

    types = {name: "BIGINT" if name in _WHOLE else "DOUBLE" for name in _header(path)}
    types |= {name: "VARCHAR" for name in types if name in _TEXTS}
    duckdb.execute(
        f"COPY (FROM read_csv('{path}', header = true, columns = {types})) "
        "TO '/dev/stdout' (FORMAT json)"
    )
    return iter(())


def polars(path: str) -> Iterator[str]:
    """scan_csv to sink_ndjson, streaming."""
    import polars as pl

    types: dict[str, type[pl.DataType]]
    types = {name: pl.Int64 if name in _WHOLE else pl.Float64 for name in _header(path)}
    types |= {name: pl.String for name in types if name in _TEXTS}
    pl.scan_csv(path, schema=types).sink_ndjson(sys.stdout.buffer)
    return iter(())


def speedup_fields(path: str) -> Iterator[str]:
    """massive-speedup: rows as tuples of bytes. No JSON, only a line a row."""
    import massive_speedup

    stock = massive_speedup.FlatFiles.Stock
    rows = stock.Trade if "sip_timestamp,size" in ",".join(_header(path)) else stock.Quote
    for _ in rows.parse_raw(path):
        yield ""


def speedup_objects(path: str) -> Iterator[str]:
    """massive-speedup: rows as objects of numbers. No JSON, only a line a row."""
    import massive_speedup

    stock = massive_speedup.FlatFiles.Stock
    rows = stock.Trade if "sip_timestamp,size" in ",".join(_header(path)) else stock.Quote
    for _ in rows.parse(path):
        yield ""


def _header(path: str) -> list[str]:
    with gzip.open(path, "rt") as lines:
        return next(lines).strip().split(",")


def _kind(name: str) -> Callable[[str], object]:
    if name in _WHOLE:
        return lambda text: int(text) if text else None
    return str if name in _TEXTS else float


def main() -> None:
    """Write what the way of that name makes of the file."""
    way, path = sys.argv[1:]
    for line in globals()[way](str(Path(path).resolve())):
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()

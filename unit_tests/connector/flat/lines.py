"""Lines of flat files, what reads them, and what the records are as they are printed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timezone
from typing import Any

from source_polygon.rows import Row
from source_polygon.streams.flat.by_row import Facts
from source_polygon.streams.flat.layout import Layout
from source_polygon.streams.flat.writer import LineWriter
from source_polygon.vendor.cut import Cut
from source_polygon.vendor.lines import Lines, Messages

NUMBER, WHOLE, TEXT, LIST = (
    {"type": ["null", name]} for name in ("number", "integer", "string", "array")
)
SCHEMA: dict[str, Any] = {
    "properties": {
        **dict.fromkeys(["ticker", "id"], TEXT),
        **dict.fromkeys(["open", "close", "price", "size", "volume"], NUMBER),
        **dict.fromkeys(["window_start", "sip_timestamp", "exchange", "transactions"], WHOLE),
        "conditions": LIST,
    }
}
BARS = "ticker,volume,open,close,window_start,transactions"
TRADES = "ticker,conditions,exchange,id,price,sip_timestamp,size,venue"
START = 1_795_521_600  # 2026-11-24 12:00 UTC, in seconds
NANO = 1_795_521_600_123_456_789
FACTS = Facts(
    "stocks", date(2026, 11, 24), datetime(2026, 11, 25, 16, 0, 5, tzinfo=timezone.utc), True
)
BEFORE, AFTER = (
    b'{"type":"RECORD","record":{"stream":"a","data":',
    b',"emitted_at":1795521600000}}\n',
)


def writer(
    header: str, *, numbered: bool = True, wanted: Callable[[str], bool] | None = None
) -> LineWriter:
    layout = Layout.of(header.encode(), SCHEMA)
    return LineWriter(layout, replace(FACTS, numbered=numbered), wanted, lambda: (BEFORE, AFTER))


def texts(records: Sequence[Row]) -> list[bytes]:
    """Return the JSON of each record, as it is printed."""
    if isinstance(records, Messages):
        assert records.text.count(b"\n") == len(records)
        return [
            line.removeprefix(BEFORE).removesuffix(AFTER)
            for line in bytes(records.text).splitlines(keepends=True)
        ]
    if isinstance(records, Lines):
        return records.printed(b"", b"\n").splitlines()
    assert isinstance(records, Cut)
    return [bytes(row) for row in records.rows]

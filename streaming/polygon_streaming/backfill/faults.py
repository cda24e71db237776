"""What it means that ClickHouse could not read a file: by the codes of its errors."""

from typing import Final

from clickhouse_connect.driver.exceptions import ClickHouseError

from polygon_streaming.backfill.outcomes import Broken, NotThere, Refused
from polygon_streaming.errors import StreamError
from polygon_streaming.sink import clickhouse

# Codes of what is wrong with a file, rather than with ClickHouse: not to be parsed, not to be
# unpacked, ending within a row, NULL where there has to be a value, an incorrect number.
_OF_THE_FILE: Final = frozenset(
    {6, 26, 27, 32, 33, 38, 41, 69, 70, 72, 117, 131, 349, 354, 469, 636}
)
# And of what lies between ClickHouse and the file, which this side has just been given a byte of:
# DNS, sockets, an answer that breaks off, S3.
_OF_THE_WAY: Final = frozenset({86, 198, 209, 210, 499, 1000})


def fault_of(error: ClickHouseError) -> StreamError:
    """Return what ClickHouse's error says of the file, the way to it, or ClickHouse itself."""
    words = clickhouse.in_short(error)
    code = getattr(error, "code", None)
    if code in _OF_THE_FILE:
        told = words.partition(": syntax error at ")[0]
        return Broken(f"the file cannot be read to its end: {told}")
    if code not in _OF_THE_WAY:
        return clickhouse.refusal(error)
    if "response code: 404" in words:
        return NotThere("the file is gone.")
    if "response code: 403" in words:
        return Refused(
            f"ClickHouse may not read it: {words}. With a named collection, look at its key."
        )
    return StreamError(f"ClickHouse cannot read it now: {words}")

"""Rows of a grouped daily answer as records, each bar judged on the way."""

import logging
from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_polygon.engine.output import Leaving
from source_polygon.errors import system_error
from source_polygon.rows import Row, without_nulls
from source_polygon.streams.bar_time import stamp_of_end
from source_polygon.streams.bars_as_written import as_written
from source_polygon.vendor.answers import Data
from source_polygon.vendor.cut import Cut

LOGGER = logging.getLogger("airbyte")

_NAMED: Final = 5


def grouped_bars(answer: Data, market: str, day: date) -> Iterator[Leaving]:
    """Return the records of a grouped daily response, in the vendor's order.

    What the vendor leaves out, vwap or transactions, is left out.
    A symbol that comes twice (seen for BAUG in June 2021) is emitted once, as it came last.

    Args:
        answer: what the vendor answered.
        market: stocks, crypto or fx.
        day: the session that was asked for.

    Raises:
        AirbyteTracedException: a bar lacks one of the fields that the vendor documents as always
            there, or its end is not in Unix milliseconds (system_error).
    """
    adjusted = bool(answer.envelope.get("adjusted"))
    if isinstance(answer.rows, Cut):
        written = as_written(answer.rows, market, day, adjusted=adjusted)
        if written is not None:
            yield written
            return
    yield from _bar_by_bar(list(answer.rows), market, day, adjusted=adjusted)


def _bar_by_bar(rows: list[Any], market: str, day: date, *, adjusted: bool) -> Iterator[Row]:
    session = day.isoformat()
    stamps: dict[int, str] = {}
    bar: Any = None
    try:
        for bar in _once_each(rows, market, day):
            end = bar["t"]
            # Nearly all bars of a session end at one time. True would be found as 1, and 1.0 too.
            stamp = stamps.get(end) if type(end) is int else None
            if stamp is None:
                stamp = stamps[end] = stamp_of_end(end, day)
            row = {
                "market": market,
                "date": session,
                "ticker": bar["T"],
                "open": bar["o"],
                "high": bar["h"],
                "low": bar["l"],
                "close": bar["c"],
                "volume": bar["v"],
                "vwap": bar.get("vw"),
                "transactions": bar.get("n"),
                "otc": bar.get("otc", False),
                "adjusted": adjusted,
                "timestamp": end,
                "last_updated_utc": stamp,
            }
            if row["vwap"] is None or row["transactions"] is None:
                row = without_nulls(row)
            yield row
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _malformed(bar, market, day, error) from error


def _once_each(results: list[Any], market: str, day: date) -> list[Any]:
    if not all(isinstance(bar, dict) and isinstance(bar["T"], str) for bar in results):
        odd = next(b for b in results if not isinstance(b, dict) or not isinstance(b["T"], str))
        raise ValueError(f"a row has no symbol: {str(odd)[:80]}")
    last = {bar["T"]: bar for bar in results}
    if len(last) == len(results):
        return results
    twice = [ticker for ticker, n in Counter(bar["T"] for bar in results).items() if n > 1]
    more = f" and {len(twice) - _NAMED} more" if len(twice) > _NAMED else ""
    LOGGER.warning(
        "%s %s: %s%s came twice; the last bar of each counts.",
        *(market, day, ", ".join(twice[:_NAMED]), more),
    )
    return list(last.values())


def _malformed(bar: Any, market: str, day: date, error: Exception) -> AirbyteTracedException:
    which = f" ({bar['T']})" if isinstance(bar, dict) and "T" in bar else ""
    fault = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
    text = (
        f"A {market} bar of {day}{which} is malformed: {fault}. The session is not taken as read; "
        "the next sync asks for it again."
    )
    return system_error(text, repr(error))

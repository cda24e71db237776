"""Rows of a grouped daily answer as records, each bar judged on the way."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timezone
from typing import Any, Final

from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_polygon.errors import system_error
from source_polygon.rows import Row, without_nulls
from source_polygon.stamps import from_milliseconds
from source_polygon.vendor.answers import Data

LOGGER = logging.getLogger("airbyte")

_DAY_MS: Final = 86_400_000

# A bar's end is taken from the vendor, and only its unit is judged: another one is years off.
_OFF_MS: Final = 31 * _DAY_MS

_NAMED: Final = 5


def bars(answer: Data, market: str, day: date) -> Iterator[Row]:
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
    session = day.isoformat()
    stamps: dict[int, str] = {}
    bar: Any = None
    try:
        for bar in _once_each(answer.rows, market, day):
            end = bar["t"]
            # Nearly all bars of a session end at one time. True would be found as 1, and 1.0 too.
            stamp = stamps.get(end) if type(end) is int else None
            if stamp is None:
                stamp = stamps[end] = _stamp(end, day)
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


def _stamp(end: Any, day: date) -> str:
    """Return the end of a bar as text.

    Raises:
        ValueError: `end` is not a time within a month of `day` in Unix milliseconds.
    """
    due = round(datetime(day.year, day.month, day.day, tzinfo=timezone.utc).timestamp() * 1000)
    if type(end) is not int or abs(end - due) > _OFF_MS:
        raise ValueError(
            f"t is {repr(end)[:40]}, expected Unix milliseconds of that session, near {due}"
        )
    return from_milliseconds(end)


def _once_each(results: Sequence[Any], market: str, day: date) -> Sequence[Any]:
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

"""Bars of a session under the names of the schema, their values as the vendor wrote them.

The answer is looked through once, which finds the text of each value; the records are made of
these texts. What is the same for many bars is written once. Where one bar is not in order, all are
for `bars`, which goes bar by bar and says what is wrong with it.
"""

from datetime import date
from typing import Any, Final

import msgspec
import orjson
from msgspec import UNSET, Raw, UnsetType

from source_polygon.streams.bar_time import stamp_of_end
from source_polygon.vendor.cut import Cut

_ABSENT: Final = Raw(b"")


class _Bar(msgspec.Struct, gc=False):
    """A bar as the vendor sends it, its values as they are written but for what is judged."""

    T: str
    t: int
    o: Raw
    h: Raw
    l: Raw  # noqa: E741 - the vendor's name
    c: Raw
    v: Raw
    vw: Raw = _ABSENT
    n: Raw = _ABSENT
    otc: bool | UnsetType = UNSET


_BARS: Final = msgspec.json.Decoder(list[_Bar])


def as_written(answer: Cut, market: str, day: date, *, adjusted: bool) -> Cut | None:
    """Return the records of a grouped daily response, in the vendor's order.

    Args:
        answer: its rows.
        market: stocks, crypto or fx.
        day: the session that was asked for.
        adjusted: whether they are adjusted for splits.

    Returns:
        None where a bar is not in order, a symbol comes twice, or the text is not tidy (see `Cut`).
    """
    try:
        bars = _BARS.decode(answer.text)
        stamps = {end: stamp_of_end(end, day) for end in {bar.t for bar in bars}}
    except (msgspec.ValidationError, ValueError):
        return None
    if not answer.tidy or len({bar.T for bar in bars}) < len(bars):
        return None
    common: dict[str, Any] = {"market": market, "date": day.isoformat(), "adjusted": adjusted}
    heads = {}
    for end, otc in {(bar.t, bar.otc) for bar in bars}:
        own = {"otc": otc is True, "timestamp": end, "last_updated_utc": stamps[end]}
        heads[end, otc] = orjson.dumps({**common, **own})[:-1] + b',"ticker":'
    join, text = b"".join, orjson.dumps
    rows = [
        join((
            heads[bar.t, bar.otc], text(bar.T), b',"open":', bar.o, b',"high":', bar.h,
            b',"low":', bar.l, b',"close":', bar.c, b',"volume":', bar.v,
            b',"vwap":' if bar.vw else b"", bar.vw,
            b',"transactions":' if bar.n else b"", bar.n, b"}",
        ))
        for bar in bars
    ]  # fmt: skip
    return Cut.of(rows)

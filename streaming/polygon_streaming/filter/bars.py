"""The bar as the vendor sends it, in each of its channels."""

from typing import Annotated, ClassVar, Final, cast

import msgspec

from polygon_streaming.channels import AGGREGATE_SECONDS

# The longest names, of options, have 26 characters. Longer ones would make of a record that is just
# within the brokers' limit one that is beyond it.
Name = Annotated[str, msgspec.Meta(max_length=100)]
# Above any price and any volume. Prices may be negative: futures and spreads trade below zero (oil
# settled at -37.63 dollars on 2020-04-20), and the vendor's specification sets no bound.
MOST: Final = 1e18
Price = Annotated[float, msgspec.Meta(gt=-MOST, lt=MOST)]
Size = Annotated[float, msgspec.Meta(ge=0, lt=MOST)]


class Bar(msgspec.Struct, tag_field="ev", gc=False, kw_only=True):
    """An aggregate event as the vendor sends it (its WebSocket specification has the meanings).

    `dv` and `dav` are decimal strings, exact where `v` and `av` are rounded (seen since 2026). Of
    futures `dv` is a number and something else: the value traded (the vendor's client).
    Numbers are read as floats, whatever the specification says: fractions occur in all of them.
    The fields stand in the vendor's order, in which the decoder expects them.
    """

    ev: ClassVar[str]

    sym: Name = ""
    pair: Name = ""
    v: Size | None = None
    dv: str | int | float | None = None
    av: Size | None = None
    dav: str | None = None
    op: Price | None = None
    vw: Price | None = None
    o: Price
    c: Price
    h: Price
    l: Price  # noqa: E741 - the vendor's name
    a: Price | None = None
    z: Size | None = None
    s: int | float
    e: int | float | None = None
    otc: bool | None = None


def _kind(channel: str) -> type[Bar]:
    ev = {"ev": channel}
    made = msgspec.defstruct(f"Bar{channel}", (), bases=(Bar,), namespace=ev, tag=channel, gc=False)
    return cast("type[Bar]", made)


TYPES: Final = tuple(map(_kind, AGGREGATE_SECONDS))
"""The type of each channel's bars."""

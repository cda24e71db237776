"""What trades and quotes have in common: sizes without loss, instants in nanoseconds, codes."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Final

import msgspec

from polygon_streaming.filter.bars import Name, Price
from polygon_streaming.raw import Unreadable
from polygon_streaming.stamps import NS_PER_MS, as_ns, is_instant, ns_to_text

__all__ = ["Code", "Codes", "Name", "Number", "Price", "Sequence", "codes", "instant", "moment",
           "size_text"]  # fmt: skip

Number = int | float
# Exchanges, conditions, tapes and facilities are small numbers: the table has 32 bits for them.
Code = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
Codes = list[Code] | Code | None
Sequence = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]

# The table's Decimal(38, 18), and above any size.
_DECIMALS: Final = 18
_MOST: Final = Decimal(10) ** 18
# As for bars: an hour is left to a clock that is wrong.
_AHEAD_NS: Final = 3_600_000 * NS_PER_MS


def size_text(what: str, name: str, size: Decimal | str) -> str:
    """Return a size in plain decimal notation, without zeros at its end: `100`, `0.25`.

    Args:
        what: the event, for the reason: `a trade`.
        name: the vendor's field.
        size: its value, a decimal string of the vendor or a number as it stood in the JSON.

    Raises:
        Unreadable: it is not a size, or has more digits than the table holds.
    """
    try:
        number = Decimal(size)
    except InvalidOperation:
        raise Unreadable(f"not {what}: {name} is {str(size)[:50]!r}, not a size") from None
    if not (number.is_finite() and 0 <= number < _MOST):
        raise Unreadable(f"not {what}: {name} is {str(size)[:50]}, not a size")
    if not number:
        return "0"
    text = str(number)
    if "E" in text:
        # An exponent like -1000000 would be written out in as many digits.
        if number.adjusted() < -_DECIMALS:
            raise Unreadable(f"not {what}: {name} has more than {_DECIMALS} decimals")
        text = f"{number:f}"
    if "." not in text:
        return text
    text = text.rstrip("0").rstrip(".")
    if len(text.partition(".")[2]) > _DECIMALS:
        raise Unreadable(f"not {what}: {name} has more than {_DECIMALS} decimals")
    return text


def moment(what: str, name: str, stamp: Number, received_ms: int) -> str:
    """Return when an event happened, as text with nanoseconds.

    Raises:
        Unreadable: it is not a time, or lies an hour after the receipt, or that is not known.
    """
    ns = as_ns(stamp)
    if ns is None:
        raise Unreadable(_not_a_time(what, name, stamp))
    if not is_instant(received_ms):
        raise Unreadable("the record does not say when it was received: its timestamp is not set")
    ahead = ns - received_ms * NS_PER_MS
    if ahead > _AHEAD_NS:
        hours = ahead / _AHEAD_NS
        raise Unreadable(f"not {what}: it happened {hours:.1f} h after it was received")
    return ns_to_text(ns)


def instant(what: str, name: str, stamp: Number | None) -> str | None:
    """Return another instant of an event as text with nanoseconds; None if it has none, or 0.

    Raises:
        Unreadable: it is not a time.
    """
    if not stamp:
        return None
    ns = as_ns(stamp)
    if ns is None:
        raise Unreadable(_not_a_time(what, name, stamp))
    return ns_to_text(ns)


def codes(given: Codes) -> list[int]:
    """Return conditions or indicators as an array: the vendor sends arrays, one number, nothing."""
    if given is None:
        return []
    return given if isinstance(given, list) else [given]


def _not_a_time(what: str, name: str, stamp: Number) -> str:
    number = f"{stamp:.4g}" if abs(stamp) < 1e300 else "beyond all bounds"
    return f"not {what}: {name} is {number}, not in milliseconds or nanoseconds since 1970"

"""Time stamps as the API writes them: RFC 3339, 0 to 9 fractional digits, trailing zeros cut."""

from datetime import datetime, timezone
from functools import lru_cache

_NS = 1_000_000_000


def format_ns(ns: int) -> str:
    """Write nanoseconds since 1970 UTC the way Go's RFC3339Nano does (observed live)."""
    seconds, fraction = divmod(ns, _NS)
    digits = f"{fraction:09d}".rstrip("0")
    return f"{_whole(seconds)}.{digits}Z" if digits else f"{_whole(seconds)}Z"


def parse_ns(text: str) -> int:
    """Nanoseconds since 1970 UTC of a stamp ending in Z; compares correctly where text does not."""
    whole, _, digits = text.rstrip("Z").partition(".")
    seconds = int(datetime.fromisoformat(whole).replace(tzinfo=timezone.utc).timestamp())
    return seconds * _NS + int(digits.ljust(9, "0"))


# A nightly batch of 12,000 rows shares one or two whole seconds.
@lru_cache(maxsize=4096)
def _whole(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")

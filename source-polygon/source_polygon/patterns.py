"""Patterns in `symbols`, such as `X:*USD`: looked up in the vendor's list of active tickers."""

import logging
import re
from collections.abc import Iterable, Iterator
from typing import Final

from source_polygon.errors import config_error
from source_polygon.streams.symbols import some
from source_polygon.vendor.paging import pages
from source_polygon.vendor.products import product_of_symbol
from source_polygon.vendor.questions import Vendor

LOGGER = logging.getLogger("airbyte")

MOST: Final = 1_000
"""Symbols that patterns and the others may make together: each costs a request at each sync."""

_ANY: Final = "*"
_PATH: Final = "/v3/reference/tickers"
_PAGE_SIZE: Final = 1_000


def are_in(symbols: Iterable[str]) -> bool:
    """Return whether some of `symbols` are patterns."""
    return any(_ANY in symbol for symbol in symbols)


def looked_up(symbols: Iterable[str], vendor: Vendor) -> list[str]:
    """Return symbols with each pattern replaced by those that it stands for, each once.

    Raises:
        AirbyteTracedException: a pattern stands for none, or all are too many (config_error); or
            the vendor does not answer.
    """
    found: dict[str, None] = {}
    for symbol in symbols:
        if _ANY not in symbol:
            found[symbol] = None
            continue
        matches = []
        for match in _matches(symbol, vendor):
            matches.append(match)
            found[match] = None
            if len(found) > MOST:
                raise config_error(
                    f"symbols: {symbol!r} makes more than {MOST:,} symbols, which are read one by "
                    "one. Give a narrower pattern. All stocks at once are in grouped_daily."
                )
        if not matches:
            raise config_error(
                f"symbols: {symbol!r} stands for no active symbol. Upper and lower case count. "
                "Correct it, or take it out."
            )
        LOGGER.info("symbols: %s is %d symbols now: %s.", symbol, len(matches), some(matches))
    LOGGER.info("symbols: %d in all.", len(found))
    return list(found)


def _matches(pattern: str, vendor: Vendor) -> Iterator[str]:
    market = product_of_symbol(pattern)
    if market == "options":
        raise config_error(
            f"symbols: {pattern!r} cannot be looked up, since the vendor's list of tickers has no "
            "options. The stream option_contracts lists those of an underlying: name that."
        )
    start = pattern.partition(_ANY)[0]
    params = {
        "market": market,
        "active": "true",
        "sort": "ticker",
        "order": "asc",
    }
    if start:
        params["ticker.gte"] = start
        params["ticker.lt"] = start[:-1] + chr(ord(start[-1]) + 1)
    fits = re.compile(".*".join(map(re.escape, pattern.split(_ANY)))).fullmatch
    seen: set[str] = set()
    for rows, _ in pages(
        vendor, params, key=["ticker"], page_size=_PAGE_SIZE, path=vendor.base_url + _PATH
    ):
        for row in rows:
            ticker = row["ticker"]
            if fits(ticker) and ticker not in seen:
                seen.add(ticker)
                yield ticker

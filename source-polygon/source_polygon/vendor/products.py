"""The vendor's products. A cap on requests is one of a product, so each request counts for one.

Seen with a paid key for stocks on 2026-09-27: options, indices and futures were still limited to
five requests a minute, stocks were not. For what the vendor counts reference data, filings,
economy and partner data is unverified; here they count for stocks.
"""

import re
from typing import Final
from urllib.parse import urlsplit

PATTERNS: Final = {
    # Before the others: the chain of an index is asked for under /v3/snapshot/options/I:SPX.
    "options": r"/options/v|/v3/(reference|snapshot)/options(/|$)|/O(:|%3[Aa])",
    "indices": r"/v3/snapshot/indices(/|$)|/I(:|%3[Aa])",
    "crypto": r"/crypto/v|/markets?/crypto(/|$)|/X(:|%3[Aa])",
    "fx": r"/forex/v|/markets?/(fx|forex)(/|$)|/C(:|%3[Aa])",
    "futures": r"/futures/v",
}
"""What in a path makes a request one for a product, in this order. All else counts for stocks."""

REST: Final = "stocks"

_PATTERNS: Final = {product: re.compile(pattern) for product, pattern in PATTERNS.items()}


def product_of(url: str, *names: str) -> str:
    """Return the product for which a request counts: stocks, options, and so on.

    Args:
        url: its address.
        names: what it is about where its address does not say so: a symbol, a market.
    """
    path = "/".join([urlsplit(url).path, *names])
    for product, pattern in _PATTERNS.items():
        if pattern.search(path):
            return product
    return REST


def product_of_symbol(symbol: str) -> str:
    """Return the product that a symbol, or a pattern of symbols, belongs to: `X:BTCUSD`, crypto.

    A future looks like a stock.
    """
    return product_of("", symbol)

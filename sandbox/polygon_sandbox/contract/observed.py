"""Where the sandbox knows better than the vendor's file: a few facts laid over it.

The words are those of the data files, and two of our own: `field` is the field of the rows that a
parameter of another name is a condition on.
"""

from collections.abc import Mapping
from typing import Any

_OLD_EVENTS: Mapping[str, Any] = {
    # The vendor's blog of 2026-02-18 names the successors under /stocks/v1.
    "deprecated": True,
    # Unverified: newest first by default; the example of splits descends.
    "parameters": {"order": {"default": "desc"}},
}
_TICKERS_OF_A_ROW: Mapping[str, Any] = {"ticker": {"field": "tickers"}}

OBSERVED: Mapping[str, Mapping[str, Any]] = {
    "/v3/reference/splits": _OLD_EVENTS,
    "/v3/reference/dividends": _OLD_EVENTS,
    # Switched off on 2026-06-22.
    "/vX/reference/financials": {"deprecated": True},
    "/v3/reference/tickers": {
        # The vendor's own client has it, and rows of indices were seen with it.
        "row": {"source_feed": {"type": "string"}},
    },
    "/v2/reference/news": {
        # Unverified: newest first by default, as the vendor's example is.
        "parameters": {"order": {"default": "desc"}, **_TICKERS_OF_A_ROW},
    },
    "/benzinga/v2/news": {"parameters": {"stocks": {"field": "tickers"}}},
    # Unverified, and hardly otherwise: a schedule says what happens, and when.
    "/futures/v1/schedules": {
        "row": {"event": {"required": True}, "timestamp": {"required": True}}
    },
    "/v3/reference/conditions": {
        "parameters": {"data_type": {"field": "data_types"}, "sip": {"field": "sip_mapping"}},
    },
}

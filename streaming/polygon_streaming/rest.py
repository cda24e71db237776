"""The two REST endpoints that healing needs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import structlog
import urllib3

from polygon_streaming.errors import ConfigError, StreamError
from polygon_streaming.stamps import now_ms

log = structlog.get_logger()

_TIMEOUT: Final = urllib3.Timeout(connect=10, read=60)
# 429 means the minute's allowance is used up: waiting less than a minute would not help.
_RETRIES: Final = urllib3.Retry(
    total=6, backoff_factor=2, backoff_max=60, status_forcelist=(429, 500, 502, 503, 504)
)
_DELAY_MS: Final = 15 * 60_000
_GROUPED: Final = {
    "stocks": "us/market/stocks",
    "crypto": "global/market/crypto",
    "forex": "global/market/fx",
}


class Rest:
    """A paced client; the key goes in a header, never in an address."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        requests_per_minute: float,
        *,
        retries: urllib3.Retry = _RETRIES,
        timeout: urllib3.Timeout = _TIMEOUT,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._pause = 60 / requests_per_minute
        self._next = 0.0
        self._http = urllib3.PoolManager(timeout=timeout, retries=retries)

    def bars(
        self, ticker: str, timespan: str, start_ms: int, end_ms: int
    ) -> Iterator[dict[str, Any]]:
        """Return the bars that start in a window, oldest first, as `/v2/aggs` gives them.

        A plan with delayed data has no bars of the last quarter of an hour yet.

        Args:
            ticker: in the REST API's notation.
            timespan: `second` or `minute`.
            start_ms: first instant, milliseconds since 1970 UTC; `end_ms` the last.

        Raises:
            ConfigError: key or plan do not allow it.
            StreamError: the API does not answer, or it is too early to ask.
        """
        path = f"/v2/aggs/ticker/{quote(ticker, safe=':')}/range/1/{timespan}/{start_ms}/{end_ms}"
        query = {"adjusted": "false", "sort": "asc", "limit": "50000"}
        url: str | None = f"{self._base}{path}?{urlencode(query)}"
        while url:
            answer = self._get(url)
            late_ms = end_ms + _DELAY_MS - now_ms()
            if answer.get("status") == "DELAYED" and late_ms > 0:
                raise StreamError(
                    "The plan's data are 15 minutes late, and the gap is younger. Heal again in "
                    f"{-(-late_ms // 60_000)} minutes."
                )
            yield from answer.get("results") or []
            url = self._same_host(answer.get("next_url"))

    def traded(self, market: str, day: str) -> list[str]:
        """Return the tickers that traded on a day, from the grouped daily bars."""
        place = _GROUPED.get(market)
        if place is None:
            return []
        query = urlencode({"adjusted": "false"})
        answer = self._get(f"{self._base}/v2/aggs/grouped/locale/{place}/{day}?{query}")
        return sorted(row["T"] for row in answer.get("results") or [])

    def check_key(self) -> None:
        """Ask something that any key may ask.

        Raises:
            ConfigError: the key is not accepted.
            StreamError: the API cannot be reached.
        """
        self._get(f"{self._base}/v1/marketstatus/now")

    def _get(self, url: str) -> dict[str, Any]:
        time.sleep(max(0.0, self._next - time.monotonic()))
        self._next = time.monotonic() + self._pause
        path = urlsplit(url).path
        try:
            answer = self._http.request("GET", url, headers=self._headers, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            reason = getattr(error, "reason", None) or error
            raise StreamError(f"{self._base}{path}: {reason}.") from None
        try:
            content = json.loads(answer.data)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise StreamError(f"{self._base}{path} answers {answer.status}, and no JSON object.")
        words = content.get("error") or content.get("message") or ""
        if answer.status == 401:
            raise ConfigError(f"The API does not accept the key: {words!r}. Check POLYGON_API_KEY.")
        if answer.status == 403 or content.get("status") == "NOT_AUTHORIZED":
            raise ConfigError(f"The plan does not include {path}: {words!r}.")
        if answer.status != 200 or content.get("status") == "ERROR":
            raise StreamError(f"{self._base}{path} answers {answer.status}: {words!r}.")
        return dict(content)

    def _same_host(self, url: str | None) -> str | None:
        """Keep the key at home: a next page elsewhere is asked for at the configured host."""
        if not url:
            return None
        parts = urlsplit(url)
        return f"{self._base}{parts.path}?{parts.query}"

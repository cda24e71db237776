"""The REST endpoints that healing needs; each answer is judged before it is believed."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import structlog
import urllib3

from polygon_streaming.errors import ConfigError, StreamError
from polygon_streaming.gaps import rows
from polygon_streaming.stamps import NS_PER_MS, now_ms

log = structlog.get_logger()

T = TypeVar("T")

_TIMEOUT: Final = urllib3.Timeout(connect=10, read=60)
# 429 means the minute's allowance is used up: waiting less than a minute would not help.
_RETRIES: Final = urllib3.Retry(
    total=6, backoff_factor=2, backoff_max=60, status_forcelist=(429, 500, 502, 503, 504)
)
# Broken answers, and empty ones of a certain kind, are passing more often than not.
_PAUSES: Final = (1.0, 5.0)
_DELAY_MS: Final = 15 * 60_000
_GROUPED: Final = {
    "stocks": "us/market/stocks",
    "crypto": "global/market/crypto",
    "forex": "global/market/fx",
}


class BrokenAnswer(StreamError):
    """An answer cannot be used, also when asked for again. What it was about is not known."""


class NotIncluded(StreamError):
    """The plan does not include what was asked for."""


class Unknown(StreamError):
    """The API does not know what was asked for."""


class Rest:
    """A paced client; the key goes in a header, never in an address.

    Attributes:
        requests: how many questions have been asked.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        requests_per_minute: float,
        *,
        http: urllib3.PoolManager | None = None,
        pauses: Sequence[float] = _PAUSES,
    ) -> None:
        """Prepare to ask.

        Args:
            base_url: of the API.
            api_key: see above.
            requests_per_minute: the plan's limit, or less.
            http: asks; by default one that waits long and tries again often.
            pauses: seconds before a suspicious answer is asked for again.
        """
        self.requests = 0
        self._base = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._pause = 60 / requests_per_minute
        self._next = 0.0
        self._http = http or urllib3.PoolManager(timeout=_TIMEOUT, retries=_RETRIES)
        self._pauses = pauses

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
            ConfigError: the key is not accepted.
            NotIncluded: the plan does not allow it.
            Unknown: the API does not know the ticker.
            BrokenAnswer: what came cannot be used.
            StreamError: the API does not answer, or it is too early to ask.
        """
        path = f"/v2/aggs/ticker/{quote(ticker, safe=':')}/range/1/{timespan}/{start_ms}/{end_ms}"
        query = {"adjusted": "false", "sort": "asc", "limit": "50000"}
        yield from self._pages(path, query, lambda row: rows.bar(row, start_ms, end_ms), end_ms)

    def ticks(
        self,
        path: str,
        ticker: str,
        query: Mapping[str, str],
        start_ns: int,
        end_ns: int,
        read: Callable[[Any], T],
    ) -> Iterator[T]:
        """Return the trades or quotes of a window, oldest first, as `read` takes them in.

        Args:
            path: of the endpoint, without the ticker.
            ticker: in the REST API's notation.
            query: its order and its limit.
            start_ns: first instant, nanoseconds since 1970 UTC; `end_ns` is the first after it.
            read: raises ValueError for what it cannot take.

        Raises:
            ConfigError, NotIncluded, Unknown, BrokenAnswer, StreamError: as for `bars`.
        """
        window = {"timestamp.gte": str(start_ns), "timestamp.lt": str(end_ns)}
        where = f"{path}/{quote(ticker, safe=':')}"
        yield from self._pages(where, {**window, **query}, read, end_ns // NS_PER_MS)

    def _pages(
        self, path: str, query: Mapping[str, str], read: Callable[[Any], T], end_ms: int
    ) -> Iterator[T]:
        url: str | None = f"{self._base}{path}?{urlencode(query)}"
        asked: set[str] = set()
        while url:
            asked.add(url)
            answer, found = self._ask(url, read)
            late_ms = end_ms + _DELAY_MS - now_ms()
            if answer.get("status") == "DELAYED" and late_ms > 0:
                raise StreamError(
                    "The plan's data are 15 minutes late, and the gap is younger. Heal again in "
                    f"{-(-late_ms // 60_000)} minutes."
                )
            yield from found
            url = self._same_host(answer.get("next_url"))
            if url in asked:
                raise BrokenAnswer(f"{self._base}{path} leads back to a page it has given.")

    def traded(self, market: str, day: str) -> list[str]:
        """Return the tickers that traded on a day, from the grouped daily bars.

        Raises:
            ConfigError, NotIncluded, BrokenAnswer, StreamError: as for `bars`.
        """
        place = _GROUPED.get(market)
        if place is None:
            return []
        query = urlencode({"adjusted": "false"})
        url = f"{self._base}/v2/aggs/grouped/locale/{place}/{day}?{query}"
        return sorted(self._ask(url, rows.ticker)[1])

    def trade_conditions(self, asset_class: str) -> Iterator[dict[str, Any]]:
        """Return the conditions that trades may carry, as `/v3/reference/conditions` gives them.

        Args:
            asset_class: `stocks`, `options` or `crypto`.

        Raises:
            ConfigError, NotIncluded, BrokenAnswer, StreamError: as for `bars`.
        """
        query = {"asset_class": asset_class, "data_type": "trade", "limit": "1000"}
        yield from self._pages("/v3/reference/conditions", query, rows.condition, 0)

    def check_key(self) -> None:
        """Ask something that any key may ask.

        Raises:
            ConfigError: the key is not accepted.
            StreamError: the API cannot be reached.
        """
        self._get(f"{self._base}/v1/marketstatus/now")

    def _ask(self, url: str, read: Callable[[Any], T]) -> tuple[dict[str, Any], list[T]]:
        """Return an answer and its results as `read` takes them in.

        `results: null` with an OK has been seen where there were data, and asking again brought
        them (polygon-io/issues 2). An answer without `results` is the usual empty one.
        """
        path = urlsplit(url).path
        for pause in (*self._pauses, None):
            try:
                answer = self._get(url)
                results = answer.get("results", [])
                if results is not None or pause is None:
                    found = results or []
                    if not isinstance(found, list):
                        raise BrokenAnswer(f"{self._base}{path}: results is not a list.")
                    return answer, [read(row) for row in found]
            except ValueError as error:
                if pause is None:
                    raise BrokenAnswer(f"{self._base}{path}: {error}.") from None
            except BrokenAnswer:
                if pause is None:
                    raise
            log.warning("asked again", path=path, state="asked again")
            time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _get(self, url: str) -> dict[str, Any]:
        time.sleep(max(0.0, self._next - time.monotonic()))
        self._next = time.monotonic() + self._pause
        self.requests += 1
        path = urlsplit(url).path
        try:
            answer = self._http.request("GET", url, headers=self._headers, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            reason = getattr(error, "reason", None) or error
            raise StreamError(f"{self._base}{path}: {reason}.") from None
        try:
            content = json.loads(answer.data)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            words: object = "and not with a JSON object"
            content = {}
        else:
            words = repr(content.get("error") or content.get("message") or "")
        said = f"{self._base}{path} answers {answer.status}: {words}."
        if answer.status == 401:
            raise ConfigError(f"The API does not accept the key: {words}. Check POLYGON_API_KEY.")
        if answer.status == 403 or content.get("status") == "NOT_AUTHORIZED":
            raise NotIncluded(f"The plan does not include {path}: {words}.")
        if answer.status in (400, 404):
            raise Unknown(said)
        if answer.status != 200 or not content or content.get("status") == "ERROR":
            raise BrokenAnswer(said)
        return dict(content)

    def _same_host(self, url: object) -> str | None:
        """Keep the key at home: a next page elsewhere is asked for at the configured host."""
        if not url:
            return None
        try:
            parts = urlsplit(url) if isinstance(url, str) else None
        except ValueError:
            parts = None
        # A path without its slash would lengthen the host: `https://api.example@elsewhere`.
        if parts is None or not parts.path.startswith("/"):
            raise BrokenAnswer(f"{self._base}: next_url is not an address: {url!r}.")
        return f"{self._base}{parts.path}?{parts.query}"

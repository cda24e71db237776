"""Pages of a v3 list, from the first request along `next_url`."""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from airbyte_cdk.models import FailureType
from airbyte_cdk.sources.declarative.requesters.requester import Requester
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_polygon.vendor.answers import payload
from source_polygon.vendor.ask import ask
from source_polygon.vendor.auth import origin

PAGE_SIZE: Final = 1000
"""The vendor's maximum; its default of 10 or 100 would cost up to a hundred times the requests."""

Row = dict[str, Any]

# The same API under two names. Behind a proxy, the vendor's next_url names the vendor's host.
_VENDOR: Final = tuple(
    (scheme, host, port)
    for host in ("api.polygon.io", "api.massive.com")
    for scheme, port in (("https", 443), ("http", 80))
)


def pages(
    requester: Requester, params: Mapping[str, Any], base_url: str, *, key: str
) -> Iterator[tuple[list[Row], bool]]:
    """Return each page's rows, and whether a page follows.

    Args:
        requester: sends the requests; its path is that of the list.
        params: query of the first request. Later pages carry it in their cursor.
        base_url: the configured address without a slash at its end; all pages come from there.
        key: the field that every row must have.

    Raises:
        AirbyteTracedException: `next_url` leads elsewhere or in a circle, or a row lacks its key
            (system_error).
    """
    seen: set[str] = set()
    previous: list[Row] | None = None
    response = ask(requester, request_params={**params, "limit": PAGE_SIZE})
    while True:
        body = payload(response)
        rows = body.get("results") or []
        if not all(isinstance(row, dict) and isinstance(row.get(key), str) for row in rows):
            raise _broken(f"A row has no {key}.", str(response.request.path_url))
        if rows == previous:
            raise _broken("The same page comes twice.", str(response.request.path_url))
        previous = rows
        next_url = body.get("next_url") or ""
        if not isinstance(next_url, str):
            raise _broken("next_url is not a text.", repr(next_url)[:100])
        yield rows, bool(next_url)
        if not next_url:
            return
        target = _target(next_url, base_url)
        if target in seen:
            raise _broken("Paging goes in a circle: next_url repeats.", target)
        seen.add(target)
        response = ask(requester, path=target)


def _target(next_url: str, base_url: str) -> str:
    """Return what to ask for: the path of `next_url` on our origin, if it is for us or the vendor.

    "//host/path" is another host too, hence the resolution first (RFC 3986). A path in base_url is
    a proxy's, which the vendor's next_url does not know.
    """
    resolved = urljoin(base_url + "/", next_url)
    parts = urlsplit(resolved)
    if origin(resolved) not in (origin(base_url), *_VENDOR):
        raise _broken("next_url leads to another host and is not followed.", str(parts.hostname))
    prefix = urlsplit(base_url).path
    path = parts.path.removeprefix(prefix)
    return f"{base_url}{path}?{parts.query}"


def _broken(text: str, detail: str) -> AirbyteTracedException:
    return AirbyteTracedException(
        message=f"Polygon.io's answer cannot be trusted. {text}",
        internal_message=f"{text} {detail}",
        failure_type=FailureType.system_error,
    )

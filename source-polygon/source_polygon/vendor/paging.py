"""Pages of a list, from the first request along `next_url`."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_polygon.errors import system_error
from source_polygon.rows import Row
from source_polygon.vendor.answers import Data
from source_polygon.vendor.auth import origin
from source_polygon.vendor.cut import Cut
from source_polygon.vendor.questions import PAUSES_IF_EMPTY, Vendor

# The same API under two names. Behind a proxy, the vendor's next_url names the vendor's host.
_VENDOR: Final = tuple(
    (scheme, host, port)
    for host in ("api.polygon.io", "api.massive.com")
    for scheme, port in (("https", 443), ("http", 80))
)


def pages(
    vendor: Vendor,
    params: Mapping[str, Any],
    *,
    key: Collection[str],
    page_size: int,
    complaint: str = "",
    pauses: Sequence[int] = PAUSES_IF_EMPTY,
    of: type = object,
    path: str = "",
) -> Iterator[tuple[Sequence[Row], bool]]:
    """Return each page's rows, and whether a page follows.

    Args:
        vendor: is asked for the list.
        params: query of the first request. Later pages carry it in their cursor.
        key: fields that every row must have.
        page_size: rows a page. The vendor's default of 10 or 100 would cost up to a thousand times
            the requests that its maximum for the list does.
        complaint: what a first page without rows would mean, where that is unlikely, as it always
            is of a page that `next_url` led to. See `Vendor.ask`.
        pauses: see there.
        of: type of the values of the key.
        path: the address of the list, where it is not that of the stream.

    Raises:
        AirbyteTracedException: `next_url` leads elsewhere or in a circle, or a row lacks its key
            (system_error).
    """
    first: dict[str, Any] = {"path": path} if path else {}
    first["request_params"] = {**params, "limit": page_size}
    answer = vendor.ask(complaint=complaint, pauses=pauses, **first)
    if not answer.rows and answer.envelope.get("next_url"):
        answer = vendor.ask(complaint="The first of several pages has no rows", **first)
    yield from along(vendor, answer, key=key, of=of)


def along(
    vendor: Vendor, first: Data, *, key: Collection[str], of: type = str
) -> Iterator[tuple[Sequence[Row], bool]]:
    """Return the rows of a first page and of those it leads to; the rest as in `pages`."""
    seen: set[str] = set()
    previous: object = None
    answer, where = first, "the first page"
    del first
    while True:
        rows = answer.rows
        require_keys(rows, key, where, of=of)
        before, previous = previous, rows.fingerprint if isinstance(rows, Cut) else rows
        if rows and previous == before:
            raise _broken("The same page comes twice.", where)
        next_url = answer.envelope.get("next_url") or ""
        if not isinstance(next_url, str):
            raise _broken("next_url is not a text.", repr(next_url)[:100])
        yield rows, bool(next_url)
        if not next_url:
            return
        where = _target(next_url, vendor.base_url)
        if where in seen:
            raise _broken("Paging goes in a circle: next_url repeats.", where)
        seen.add(where)
        del answer, rows  # while the next page comes, the last one need not stay
        answer = vendor.ask(complaint="The page after a full one has no rows", path=where)


def ascending(field: str, order: str) -> dict[str, str]:
    """Return the parameters that sort a list by a field, smallest first.

    Args:
        field: its name; "" where the vendor lets nobody choose.
        order: "asc" on the older paths, where that is a parameter of its own; else "".
    """
    if not field:
        return {}
    return {"sort": field, "order": order} if order else {"sort": f"{field}.asc"}


def require_keys(
    rows: Sequence[Any], key: Collection[str], where: str, *, of: type = object
) -> None:
    """Check that each row is an object with all fields of its key, values `of` a type.

    Raises:
        AirbyteTracedException: one is not (system_error).
    """
    if isinstance(rows, Cut) and rows.has(key, of):
        return
    for row in rows:
        if not isinstance(row, dict):
            raise _broken(f"A row is not an object: {str(row)[:80]}.", where)
        for field in key:
            if row.get(field) is None or not isinstance(row[field], of):
                raise _broken(f"A row has no {field}: {str(row)[:200]}.", where)


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
    return system_error(f"Polygon.io's answer cannot be trusted. {text}", f"{text} {detail}")

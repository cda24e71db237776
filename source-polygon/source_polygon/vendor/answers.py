"""What an answer of the vendor means: data, refused, or broken. Each is judged once.

Refused, empty and broken are three different answers. An empty day is a well-formed body whose
`results` are absent, null or []. A refusal says so in its status: 403, or `NOT_AUTHORIZED` with
200. All else that is not a well-formed `OK` or `DELAYED` body is broken and never means zero rows.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import orjson
import requests

from source_polygon.vendor.characters import mended
from source_polygon.vendor.cut import cut

LOGGER = logging.getLogger("airbyte")

_GOOD: Final = ("OK", "DELAYED")


class Reason(Enum):
    """Why the vendor will not serve data to a valid key."""

    NOT_YET = "the session is not over for this plan"
    OUTSIDE_HISTORY = "the session is outside the history of this plan"
    NOT_ENTITLED = "this plan does not cover the data"
    FORBIDDEN = "no reason that names the plan"
    UNKNOWN = "the vendor knows nothing of that name"


@dataclass(frozen=True, slots=True)
class Data:
    """A well-formed answer.

    Attributes:
        rows: its rows, maybe none; a `Cut` where that was asked for and the body is plainly good.
        envelope: what came around them; empty where the vendor sends the list bare.
    """

    rows: Sequence[Any]
    envelope: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """The vendor will not serve the data to this key.

    Attributes:
        reason: why.
        words: the vendor's own, as a sentence; "" where there are none.
    """

    reason: Reason
    words: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The body is not what the vendor documents. `fault` says how."""

    fault: str


def judge(
    response: requests.Response,
    *,
    bare: bool = False,
    single: bool = False,
    as_written: bool = False,
) -> Data | Refused | Broken:
    """Return what an answer with status 200, 403 or that 404 means which `is_unknown`.

    Args:
        response: the answer, read in full.
        bare: whether the body is a list without an envelope, rather than an object with `status`.
        single: whether `results` is the one row there is, rather than a list of rows.
        as_written: whether the rows are wanted as the vendor wrote them.
    """
    if as_written and response.status_code == 200 and (found := cut(response.content, bare=bare)):
        rows, envelope = found
        good = bare or envelope.get("status") in _GOOD
        if good and envelope.get("resultsCount") in (None, len(rows)):
            return Data(rows, envelope)
    try:
        body = _parsed(response)
    except orjson.JSONDecodeError:
        if response.status_code == 403:
            return Refused(Reason.FORBIDDEN, "")
        kind = response.headers.get("content-type", "no content type")
        size = len(response.content)
        return Broken(f"the body is not complete JSON ({size} bytes, {kind})")
    status = body.get("status") if isinstance(body, dict) else None
    if response.status_code == 403 or status == "NOT_AUTHORIZED":
        words = _sentence(_spoken(body), response)
        return Refused(_reason(words, unauthorized=status == "NOT_AUTHORIZED"), words)
    if response.status_code == 404:
        return Refused(Reason.UNKNOWN, _sentence(_spoken(body), response))
    if bare:
        return Data(body, {}) if isinstance(body, list) else Broken("the body is not a list")
    if not isinstance(body, dict):
        return Broken("the body is not an object")
    if status not in _GOOD:
        words = _sentence(_spoken(body) or "no reason given", response)
        return Broken(f"the body's status is {str(status)[:40]!r}: {words}")
    if single:
        return _of_one_row(body)
    return _counted(body)


def is_unknown(response: requests.Response) -> bool:
    """Return whether a 404 says that there is nothing of the name that was asked for.

    Seen: `{"status":"NOT_FOUND","message":"Ticker not found."}`. The 404 of a path that there is
    not is plain text, that of a retired path names its successor: those are not about a name.
    """
    try:
        body = _parsed(response)
    except orjson.JSONDecodeError:
        return False
    status = body.get("status") if isinstance(body, dict) else None
    return status == "NOT_FOUND" and "not found" in str(_spoken(body)).lower()


def words(response: requests.Response) -> str:
    """Return the vendor's own words in an answer as a sentence, or "" where there are none.

    They are in `error` or `message`. Should they repeat the key, it is made unreadable.
    """
    try:
        return _sentence(_spoken(_parsed(response)), response)
    except orjson.JSONDecodeError:
        return ""


def _of_one_row(body: dict[str, Any]) -> Data | Broken:
    row = body.pop("results", None)
    if row is not None and not isinstance(row, dict):
        return Broken("`results` is not an object")
    return Data([row] if row else [], body)


def _counted(body: dict[str, Any]) -> Data | Broken:
    rows = body.pop("results", None)
    if rows is not None and not isinstance(rows, list):
        return Broken("`results` is not a list")
    rows, stated = rows or [], body.get("resultsCount")
    if stated is not None and stated != len(rows):
        return Broken(f"`resultsCount` is {stated}, the number of rows {len(rows)}")
    return Data(rows, body)


def _reason(words: str, *, unauthorized: bool) -> Reason:
    """Return why the vendor refuses, by its words, which are those seen from 2024 to 2026.

    With unknown ones, NOT_AUTHORIZED means that the plan lacks the data; any other 403 may be a
    firewall's or a proxy's.
    """
    text = words.lower()
    if "before end of day" in text:
        return Reason.NOT_YET
    if "timeframe" in text:
        return Reason.OUTSIDE_HISTORY
    plan = unauthorized or "entitled" in text or "upgrade" in text
    return Reason.NOT_ENTITLED if plan else Reason.FORBIDDEN


def _spoken(body: Any) -> object:
    return (body.get("error") or body.get("message") or "") if isinstance(body, dict) else ""


def _sentence(spoken: object, response: requests.Response) -> str:
    key = str(response.request.headers.get("Authorization", "")) if response.request else ""
    text = str(spoken)
    if secret := key.removeprefix("Bearer "):
        text = text.replace(secret, "****")
    text = text.strip()[:300]
    return text if not text or text[-1] in ".!?" else f"{text}."


def _parsed(response: requests.Response) -> Any:
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        content, found = mended(response.content)
        body = orjson.loads(content)
    for phrase in found:
        path = str(response.request.path_url).partition("?")[0] if response.request else "a body"
        LOGGER.warning("%s holds %s. Nothing is left out.", path, phrase)
    return body

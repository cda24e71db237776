"""The bucket as S3 serves it: GET, HEAD and ListObjectsV2, by path style, and errors as XML.

    GET /flatfiles/us_stocks_sip/minute_aggs_v1/2026/11/2026-11-24.csv.gz
    GET /flatfiles?list-type=2&prefix=us_stocks_sip/

What is refused is told apart as far as the vendor tells it: LIST shows objects that GET refuses,
with 403 and a header that says to which kind of data the plan is not entitled.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from urllib.parse import quote
from uuid import uuid4
from xml.sax.saxutils import escape

from polygon_sandbox.clock import UTC
from polygon_sandbox.flat_files import s3_errors, signature
from polygon_sandbox.flat_files.files import FlatFiles, Stored
from polygon_sandbox.flat_files.layout import BUCKET, ENTITLEMENTS, parse_key
from polygon_sandbox.plan import Plan
from polygon_sandbox.replies import Reply

_SKEW = timedelta(minutes=15)
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_MOST_KEYS = 1000
_NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


@dataclass(frozen=True, slots=True)
class S3Request:
    """A request: the path as it was sent and decoded, parameters decoded, headers in lower case."""

    method: str
    raw_path: str
    path: str
    pairs: Sequence[tuple[str, str]]
    headers: Mapping[str, str]

    @property
    def key(self) -> str:
        """The object's key; empty for the bucket itself."""
        return self.path.removeprefix(f"/{BUCKET}").removeprefix("/")


def answer(files: FlatFiles, plan: Plan, secret: str, request: S3Request) -> Reply:
    """The honest answer to a request."""
    refusal = _gate(files, secret, request)
    if refusal is None:
        refusal = _object(files, plan, request) if request.key else _listing(files, request)
    return refusal


def _gate(files: FlatFiles, secret: str, request: S3Request) -> Reply | None:
    """Who asks, and whether the stamp and the signature are good."""
    signed = signature.read(request.method, request.raw_path, request.pairs, request.headers)
    if signed is None:
        return s3_errors.access_denied(request.path)
    if signed.access_key_id != files.access_key_id:
        return s3_errors.unknown_access_key(request.path, signed.access_key_id)
    if files.clock_ahead is not None:
        server = datetime.now(UTC) + files.clock_ahead
        if abs(server - signed.at) > _SKEW:
            return s3_errors.clock_skew(signed.at, server)
    return None if signed.is_of(secret) else s3_errors.wrong_signature(request.path)


def _object(files: FlatFiles, plan: Plan, request: S3Request) -> Reply:
    denied = s3_errors.access_denied(request.path)
    if not files.agreement_signed:
        return denied
    file = parse_key(request.key)
    if file is not None:
        if file.market not in plan.markets or plan.refusal_of_path(f"/{request.key}"):
            return s3_errors.access_denied(request.path, ENTITLEMENTS[file.dataset])
        if plan.refusal_of_history(file.day, files.world.today):
            return denied
    stored = files.get(request.key)
    if stored is None:
        hidden = files.unpublished_forbidden and file is not None
        return denied if hidden else s3_errors.no_such_key(request.path, request.key)
    sent = _sent(stored, request)
    if file is None:
        return sent
    return replace(
        sent, headers={**sent.headers, s3_errors.ENTITLEMENT: ENTITLEMENTS[file.dataset]}
    )


def _sent(stored: Stored, request: S3Request) -> Reply:
    tag = f'"{stored.etag}"'
    headers = {
        "ETag": tag,
        "Last-Modified": format_datetime(stored.last_modified, usegmt=True),
        "Accept-Ranges": "bytes",
        "x-amz-request-id": uuid4().hex[:16].upper(),
    }
    asked = request.headers
    if asked.get("if-match", tag) not in (tag, stored.etag, "*"):
        message = "At least one of the pre-conditions you specified did not hold"
        return s3_errors.error(412, "PreconditionFailed", message, request.path)
    if asked.get("if-none-match") in (tag, stored.etag, "*"):
        return Reply(304, b"", "application/gzip", headers)
    size = len(stored.body)
    part = _RANGE.fullmatch(asked.get("range", ""))
    if not part or part[0] == "bytes=-":
        return Reply(200, stored.body, "application/gzip", headers)
    if part[1]:
        first, last = int(part[1]), min(int(part[2] or size), size - 1)
    else:
        first, last = max(size - int(part[2]), 0), size - 1
    if first > last:
        message = "The requested range is not satisfiable"
        return s3_errors.error(416, "InvalidRange", message, request.path)
    headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return Reply(206, stored.body[first : last + 1], "application/gzip", headers)


def _listing(files: FlatFiles, request: S3Request) -> Reply:
    """ListObjectsV2, and of its forerunner what clients still ask: where the bucket is."""
    query = dict(request.pairs)
    if request.method == "HEAD":
        return Reply(200, b"", "application/xml", {"x-amz-bucket-region": "us-east-1"})
    if "location" in query:
        text = f'<?xml version="1.0" encoding="UTF-8"?>\n<LocationConstraint {_NAMESPACE}/>'
        return Reply(200, text.encode(), "application/xml")
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    token = query.get("continuation-token")
    try:
        most = min(int(query.get("max-keys", _MOST_KEYS)), _MOST_KEYS)
        after = urlsafe_b64decode(token).decode() if token else query.get("start-after", "")
    except ValueError:
        return s3_errors.error(400, "InvalidArgument", "The continuation token is incorrect")
    if query.get("list-type") != "2":
        after = query.get("marker", after)
    found = _after(_grouped(files.keys(prefix), prefix, delimiter), after, delimiter)
    shown = found[:most]
    encode = (lambda text: quote(text, safe="/")) if query.get("encoding-type") == "url" else escape
    body = [
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult {_NAMESPACE}>',
        f"<Name>{BUCKET}</Name><Prefix>{encode(prefix)}</Prefix>",
        f"<MaxKeys>{most}</MaxKeys><KeyCount>{len(shown)}</KeyCount>",
        f"<Delimiter>{encode(delimiter)}</Delimiter>" if delimiter else "",
        f"<StartAfter>{encode(query['start-after'])}</StartAfter>"
        if "start-after" in query
        else "",
        "<EncodingType>url</EncodingType>" if "encoding-type" in query else "",
        f"<IsTruncated>{'true' if len(found) > len(shown) else 'false'}</IsTruncated>",
    ]
    if token:
        body.append(f"<ContinuationToken>{token}</ContinuationToken>")
    if len(found) > len(shown) > 0:
        following = urlsafe_b64encode(shown[-1].encode()).decode()
        body.append(f"<NextContinuationToken>{following}</NextContinuationToken>")
        body.append(f"<NextMarker>{encode(shown[-1])}</NextMarker>")
    for name in shown:
        if delimiter and name.endswith(delimiter):
            continue
        stored = files.get(name)
        if stored is not None:
            body.append(
                f"<Contents><Key>{encode(name)}</Key>"
                f"<LastModified>{stored.last_modified:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
                f"<ETag>&quot;{stored.etag}&quot;</ETag><Size>{len(stored.body)}</Size>"
                "<StorageClass>STANDARD</StorageClass></Contents>"
            )
    groups = [name for name in shown if delimiter and name.endswith(delimiter)]
    body += [f"<CommonPrefixes><Prefix>{encode(n)}</Prefix></CommonPrefixes>" for n in groups]
    body.append("</ListBucketResult>")
    return Reply(200, "".join(body).encode(), "application/xml")


def _grouped(keys: Sequence[str], prefix: str, delimiter: str) -> list[str]:
    """Keys, those with a delimiter behind the prefix rolled up to it."""
    if not delimiter:
        return list(keys)
    rolled = []
    for key in keys:
        head, mark, _ = key[len(prefix) :].partition(delimiter)
        rolled.append(f"{prefix}{head}{mark}")
    return list(dict.fromkeys(rolled))


def _after(names: Sequence[str], after: str, delimiter: str) -> list[str]:
    if not after:
        return list(names)
    # A group that the last page ended with, or that begins before the mark, is over.
    return [n for n in names if n > after and not (delimiter and after.startswith(n))]

"""What S3 answers when something is wrong: a status and an XML document."""

from datetime import datetime
from uuid import uuid4
from xml.sax.saxutils import escape

from polygon_sandbox.replies import Reply

ENTITLEMENT = "x-amz-meta-entitlement-data-type"
"""The header that says which kind of data an object is."""


def error(status: int, code: str, message: str, resource: str = "", more: str = "") -> Reply:
    """An error as S3 words it; `more` are further elements of the document."""
    number = uuid4().hex[:16].upper()
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{escape(message)}</Message>{more}"
        f"<Resource>{escape(resource)}</Resource><RequestId>{number}</RequestId>"
        f"<HostId>{number}</HostId></Error>"
    )
    return Reply(status, body.encode(), "application/xml", {"x-amz-request-id": number})


def access_denied(resource: str, entitlement: str = "") -> Reply:
    """The 403 that does not say why, but for the object's kind of data where the plan lacks it."""
    reply = error(403, "AccessDenied", "Access Denied", resource)
    if entitlement:
        headers = {**reply.headers, ENTITLEMENT: entitlement}
        return Reply(403, reply.body, reply.content_type, headers)
    return reply


def unknown_access_key(resource: str, access_key_id: str) -> Reply:
    """An access key id that is not known."""
    return error(
        403,
        "InvalidAccessKeyId",
        "The AWS Access Key Id you provided does not exist in our records.",
        resource,
        f"<AWSAccessKeyId>{escape(access_key_id)}</AWSAccessKeyId>",
    )


def wrong_signature(resource: str) -> Reply:
    """A secret that is not that of the access key."""
    return error(
        403,
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method.",
        resource,
    )


def clock_skew(stamp: datetime, server: datetime) -> Reply:
    """A stamp that is more than 15 minutes off."""
    return error(
        403,
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
        "",
        f"<RequestTime>{stamp:%Y%m%dT%H%M%SZ}</RequestTime>"
        f"<ServerTime>{server:%Y-%m-%dT%H:%M:%SZ}</ServerTime>"
        "<MaxAllowedSkewMilliseconds>900000</MaxAllowedSkewMilliseconds>",
    )


def no_such_key(resource: str, key: str) -> Reply:
    """An object that is not there."""
    message = "The specified key does not exist."
    return error(404, "NoSuchKey", message, resource, f"<Key>{escape(key)}</Key>")


def slow_down() -> Reply:
    """Too much was asked for at once."""
    return error(503, "SlowDown", "Please reduce your request rate.")

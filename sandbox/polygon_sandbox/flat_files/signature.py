"""AWS Signature Version 4, checked as S3 checks it: in the header, or in the query of the URL."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, unquote

from polygon_sandbox.clock import UTC

_ALGORITHM = "AWS4-HMAC-SHA256"
_STAMP = "%Y%m%dT%H%M%SZ"
_UNSIGNED = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed, by whom, and when: `at` in UTC."""

    access_key_id: str
    at: datetime
    signature: str
    scope: Sequence[str]
    canonical: str

    def is_of(self, secret: str) -> bool:
        """Whether it was signed with a secret."""
        digest = hashlib.sha256(self.canonical.encode()).hexdigest()
        text = "\n".join([_ALGORITHM, self.at.strftime(_STAMP), "/".join(self.scope), digest])
        key = f"AWS4{secret}".encode()
        for part in self.scope:
            key = hmac.digest(key, part.encode(), "sha256")
        expected = hmac.new(key, text.encode(), "sha256").hexdigest()
        return hmac.compare_digest(expected, self.signature)


def read(
    method: str, raw_path: str, pairs: Sequence[tuple[str, str]], headers: Mapping[str, str]
) -> Signed | None:
    """The signature of a request; None if it has none, or one that cannot be read.

    Args:
        method: GET or HEAD.
        raw_path: the path as it was sent, percent signs and all.
        pairs: the decoded parameters of the query.
        headers: by names in lower case.
    """
    query = dict(pairs)
    try:
        if "X-Amz-Signature" in query:
            fields = {name: query[f"X-Amz-{name}"] for name in ("Credential", "SignedHeaders")}
            fields["Signature"] = query["X-Amz-Signature"]
            stamp, payload = query["X-Amz-Date"], _UNSIGNED
        else:
            scheme, _, rest = headers.get("authorization", "").partition(" ")
            if scheme != _ALGORITHM:
                return None
            fields = dict(part.strip().split("=", 1) for part in rest.split(","))
            stamp, payload = headers["x-amz-date"], headers["x-amz-content-sha256"]
        access_key_id, *scope = fields["Credential"].split("/")
        names = fields["SignedHeaders"].split(";")
        at = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
        canonical = "\n".join(
            [
                method,
                quote(unquote(raw_path), safe="/-_.~"),
                _canonical_query(pairs),
                *(f"{name}:{' '.join(headers[name].split())}" for name in names),
                "",
                ";".join(names),
                payload,
            ]
        )
        return Signed(access_key_id, at, fields["Signature"], scope, canonical)
    except (KeyError, ValueError):
        return None


def _canonical_query(pairs: Sequence[tuple[str, str]]) -> str:
    encoded = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in pairs
        if name != "X-Amz-Signature"
    )
    return "&".join(f"{name}={value}" for name, value in encoded)

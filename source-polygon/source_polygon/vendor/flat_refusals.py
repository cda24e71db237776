"""What an error of the flat files' S3 service means, each told from the others as far as S3 does.

S3 names an unknown access key, a wrong signature and a wrong clock. A plan without the data, days
before its history and an agreement that is not signed are one to it: AccessDenied.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any, Final

from source_polygon.clock import utc_now
from source_polygon.errors import config_error, system_error, transient_error


class FilesRefused(Exception):
    """The key pair is good, and may not have what was asked for.

    Attributes:
        words: the vendor's own, as a sentence.
        entitlement: which entitlement is missing, where the vendor says so.
    """

    def __init__(self, words: str, entitlement: str) -> None:
        super().__init__(words)
        self.words, self.entitlement = words, entitlement


class NoSuchFile(Exception):
    """There is no file of that name."""


class NothingThere(Exception):
    """A file has none of the bytes that were asked for: of the first, it is empty."""


class FileReplaced(Exception):
    """Another version has taken the place of a file while it was read."""


_ENTITLEMENT: Final = "x-amz-meta-entitlement-data-type"

_PAIR: Final = (
    "Copy both halves of the key pair again, from the dashboard under Flat Files, S3 access. Some "
    "accounts' secret is the API key itself."
)


@contextmanager
def judged(what: str, *, listing: bool = False) -> Iterator[None]:
    """Turn what boto3 raises within into what it means; `what` was asked for.

    Of a list of files, that there is no such thing is one of the bucket.

    Raises:
        FilesRefused, NoSuchFile, NothingThere, FileReplaced: see there.
        AirbyteTracedException: no usable answer; a config_error where the user can mend it.
    """
    # Imported here, as boto3 is: see flat_files.
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise _meaning(error.response, what, listing) from None
    except BotoCoreError as error:
        # Its text may hold the body of an answer; its kind says enough.
        raise transient_error(
            f"The flat files' S3 service gave no usable answer for {what}: "
            f"{type(error).__name__}. Check flat_files.endpoint and the network, or sync again "
            "later."
        ) from None


def _meaning(response: Mapping[str, Any], what: str, listing: bool) -> Exception:
    fault = response.get("Error", {})
    code, meta = str(fault.get("Code", "")), response.get("ResponseMetadata", {})
    status = int(meta.get("HTTPStatusCode", 0))
    words = _sentence(str(fault.get("Message", "")) or code)
    if code == "InvalidAccessKeyId" or status == 401:
        return config_error(f"flat_files.access_key_id is not known to the vendor. {_PAIR}")
    if code == "SignatureDoesNotMatch":
        return config_error(
            "flat_files.secret_access_key does not belong to flat_files.access_key_id: the "
            f"signature is wrong. {_PAIR}"
        )
    if code == "RequestTimeTooSkewed":
        return config_error(
            f"The clock of this machine is wrong{_by_how_much(meta)}, and S3 takes no request that "
            "is dated 15 minutes off. Set it, or let it be kept by NTP."
        )
    if code == "NoSuchBucket" or (listing and status == 404):
        return config_error(
            f"flat_files.bucket: there is no such bucket at the endpoint. {words} The vendor's is "
            "flatfiles."
        )
    if status == 404:
        return NoSuchFile(what)
    if status == 412:
        return FileReplaced(what)
    if status == 416:
        return NothingThere(what)
    if 300 <= status < 400 or code == "AuthorizationHeaderMalformed":
        return config_error(
            f"flat_files.endpoint sends requests elsewhere or to another region ({status} {code}), "
            "which is not followed, since they are signed. Give the address that serves the files."
        )
    if status == 403:
        return FilesRefused(words, str(meta.get("HTTPHeaders", {}).get(_ENTITLEMENT, "")))
    if status >= 500 or status == 429 or code in ("SlowDown", "RequestTimeout"):
        return transient_error(
            f"The flat files' S3 service is overloaded ({status} {code}) for {what}, even when "
            "asked again. Sync again later."
        )
    return system_error(f"The flat files' S3 service answers {status} {code} for {what}: {words}")


def _sentence(words: str) -> str:
    return words if words.endswith((".", "!", "?")) else f"{words}."


def _by_how_much(meta: Mapping[str, Any]) -> str:
    try:
        theirs = parsedate_to_datetime(meta["HTTPHeaders"]["date"])
        off = (utc_now() - theirs).total_seconds()
    except (KeyError, TypeError, ValueError):
        return ""
    return f" by {abs(off) / 60:,.0f} minutes, {'ahead' if off > 0 else 'behind'}"

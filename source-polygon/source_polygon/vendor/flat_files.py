"""The vendor's flat files: listed and read over S3, each fault told from the others.

Every request goes to the configured address: what would lead elsewhere, such as the redirect of a
region, is refused before it leaves. The key pair is all that is used of a machine's AWS settings.
"""

import logging
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from source_polygon.errors import system_error, transient_error
from source_polygon.vendor.auth import origin
from source_polygon.vendor.flat_refusals import FileReplaced, NothingThere, judged
from source_polygon.vendor.tally import TALLY
from source_polygon.vendor.unpacked import BrokenFile

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LOGGER = logging.getLogger("airbyte")

PRODUCT: Final = "flat files"
"""What their requests count for; no limit of the vendor's on them is known."""

PREFIXES: Final = {
    "stocks": "us_stocks_sip",
    "options": "us_options_opra",
    "indices": "us_indices",
    "fx": "global_forex",
    "crypto": "global_crypto",
    "futures_cme": "us_futures_cme",
    "futures_cbot": "us_futures_cbot",
    "futures_nymex": "us_futures_nymex",
    "futures_comex": "us_futures_comex",
}
"""Where the vendor keeps the files of an asset class."""

_ATTEMPTS: Final = 8
_CONNECT_SECONDS: Final = 10
_READ_SECONDS: Final = 60
_MOST_CONNECTIONS: Final = 50
_CHUNK: Final = 1 << 17

# Seconds before each further request for the rest of a file of which nothing more came. A reader
# that waits for its destination finds the connection closed many times in a large file.
_PAUSES: Final = (1, 2, 4, 8)

_KEY: Final = re.compile(r"(\d{4})/(\d{2})/(\1-\2-\d{2})\.csv\.gz")

# They would log signed headers and bodies, and be asked to by --debug.
_TALKATIVE: Final = ("boto3", "botocore", "s3transfer", "urllib3")


@dataclass(frozen=True)
class Access:
    """How the files are reached.

    Attributes:
        access_key_id: the half of the key pair that names it.
        secret_access_key: the half that signs.
        endpoint: address of the S3 service.
        bucket: where the files are.
    """

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    endpoint: str
    bucket: str


@dataclass(frozen=True)
class Listed:
    """A file that the bucket has.

    Attributes:
        day: the day that it is of.
        key: its name in the bucket.
        etag: changes when the file is replaced by other bytes.
        modified: when this version was put there, in UTC to the second.
    """

    day: date
    key: str
    etag: str
    modified: str

    @property
    def version(self) -> str:
        """What tells this version from all others, those of the same bytes too."""
        return f"{self.etag} {self.modified}"


class FlatFiles:
    """The bucket, by one key pair."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        """Open nothing yet; the first request does."""
        self._client = client
        self._bucket = bucket

    def listed(self, asset_class: str, dataset: str, since: date) -> list[Listed]:
        """Return the files of a dataset from a day on, oldest first.

        Raises:
            FilesRefused: the vendor does not let the key pair look.
            AirbyteTracedException: no usable answer.
        """
        prefix = f"{PREFIXES[asset_class]}/{dataset}/"
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket,
            Prefix=prefix,
            # All before it sorts lower. Where a service does not know this, it lists more.
            StartAfter=f"{prefix}{since:%Y/%m}/{since}",
        )
        found: dict[date, Listed] = {}
        with judged(f"the list of {prefix}", listing=True):
            for page in pages:
                if "IsTruncated" not in page:
                    # What a proxy answers in place of a list is read as one of nothing.
                    raise transient_error(
                        f"The flat files' S3 service answered something else than the list of "
                        f"{prefix}. Check flat_files.endpoint and the network, or sync again later."
                    )
                for each in page.get("Contents", []):
                    # Whole, so that a copy in another folder takes no file's place.
                    match = _KEY.fullmatch(each["Key"].removeprefix(prefix))
                    day = _day(match[3]) if match else None
                    if day and day >= since:
                        found[day] = Listed(
                            day, each["Key"], each["ETag"], to_second(each["LastModified"])
                        )
        return [found[day] for day in sorted(found)]

    def opened(self, key: str) -> "Opened":
        """Return a file, of which reading has not begun.

        Raises:
            FilesRefused: the vendor does not give it to this key pair.
            NoSuchFile: there is none.
            BrokenFile: what came is not an object of S3, but a proxy's page, say.
            AirbyteTracedException: no usable answer.
        """
        with judged(key):
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
        if not answer.get("ETag") or "LastModified" not in answer:
            raise BrokenFile("it came without ETag, as no S3 service sends it")
        return Opened(self._client, self._bucket, key, answer)

    def probe(self, key: str) -> None:
        """Ask for the first byte of a file.

        Raises:
            FilesRefused, NoSuchFile, AirbyteTracedException: as `opened`.
        """
        with suppress(NothingThere), judged(key):
            answer = self._client.get_object(Bucket=self._bucket, Key=key, Range="bytes=0-0")
            answer["Body"].close()


class Opened:
    """A file that is being read.

    Attributes:
        etag: that of the version which is read.
        modified: when the vendor put this version there, UTC.
    """

    def __init__(self, client: "S3Client", bucket: str, key: str, answer: Any) -> None:
        """Take the answer to a request for the whole file."""
        self._client, self._bucket, self._key = client, bucket, key
        self._answer = answer
        self.etag: str = answer["ETag"]
        self.modified: datetime = answer["LastModified"]
        # A proxy may pass it on in pieces, without saying how much; the end of gzip is proof, too.
        self._size = int(answer.get("ContentLength") or 0)

    def chunks(self) -> Iterator[bytes]:
        """Return the bytes of the file, in order; where a connection breaks off, the rest again.

        Raises:
            FileReplaced: another version has taken the file's place meanwhile.
            AirbyteTracedException: it broke off again and again.
        """
        passed = 0
        pauses = iter(_PAUSES)
        while True:
            before = passed
            try:
                for chunk in self._answer["Body"].iter_chunks(_CHUNK):
                    passed += len(chunk)
                    yield chunk
                if passed >= self._size:
                    return
                fault = f"{passed:,} of {self._size:,} bytes came"
            except GeneratorExit:
                self._answer["Body"].close()
                raise
            except Exception as error:  # noqa: BLE001 - whatever a connection may raise
                fault = type(error).__name__
            if passed > before:
                pauses = iter(_PAUSES)
            pause = next(pauses, None)
            if pause is None:
                raise transient_error(
                    f"Reading the flat file {self._key} breaks off, again and again: {fault}. "
                    "Sync again later."
                )
            LOGGER.warning("%s broke off (%s); asking for the rest.", self._key, fault)
            time.sleep(pause)
            try:
                self._ask_for_the_rest(passed)
            except NothingThere:
                return  # it broke off behind the last byte; whether that is so, gzip tells

    def _ask_for_the_rest(self, passed: int) -> None:
        with judged(self._key):
            self._answer = self._client.get_object(
                Bucket=self._bucket,
                Key=self._key,
                IfMatch=self.etag,
                Range=f"bytes={passed}-",
            )
        if self._answer.get("ETag") != self.etag:
            raise FileReplaced(self._key)
        if not str(self._answer.get("ContentRange", "")).startswith(f"bytes {passed}-"):
            raise system_error(
                f"The S3 service sent another part of {self._key} than was asked for. It is not "
                "one that can be read from."
            )


@lru_cache
def flat_files(access: Access) -> FlatFiles:
    """Return the bucket; its connections are shared by all who read from it."""
    return FlatFiles(_client(access), access.bucket)


def _client(access: Access) -> "S3Client":
    # Imported here: it takes a quarter of a second that other streams need not wait for.
    import boto3
    from botocore.config import Config
    from botocore.session import Session

    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Nothing of ~/.aws or AWS_PROFILE: a profile that is not there would be an error.
    nowhere = (None, None, None, None)
    session = Session(
        session_vars=dict.fromkeys(("profile", "config_file", "credentials_file"), nowhere)
    )
    client: S3Client = boto3.Session(
        access.access_key_id,
        access.secret_access_key,
        region_name="us-east-1",
        botocore_session=session,
    ).client(
        "s3",
        endpoint_url=access.endpoint,
        config=Config(
            signature_version="s3v4",
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            max_pool_connections=_MOST_CONNECTIONS,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )

    def leaves(request: Any, **_: Any) -> None:
        if origin(request.url) != origin(access.endpoint):
            raise system_error(
                "Refused to send a signed request to an address other than flat_files.endpoint.",
                f"Foreign origin {origin(request.url)!r}.",
            )
        TALLY.sends(PRODUCT)

    client.meta.events.register("before-send.s3", leaves)
    return client


def to_second(moment: datetime) -> str:
    """Return a time as text, in UTC to the second."""
    return f"{moment.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None

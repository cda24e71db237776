"""Where the subscription list lies: a file, or one object of an S3 bucket."""

from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from polygon_streaming.errors import ConfigError


class Unavailable(Exception):
    """The list cannot be read now; the text says why. It may come back."""


class ListSource(Protocol):
    """Gives the text of the list when it has changed."""

    def read(self) -> str | None:
        """Return the text, or None if it is the one returned last.

        Raises:
            Unavailable: it cannot be read now.
        """


class FileSource:
    """A local file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: str | None = None

    def read(self) -> str | None:
        """Return the text, or None if it has not changed."""
        try:
            text = self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable(f"{self._path} cannot be read: {error}") from error
        if text == self._last:
            return None
        self._last = text
        return text


class S3Source:
    """An object in S3 or anything that speaks its API.

    A conditional GET asks for the object only if its ETag has changed. `s3:GetObject` on this one
    object is all the permission needed; credentials and region come the way boto3 finds them.
    """

    def __init__(self, bucket: str, key: str, endpoint_url: str | None = None) -> None:
        # Here, because they are slow to import and a local file does without.
        import boto3
        from botocore.config import Config

        # A stop has to wait for a reading under way, and the next one comes anyway.
        patience = Config(
            connect_timeout=5, read_timeout=5, retries={"total_max_attempts": 2, "mode": "standard"}
        )
        self._bucket = bucket
        self._key = key
        self._s3: Any = boto3.client("s3", endpoint_url=endpoint_url, config=patience)
        self._etag: str | None = None

    def read(self) -> str | None:
        """Return the text, or None if the ETag has not changed."""
        from botocore.exceptions import BotoCoreError, ClientError

        condition = {"IfNoneMatch": self._etag} if self._etag else {}
        place = f"s3://{self._bucket}/{self._key}"
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=self._key, **condition)
            text: str = answer["Body"].read().decode("utf-8")
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 304:
                return None
            raise Unavailable(f"{place} cannot be read: {error}{_hint(error)}") from error
        except (BotoCoreError, UnicodeDecodeError) as error:
            raise Unavailable(f"{place} cannot be read: {error}") from error
        self._etag = answer["ETag"]
        return text


def open_source(place: str, endpoint_url: str | None = None) -> ListSource:
    """Return the source for a path or an `s3://bucket/key` address.

    Raises:
        ConfigError: the address names no object.
    """
    parts = urlsplit(place)
    if parts.scheme != "s3":
        return FileSource(Path(place))
    key = parts.path.lstrip("/")
    if not parts.netloc or not key:
        raise ConfigError(f"subscriptions: {place!r} names no object. Give s3://bucket/key.")
    return S3Source(parts.netloc, key, endpoint_url)


def _hint(error: Any) -> str:
    code = error.response["ResponseMetadata"]["HTTPStatusCode"]
    if code == 403:
        return ". Allow s3:GetObject on this object, and kms:Decrypt if it is encrypted."
    return ". Check bucket and key." if code == 404 else ""

"""The vendor's bucket, or a mirror of it."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

from polygon_streaming.backfill.kinds import Dataset
from polygon_streaming.backfill.outcomes import Broken, NotThere, Refused
from polygon_streaming.backfill.sources import READING, Found, day_of, insertion, quoted
from polygon_streaming.errors import ConfigError, StreamError
from polygon_streaming.settings import FlatFiles

_SECRETS: Final = "POLYGON_FLAT_FILES_ACCESS_KEY_ID and POLYGON_FLAT_FILES_SECRET_ACCESS_KEY"
# What S3 says of a pair that is of no use for any file.
_HOPELESS: Final = {
    "InvalidAccessKeyId": "flat_files_access_key_id: the server does not know this access key id. "
    "Both parts of the pair are on the dashboard's page of keys, under flat files",
    "SignatureDoesNotMatch": "flat_files_secret_access_key: the secret is not that of the access "
    "key id. Try the REST API's key, too: for some accounts it is the secret",
    "RequestTimeTooSkewed": "the clock of this machine is more than a quarter of an hour off; "
    "signatures are refused. Set it right",
    "NoSuchBucket": "flat_files_bucket: there is no such bucket at this endpoint",
}


class Bucket:
    """A bucket with the vendor's layout."""

    def __init__(self, settings: FlatFiles) -> None:
        """Prepare to ask; nothing is asked yet.

        Raises:
            ConfigError: there is no key.
        """
        import boto3
        from botocore.config import Config

        self._id = settings.flat_files_access_key_id.get_secret_value()
        self._secret = settings.flat_files_secret_access_key.get_secret_value()
        self._collection = settings.flat_files_collection
        if not (self._id and self._secret):
            raise ConfigError(
                f"There is no key for flat files. Set {_SECRETS}, or give --directory."
            )
        self._endpoint = settings.flat_files_endpoint.rstrip("/")
        self._bucket = settings.flat_files_bucket
        patience = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            connect_timeout=10,
            read_timeout=30,
            retries={"total_max_attempts": 5, "mode": "standard"},
            # Servers other than Amazon's do not know the newer checksums.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            max_pool_connections=32,
        )
        try:
            self._s3: Any = boto3.client(
                "s3",
                endpoint_url=self._endpoint,
                aws_access_key_id=self._id,
                aws_secret_access_key=self._secret,
                region_name="us-east-1",
                config=patience,
            )
        except ValueError:
            raise ConfigError(
                f"flat_files_endpoint: {self._endpoint!r} is not an address. Give https://host."
            ) from None

    def listed(self, dataset: Dataset, first: date, last: date) -> dict[date, Found]:
        """See `Source`."""
        prefix = f"{dataset.folder}/"
        ends = {"StartAfter": dataset.key(first)[:-18], "Bucket": self._bucket, "Prefix": prefix}
        found: dict[date, Found] = {}
        pages = self._s3.get_paginator("list_objects_v2").paginate(**ends)
        listing = self._asked(lambda: list(pages))
        # What a proxy answers in place of a list is read as one of nothing.
        if not all("IsTruncated" in page for page in listing):
            raise StreamError(
                f"flat files: {self._endpoint} answers with something else than a list."
            )
        for row in (row for page in listing for row in page.get("Contents", [])):
            day = day_of(row["Key"], dataset)
            if day is not None and first <= day <= last:
                found[day] = Found(row["Size"], row["ETag"].strip('"'))
        return found

    def look(self, dataset: Dataset, day: date) -> Found:
        """See `Source`."""
        key = dataset.key(day)
        answer = self._asked(
            lambda: self._s3.get_object(Bucket=self._bucket, Key=key, Range="bytes=0-0"), key
        )
        answer["Body"].close()
        if "ETag" not in answer:
            raise StreamError(
                f"flat files: {self._endpoint} answers with something else than a file."
            )
        size = int(answer.get("ContentRange", "/0").rpartition("/")[2])
        return Found(size, answer["ETag"].strip('"'))

    def insert(
        self, client: Any, dataset: Dataset, day: date, into: str, columns: Mapping[str, str]
    ) -> None:
        """See `Source`."""
        query = insertion(into, columns, self._table(dataset, day))
        client.command(query, settings=READING)

    def count(self, client: Any, dataset: Dataset, day: date) -> int:
        """See `Source`."""
        return int(client.command(f"SELECT count() FROM {self._table(dataset, day)}"))

    def _table(self, dataset: Dataset, day: date) -> str:
        """Return the table function that reads a file.

        ClickHouse writes the secret as [HIDDEN] wherever it shows a query. With a named collection
        neither part of the pair leaves the server at all.
        """
        url = quoted(f"{self._endpoint}/{self._bucket}/{dataset.key(day)}")
        structure = quoted(dataset.kind.structure)
        if self._collection:
            return (
                f"s3({self._collection}, url = {url}, format = 'CSVWithNames', "
                f"structure = {structure}, compression_method = 'gzip')"
            )
        pair = f"{quoted(self._id)}, {quoted(self._secret)}"
        return f"s3({url}, {pair}, 'CSVWithNames', {structure}, 'gzip')"

    def _asked(self, ask: Callable[[], Any], key: str = "") -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return ask()
        except ClientError as error:
            raise self._refusal(error, key) from None
        except (BotoCoreError, ValueError) as error:
            raise StreamError(f"flat files: {self._endpoint} cannot be asked: {error}") from None

    def _refusal(self, error: Any, key: str) -> StreamError:
        code = error.response["Error"]["Code"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 404 and not key:
            code = "NoSuchBucket"
        if code in _HOPELESS:
            return ConfigError(f"{_HOPELESS[code]}.")
        if code in ("NoSuchKey", "404"):
            return NotThere(f"{key} is not there.")
        if status == 416:
            return Broken("the file is empty.")
        if status != 403:
            return StreamError(f"flat files: {self._endpoint} answers {status} {code}.")
        if not key:
            return ConfigError(
                f"flat files: this key may not list the bucket {self._bucket!r}. Make sure that "
                "the account has flat files and that the agreement about market data is signed."
            )
        headers = error.response["ResponseMetadata"].get("HTTPHeaders", {})
        needed = headers.get("x-amz-meta-entitlement-data-type", "")
        if needed:
            return Refused(f"the plan does not include it; it would have to include {needed}.")
        return Refused(
            "it is listed but may not be read: the day is before the plan's history, the plan does "
            "not include it, or the agreement about market data is not signed."
        )

"""The bucket of flat files, asked by the client that everyone uses."""

import gzip
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError
from polygon_sandbox import Fault, Plan, Sandbox, World
from polygon_sandbox.flat_files import FilesSize, FlatFiles

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MONTH = "us_stocks_sip/minute_aggs_v1/2026/11/"
THURSDAY = f"{MONTH}2026-11-19.csv.gz"
FRIDAY = f"{MONTH}2026-11-20.csv.gz"

Connect = Callable[..., "S3Client"]


@pytest.fixture(scope="module")
def world() -> World:
    return World(stocks=3, delisted=0, otc=0, now="2026-11-20T22:30:00Z")


@pytest.fixture
def sandbox(world: World) -> Iterator[Sandbox]:
    with Sandbox(world, flat_files=FlatFiles(world, FilesSize(days=30, bar_minutes=2))) as running:
        yield running


@pytest.fixture
def connect(sandbox: Sandbox) -> Connect:
    def connected(**changes: Any) -> "S3Client":
        settings: dict[str, Any] = {
            "endpoint_url": sandbox.url,
            "aws_access_key_id": sandbox.flat_files.access_key_id,
            "aws_secret_access_key": sandbox.key,
            "region_name": "us-east-1",
            "config": Config(signature_version="s3v4", retries={"total_max_attempts": 1}),
        }
        client: S3Client = boto3.client("s3", **{**settings, **changes})
        return client

    return connected


@pytest.fixture
def client(connect: Connect) -> "S3Client":
    return connect()


def refusal(client: "S3Client", key: str = THURSDAY) -> tuple[int, str, str]:
    """Status, code and entitlement of a GET that is refused."""
    with pytest.raises(ClientError) as caught:
        client.get_object(Bucket="flatfiles", Key=key)
    answer: Any = caught.value.response
    meta = answer["ResponseMetadata"]
    entitlement = meta["HTTPHeaders"].get("x-amz-meta-entitlement-data-type", "")
    return meta["HTTPStatusCode"], answer["Error"]["Code"], entitlement


def test_an_object_is_sent_whole_and_in_parts(client: "S3Client") -> None:
    whole = client.get_object(Bucket="flatfiles", Key=THURSDAY)
    body = whole["Body"].read()
    assert gzip.decompress(body).startswith(b"ticker,volume,open,close,high,low,window_start,")
    part = client.get_object(Bucket="flatfiles", Key=THURSDAY, Range="bytes=10-19")
    assert part["Body"].read() == body[10:20]
    assert part["ContentRange"] == f"bytes 10-19/{len(body)}"
    assert part["ResponseMetadata"]["HTTPStatusCode"] == 206
    tail = client.get_object(Bucket="flatfiles", Key=THURSDAY, Range="bytes=-5")
    assert tail["Body"].read() == body[-5:]
    head = client.head_object(Bucket="flatfiles", Key=THURSDAY)
    assert (head["ContentLength"], head["ETag"]) == (len(body), whole["ETag"])
    quotes = client.head_object(Bucket="flatfiles", Key=THURSDAY.replace("minute_aggs", "quotes"))
    assert quotes["Metadata"] == {"entitlement-data-type": "nbbo"}
    assert head["LastModified"].isoformat() == "2026-11-20T16:00:00+00:00", "11:00 in New York"


def test_conditions_are_kept(client: "S3Client") -> None:
    tag = client.head_object(Bucket="flatfiles", Key=THURSDAY)["ETag"]
    client.get_object(Bucket="flatfiles", Key=THURSDAY, IfMatch=tag)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        client.get_object(Bucket="flatfiles", Key=THURSDAY, IfMatch='"another"')
    with pytest.raises(ClientError, match="304"):
        client.get_object(Bucket="flatfiles", Key=THURSDAY, IfNoneMatch=tag)
    with pytest.raises(ClientError, match="InvalidRange"):
        client.get_object(Bucket="flatfiles", Key=THURSDAY, Range="bytes=9999999-")


def test_objects_are_listed_page_by_page(client: "S3Client") -> None:
    pages = list(
        client.get_paginator("list_objects_v2").paginate(
            Bucket="flatfiles", Prefix=MONTH, PaginationConfig={"PageSize": 4}
        )
    )
    assert [page["KeyCount"] for page in pages] == [4, 4, 4, 2]
    found = [row for page in pages for row in page["Contents"]]
    days = [row["Key"][-17:-7] for row in found]
    assert days[:5] == ["2026-11-02", "2026-11-03", "2026-11-04", "2026-11-05", "2026-11-06"]
    assert days[-1] == "2026-11-19", "the file of a day appears the day after"
    head = client.head_object(Bucket="flatfiles", Key=found[-1]["Key"])
    assert (found[-1]["Size"], found[-1]["ETag"]) == (head["ContentLength"], head["ETag"])
    later = client.list_objects_v2(
        Bucket="flatfiles", Prefix=MONTH, StartAfter=f"{MONTH}2026-11-17.csv.gz"
    )
    assert [row["Key"][-17:-7] for row in later["Contents"]] == ["2026-11-18", "2026-11-19"]


def test_folders_are_rolled_up(client: "S3Client") -> None:
    def folders(prefix: str, **more: Any) -> list[str]:
        listed = client.list_objects_v2(Bucket="flatfiles", Prefix=prefix, Delimiter="/", **more)
        return [row["Prefix"] for row in listed["CommonPrefixes"]]

    assert len(folders("")) == 9
    assert folders("us_indices/") == [
        "us_indices/day_aggs_v1/",
        "us_indices/minute_aggs_v1/",
        "us_indices/values_v1/",
    ]
    assert folders("us_futures_cme/")[-2:] == [
        "us_futures_cme/session_aggs_v1/",
        "us_futures_cme/trades_v1/",
    ]
    first = client.list_objects_v2(Bucket="flatfiles", Delimiter="/", MaxKeys=8)
    rest = client.list_objects_v2(
        Bucket="flatfiles", Delimiter="/", ContinuationToken=first["NextContinuationToken"]
    )
    assert [row["Prefix"] for row in rest["CommonPrefixes"]] == ["us_stocks_sip/"]


def test_what_a_wrong_pair_is_told(connect: Connect) -> None:
    assert refusal(connect(aws_access_key_id="nobody"))[:2] == (403, "InvalidAccessKeyId")
    assert refusal(connect(aws_secret_access_key="wrong"))[:2] == (403, "SignatureDoesNotMatch")


def test_a_stamp_that_is_off_is_refused(sandbox: Sandbox, client: "S3Client") -> None:
    sandbox.flat_files.clock_ahead = timedelta(minutes=14)
    client.get_object(Bucket="flatfiles", Key=THURSDAY)
    sandbox.flat_files.clock_ahead = timedelta(minutes=16)
    assert refusal(client)[:2] == (403, "RequestTimeTooSkewed")


def test_get_is_refused_where_list_is_not(sandbox: Sandbox, client: "S3Client") -> None:
    sandbox.flat_files.agreement_signed = False
    assert refusal(client) == (403, "AccessDenied", "")
    sandbox.flat_files.agreement_signed = True
    sandbox.plan = Plan(markets=frozenset({"crypto"}))
    assert refusal(client) == (403, "AccessDenied", "aggregates")
    sandbox.plan = Plan(refused=("/us_stocks_sip/minute",))
    assert refusal(client) == (403, "AccessDenied", "aggregates")
    sandbox.plan = Plan(history_start=timedelta(days=2))
    client.get_object(Bucket="flatfiles", Key=THURSDAY)
    assert refusal(client, f"{MONTH}2026-11-17.csv.gz") == (403, "AccessDenied", "")
    assert client.list_objects_v2(Bucket="flatfiles", Prefix=MONTH)["KeyCount"] == 14


def test_what_is_not_there(sandbox: Sandbox, client: "S3Client") -> None:
    assert refusal(client, FRIDAY)[:2] == (403, "AccessDenied"), "not published yet"
    assert refusal(client, "us_stocks_sip/README")[:2] == (404, "NoSuchKey")
    sandbox.flat_files.unpublished_forbidden = False
    assert refusal(client, FRIDAY)[:2] == (404, "NoSuchKey")


def test_faults_strike_objects_too(sandbox: Sandbox, client: "S3Client") -> None:
    sandbox.faults.add(Fault.slow_down(path="2026-11-19", times=2))
    assert [refusal(client)[:2] for _ in range(2)] == [(503, "SlowDown")] * 2
    assert client.get_object(Bucket="flatfiles", Key=THURSDAY)["Body"].read()
    assert [request.status for request in sandbox.requests] == [503, 503, 200]


def test_the_secret_is_in_no_url(sandbox: Sandbox, client: "S3Client") -> None:
    url = client.generate_presigned_url(
        "get_object", Params={"Bucket": "flatfiles", "Key": THURSDAY}
    )
    assert requests.get(url, timeout=10).status_code == 200
    assert requests.get(url.replace("11-19", "11-18"), timeout=10).status_code == 403
    assert not any(request.key_in_url for request in sandbox.requests)
    assert requests.get(f"{sandbox.url}/flatfiles/{THURSDAY}", timeout=10).status_code == 403

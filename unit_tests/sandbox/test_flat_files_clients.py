"""The bucket of flat files beside another S3 (moto's), and read by those that will read it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer
from polygon_sandbox import Sandbox, World
from polygon_sandbox.flat_files import FilesSize, FlatFiles

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MONTH = "us_stocks_sip/minute_aggs_v1/2026/11/"
THURSDAY = f"{MONTH}2026-11-19.csv.gz"

Ask = Callable[["S3Client"], Any]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    world = World(stocks=3, delisted=0, otc=0, now="2026-11-20T22:30:00Z")
    files = FlatFiles(world, FilesSize(days=5, bar_minutes=2))
    files.unpublished_forbidden = False
    with Sandbox(world, flat_files=files) as running:
        yield running


@pytest.fixture(scope="module")
def ours(sandbox: Sandbox) -> "S3Client":
    return client(sandbox.url, sandbox.flat_files.access_key_id, sandbox.key)


@pytest.fixture(scope="module")
def motos(sandbox: Sandbox) -> Iterator["S3Client"]:
    """The same objects in moto's bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    other = client(f"http://{host}:{port}", "any", "any")
    other.create_bucket(Bucket="flatfiles")
    for key in sandbox.flat_files.keys(MONTH):
        stored = sandbox.flat_files.get(key)
        assert stored is not None
        other.put_object(
            Bucket="flatfiles",
            Key=key,
            Body=stored.body,
            ContentType="application/gzip",
            Metadata={"entitlement-data-type": "aggregates"},
        )
    yield other
    server.stop()


def client(url: str, access_key_id: str, secret: str) -> "S3Client":
    config = Config(
        signature_version="s3v4",
        retries={"total_max_attempts": 1},
        # Else moto would keep, and send, a checksum of what is put there.
        request_checksum_calculation="when_required",
    )
    made: S3Client = boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=config,
    )
    return made


ASKS: dict[str, Ask] = {
    "an object": lambda s3: s3.get_object(Bucket="flatfiles", Key=THURSDAY),
    "a part of it": lambda s3: s3.get_object(Bucket="flatfiles", Key=THURSDAY, Range="bytes=10-19"),
    "its end": lambda s3: s3.get_object(Bucket="flatfiles", Key=THURSDAY, Range="bytes=-10"),
    "its head": lambda s3: s3.head_object(Bucket="flatfiles", Key=THURSDAY),
    "a page": lambda s3: s3.list_objects_v2(Bucket="flatfiles", Prefix=MONTH, MaxKeys=2),
    "the rest": lambda s3: s3.list_objects_v2(
        Bucket="flatfiles", Prefix=MONTH, StartAfter=f"{MONTH}2026-11-17.csv.gz"
    ),
    "folders": lambda s3: s3.list_objects_v2(
        Bucket="flatfiles", Prefix="us_stocks_sip/minute_aggs_v1/", Delimiter="/"
    ),
    "nothing": lambda s3: s3.list_objects_v2(Bucket="flatfiles", Prefix="none/"),
    "no such object": lambda s3: s3.get_object(Bucket="flatfiles", Key="none"),
    "no such head": lambda s3: s3.head_object(Bucket="flatfiles", Key="none"),
    "beyond the end": lambda s3: s3.get_object(
        Bucket="flatfiles", Key=THURSDAY, Range="bytes=99999-"
    ),
    "another version": lambda s3: s3.get_object(
        Bucket="flatfiles", Key=THURSDAY, IfMatch='"another"'
    ),
    "the same version": lambda s3: s3.get_object(
        Bucket="flatfiles",
        Key=THURSDAY,
        IfNoneMatch=s3.head_object(Bucket="flatfiles", Key=THURSDAY)["ETag"],
    ),
}


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_the_answer_is_that_of_another_s3(ours: "S3Client", motos: "S3Client", ask: Ask) -> None:
    assert plain(answer(ours, ask)) == plain(answer(motos, ask))


def answer(s3: "S3Client", ask: Ask) -> dict[str, Any]:
    try:
        found: dict[str, Any] = ask(s3)
    except ClientError as error:
        found = dict(error.response)
    return found


def plain(found: dict[str, Any]) -> dict[str, Any]:
    """An answer without what differs from one server, or one moment, to the next."""
    status = found.pop("ResponseMetadata")["HTTPStatusCode"]
    body = found.pop("Body", None)
    for name in ("LastModified", "NextContinuationToken"):
        if name in found:
            found[name] = type(found[name])
    for row in found.get("Contents", []):
        del row["LastModified"]
        row.pop("ChecksumType", None)
        row.pop("ChecksumAlgorithm", None)
    error = found.get("Error", {}).get("Code")
    rest = {"Error": error} if error else found
    return {"status": status, "body": body and body.read(), **rest}


def test_clickhouse_reads_it(sandbox: Sandbox) -> None:
    url = f"{sandbox.url}/flatfiles/{MONTH}*.csv.gz"
    login = f"'{sandbox.flat_files.access_key_id}', '{sandbox.key}'"
    query = (
        "SELECT _file, count(), any(_etag), min(window_start) "
        f"FROM s3('{url}', {login}, 'CSVWithNames') GROUP BY 1 ORDER BY 1 FORMAT TSV"
    )
    done = run([sys.executable, "-c", f"import chdb; print(chdb.query({query!r}), end='')"])
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[0][:10] for row in rows] == [
        *("2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19"),
    ]
    assert {row[1] for row in rows} == {"6"}
    stored = sandbox.flat_files.get(THURSDAY)
    assert stored is not None
    assert rows[-1][2] == f'"{stored.etag}"'
    assert rows[-1][3] == "1795064400000000000"


def test_the_aws_command_line_reads_it(sandbox: Sandbox, tmp_path: Path) -> None:
    target = tmp_path / "day.csv.gz"
    done = run(
        ["aws", "s3", "cp", f"s3://flatfiles/{THURSDAY}", target, "--endpoint-url", sandbox.url],
        AWS_ACCESS_KEY_ID=sandbox.flat_files.access_key_id,
        AWS_SECRET_ACCESS_KEY=sandbox.key,
        AWS_DEFAULT_REGION="us-east-1",
    )
    assert done.returncode == 0, done.stderr
    stored = sandbox.flat_files.get(THURSDAY)
    assert stored is not None
    assert target.read_bytes() == stored.body


def run(command: list[Any], **environment: str) -> "subprocess.CompletedProcess[str]":
    beside = Path(sys.executable).parent
    path = f"{beside}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

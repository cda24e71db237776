"""Single answers of an S3 service: what breaks off, has no length, or is not a file."""

from collections.abc import Iterator
from datetime import date, datetime, timezone
from typing import Any

import pytest
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from botocore.exceptions import ClientError
from source_polygon.vendor.flat_files import FlatFiles, Opened

MODIFIED = datetime(2026, 11, 20, 16, tzinfo=timezone.utc)
FILE = bytes(range(95))


class Body:
    """What comes of an answer until it ends, or breaks off with an error."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self._pieces = pieces

    def iter_chunks(self, _: int) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def close(self) -> None:
        """Nothing is open."""


class Client:
    """A client of S3 whose connections break off after some bytes."""

    def __init__(self, each: int) -> None:
        self.each, self.asked = each, list[str]()

    def get_object(self, **asked: str) -> dict[str, Any]:
        self.asked.append(asked["Range"])
        start = int(asked["Range"][6:].split("-")[0])
        if start >= len(FILE):
            raise invalid_range()
        return self.answer(start)

    def answer(self, start: int) -> dict[str, Any]:
        return {
            "Body": Body(FILE[start : start + self.each], ConnectionResetError()),
            "ETag": "1",
            "LastModified": MODIFIED,
            "ContentRange": f"bytes {start}-",
        }

    def get_paginator(self, _: str) -> "Client":
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        names = ["2026/11/2026-11-18.csv.gz", "2026/11/2026-11-19.csv.gz.bak", "2026/11/readme"]
        names += ["2026/12/2026-11-18.csv.gz", "old/2026/11/2026-11-18.csv.gz"]
        rows = [{"Key": f"us_stocks_sip/trades_v1/{name}", "ETag": name} for name in names]
        contents = [{**row, "LastModified": MODIFIED} for row in rows]
        return [{"IsTruncated": False, "Contents": contents}]


def invalid_range() -> ClientError:
    fault: Any = {"Error": {"Code": "InvalidRange"}, "ResponseMetadata": {"HTTPStatusCode": 416}}
    return ClientError(fault, "GetObject")


def opened(client: Any, **answer: Any) -> Opened:
    return Opened(client, "flatfiles", "key", {**client.answer(0), **answer})


@pytest.mark.parametrize("size", [{}, {"ContentLength": len(FILE)}], ids=["in pieces", "at once"])
def test_a_file_may_break_off_as_often_as_more_of_it_comes(
    naps: list[float], size: dict[str, int]
) -> None:
    client = Client(10)
    assert b"".join(opened(client, **size).chunks()) == FILE
    assert client.asked == [f"bytes={start}-" for start in (*range(10, 100, 10), len(FILE))]
    assert naps == [1] * 10, "behind the last byte as well"


def test_a_file_of_which_nothing_more_comes_is_given_up(naps: list[float]) -> None:
    with pytest.raises(AirbyteTracedException, match="breaks off, again and again: Connection"):
        list(opened(Client(0), ContentLength=len(FILE)).chunks())
    assert naps == [1, 2, 4, 8]


def test_a_file_that_comes_without_its_length_is_read_to_its_end() -> None:
    assert list(opened(Client(10), Body=Body(b"ab", b"c")).chunks()) == [b"ab", b"c"]


@pytest.fixture
def files() -> FlatFiles:
    client: Any = Client(0)
    return FlatFiles(client, "flatfiles")


def test_what_lies_in_another_folder_takes_no_files_place(files: FlatFiles) -> None:
    (found,) = files.listed("stocks", "trades_v1", date(2026, 11, 1))
    assert found.key == "us_stocks_sip/trades_v1/2026/11/2026-11-18.csv.gz"


def test_a_page_in_place_of_a_list_is_not_an_empty_one(
    files: FlatFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What boto3 makes of a web page with status 200.
    monkeypatch.setattr(Client, "paginate", lambda *_, **__: [{"ResponseMetadata": {}}])
    with pytest.raises(AirbyteTracedException, match="something else than the list of us_stocks"):
        files.listed("stocks", "trades_v1", date(2026, 11, 1))


def test_an_empty_file_may_be_read(files: FlatFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unit_tests.connector.flat.test_connections.FILE", b"")
    files.probe("key")

"""The list from a file and from a real S3 API (moto's server)."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from polygon_streaming.errors import ConfigError
from polygon_streaming.process import metrics
from polygon_streaming.subscriptions.live import SubscriptionList
from polygon_streaming.subscriptions.sources import S3Source, Unavailable, open_source

ONE = "market,channel,symbol\nstocks,A,AAPL\n"
TWO = "market,channel,symbol\nstocks,A,MSFT\n"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, str]]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client("s3", endpoint_url=url)
    client.create_bucket(Bucket="lists")
    yield client, url
    for key in client.list_objects_v2(Bucket="lists").get("Contents", []):
        client.delete_object(Bucket="lists", Key=key["Key"])
    server.stop()


def test_an_object_is_fetched_again_only_when_it_has_changed(s3: tuple[Any, str]) -> None:
    client, url = s3
    client.put_object(Bucket="lists", Key="live/subs.csv", Body=ONE)
    source = open_source("s3://lists/live/subs.csv", url)
    assert isinstance(source, S3Source)
    assert source.read() == ONE
    assert source.read() is None
    client.put_object(Bucket="lists", Key="live/subs.csv", Body=TWO)
    assert source.read() == TWO
    assert source.read() is None


def test_a_missing_object_says_so_and_comes_back(s3: tuple[Any, str]) -> None:
    client, url = s3
    source = open_source("s3://lists/subs.csv", url)
    with pytest.raises(Unavailable, match=r"s3://lists/subs.csv cannot be read: .*Check bucket"):
        source.read()
    client.put_object(Bucket="lists", Key="subs.csv", Body=ONE)
    assert source.read() == ONE


def test_the_last_good_list_stays_through_deletion_and_errors(s3: tuple[Any, str]) -> None:
    client, url = s3
    client.put_object(Bucket="lists", Key="subs.csv", Body=ONE)
    listed = SubscriptionList(open_source("s3://lists/subs.csv", url))
    listed.load()
    failures = metrics.FEED.get_sample_value("polygon_subscriptions_reload_failures_total") or 0
    client.delete_object(Bucket="lists", Key="subs.csv")
    assert not listed.refresh()
    client.put_object(Bucket="lists", Key="subs.csv", Body=ONE + "nowhere,A,X\n")
    assert not listed.refresh()
    assert listed.names("stocks") == {"A.AAPL"}
    assert metrics.FEED.get_sample_value("polygon_subscriptions_reload_successful") == 0
    after = metrics.FEED.get_sample_value("polygon_subscriptions_reload_failures_total")
    assert after == failures + 2
    client.put_object(Bucket="lists", Key="subs.csv", Body=TWO)
    assert listed.refresh()
    assert listed.names("stocks") == {"A.MSFT"}
    assert metrics.FEED.get_sample_value("polygon_subscriptions_reload_successful") == 1


def test_a_bad_list_stays_bad_while_it_does_not_change(tmp_path: Path) -> None:
    path = tmp_path / "subs.csv"
    path.write_text(ONE)
    listed = SubscriptionList(open_source(str(path)))
    listed.load()
    path.write_text(ONE + "nowhere,A,X\n")
    for _ in range(2):
        assert not listed.refresh()
        assert metrics.FEED.get_sample_value("polygon_subscriptions_reload_successful") == 0
    path.unlink()
    assert not listed.refresh()
    path.write_text(ONE)
    assert not listed.refresh()
    assert metrics.FEED.get_sample_value("polygon_subscriptions_reload_successful") == 1


def test_a_list_that_is_no_csv_is_refused_and_the_last_good_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "subs.csv"
    path.write_text(ONE)
    listed = SubscriptionList(open_source(str(path)))
    listed.load()
    # A quote that is never closed: the csv module gives up after 131,072 characters.
    path.write_text(ONE + 'stocks,A,"MSFT\n' + "stocks,A,GOOG\n" * 12_000)
    assert not listed.refresh()
    assert listed.names("stocks") == {"A.AAPL"}


def test_shards_read_nothing_that_a_wildcard_brings_to_another(tmp_path: Path) -> None:
    path = tmp_path / "subs.csv"
    symbols = [f"S{n}" for n in range(20)]
    rows = [f"stocks,A,{symbol}\nstocks,AM,{symbol}\n" for symbol in symbols]
    path.write_text("market,channel,symbol\nstocks,A,*\n" + "".join(rows))
    read: list[str] = []
    for index in range(3):
        listed = SubscriptionList(open_source(str(path)), index, 3)
        listed.load()
        read += listed.names("stocks")
    assert sorted(read) == sorted(["A.*", *(f"AM.{symbol}" for symbol in symbols)])


def test_a_bucket_that_does_not_answer_is_given_up_before_a_stop_would_wait_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        source = open_source("s3://lists/subs.csv", f"http://127.0.0.1:{mute.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(Unavailable, match="Read timeout"):
            source.read()
        assert time.monotonic() - started < 15


def test_without_a_first_good_list_there_is_no_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"subscriptions: .*cannot be read"):
        SubscriptionList(open_source(str(tmp_path / "none.csv"))).load()
    bad = tmp_path / "bad.csv"
    bad.write_text(ONE + "stocks,A\n")
    with pytest.raises(ConfigError, match=r"Row 3: 2 fields"):
        SubscriptionList(open_source(str(bad))).load()


@pytest.mark.parametrize("place", ["s3://bucket", "s3://", "s3:///key"])
def test_an_address_without_an_object_is_refused(place: str) -> None:
    with pytest.raises(ConfigError, match=r"Give s3://bucket/key"):
        open_source(place)

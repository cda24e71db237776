"""What the brokers do not take: every event is on the topic, or lost, counted and on record."""

import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import msgspec
import pytest
from polygon_sandbox import StreamSandbox
from polygon_streaming import from_text

from integration_tests.kafka.kafka_broker import Broker
from integration_tests.kafka.more_brokers import GuardedBroker, Member
from integration_tests.kafka.stages import Stage, end_of, read_topic, read_values, wait_until
from integration_tests.servers import free_ports

pytestmark = pytest.mark.kafka_tests

RATE = 1_000


class Feeding:
    """A feed of the sandbox's market, its topics, and what is known of it."""

    def __init__(
        self, server: StreamSandbox, topics: dict[str, str], folder: Path, **flags: object
    ) -> None:
        self.topics = topics
        self._server = server
        self._log = folder / "log"
        (self._port,) = free_ports(1)
        subscriptions = folder / "subscriptions.csv"
        subscriptions.write_text("market,channel,symbol\nstocks,A,*\n")
        self.stage = Stage(
            self._log,
            "feed",
            **{
                **topics,
                "feed": server.host,
                "tls": False,
                "subscriptions": subscriptions,
                "http_port": self._port,
                "log_format": "json",
                **flags,
            },
        )

    def readiness(self) -> str:
        """Return what /readyz says now."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/readyz", timeout=5) as at:
                return str(at.read(), "utf-8").strip()
        except urllib.error.HTTPError as error:
            return str(error.read(), "utf-8").strip()
        except OSError:
            return "not served"

    def wait_for(self, words: str, seconds: float = 30) -> None:
        """Wait until /readyz says something."""
        deadline = time.monotonic() + seconds
        while words not in (found := self.readiness()):
            assert time.monotonic() < deadline, f"not {words!r} in {seconds} s, but {found!r}"
            time.sleep(0.1)

    def pause(self) -> None:
        """Hush the market, and wait until everything sent is on the topic."""
        self._server.rate = 0.001
        time.sleep(0.5)
        address, topic = self.topics["bootstrap_servers"], self.topics["raw_topic"]
        wait_until(lambda: end_of(address, topic) == self._server.sent, 30, "all is on the topic")

    def go_on(self) -> None:
        """Let the market send again."""
        self._server.rate = RATE

    def hush(self) -> None:
        """Stop the market, and give what it sent the time to be read."""
        self._server.rate = 0.001
        time.sleep(1)

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """Return the log lines, or those of one event."""
        found = [json.loads(line) for line in self.stage.log().splitlines() if line[:1] == "{"]
        return [line for line in found if event in ("", line["event"])]

    def summary(self) -> dict[str, Any]:
        """Return the last word of the feed."""
        (line,) = self.lines("stopped")
        return line


def _account(
    feeding: Feeding, sent: int, gone_before: int = 0, *, given_up: bool = False
) -> list[dict[str, Any]]:
    """Count every event; return the gaps.

    Args:
        feeding: the feed, stopped.
        sent: how many events the market has sent.
        gone_before: how many went with a topic that was deleted.
        given_up: some were on their way when the feed gave up. What the brokers did with those is
            not known: they are on record as missing, whether they are or not.
    """
    address = feeding.topics["bootstrap_servers"]
    times = {
        msgspec.json.decode(message.value() or b"")["n"]: message.timestamp()[1]
        for message in read_topic(address, feeding.topics["raw_topic"])
    }
    missing = sorted(set(range(gone_before + 1, sent + 1)) - set(times))
    summary = feeding.summary()
    assert summary["lost"] >= len(missing) if given_up else summary["lost"] == len(missing)
    assert summary["delivered"] + summary["lost"] == sent
    assert summary["gaps_not_recorded"] == 0
    gaps: list[dict[str, Any]] = read_values(address, feeding.topics["gaps_topic"])
    assert summary["gaps"] == len(gaps)
    windows = [(from_text(gap["from"]), from_text(gap["to"])) for gap in gaps]
    present = sorted(times)
    for number in missing:
        before = max((n for n in present if n < number), default=None)
        after = min((n for n in present if n > number), default=None)
        assert any(
            (before is None or end >= times[before]) and (after is None or start <= times[after])
            for start, end in windows
        ), number
    return gaps


def test_what_is_too_large_for_a_while_is_counted_and_on_record(
    broker: Broker, topics: dict[str, str], tmp_path: Path
) -> None:
    raw = topics["raw_topic"]
    with StreamSandbox(rate=RATE) as server:
        feeding = Feeding(server, topics, tmp_path)
        wait_until(lambda: server.sent > 2_000, 30, "events flow")
        broker.configure(raw, "max.message.bytes", "100")
        feeding.wait_for("stocks: events are being lost: not_delivered: MSG_SIZE_TOO_LARGE")
        time.sleep(3)
        broker.configure(raw, "max.message.bytes", "1000000")
        wait_until(lambda: feeding.readiness() == "ok", 30, "ready again")
        feeding.hush()
        assert feeding.stage.stop() == 0
        gaps = _account(feeding, server.sent)
    assert feeding.summary()["lost"] >= 2 * RATE
    assert [gap["reason"] for gap in gaps] == ["not_delivered: MSG_SIZE_TOO_LARGE"]
    assert len(gaps[0]["subscriptions"]) > 100
    assert len(feeding.lines("events are being lost")) == 1


def test_a_topic_that_is_missing_or_deleted_is_named_and_each_event_counted(
    broker: Broker, topics: dict[str, str], tmp_path: Path
) -> None:
    raw, own = topics["raw_topic"], "allow.auto.create.topics=false"
    missing = {**topics, "raw_topic": f"{raw}-never", "gaps_topic": f"{raw}-gaps"}
    broker.create(missing["gaps_topic"])
    (tmp_path / "never").mkdir()
    with StreamSandbox(rate=RATE) as server, StreamSandbox(rate=RATE) as other:
        never = Feeding(other, missing, tmp_path / "never", kafka=own)
        feeding = Feeding(server, topics, tmp_path, kafka=own)
        wait_until(lambda: server.sent > 2_000, 30, "events flow")
        never.wait_for(f"kafka: the topic {raw}-never is missing", 10)
        feeding.pause()
        gone = server.sent
        broker.delete(raw)
        feeding.go_on()
        feeding.wait_for(f"kafka: the topic {raw} is missing", 10)
        feeding.wait_for("stocks: events are being lost: ", 50)
        never.wait_for("stocks: events are being lost: ", 50)
        broker.create(raw)
        wait_until(lambda: feeding.readiness() == "ok", 60, "ready again")
        other.rate = 0.001
        feeding.hush()
        assert never.stage.stop() == 1
        assert feeding.stage.stop() == 0
        gaps = _account(feeding, server.sent, gone)
        sent_there = other.sent
    assert feeding.summary()["lost"] > 0
    assert all("UNKNOWN" in gap["reason"] for gap in gaps)
    assert never.summary()["lost"] == sent_there
    assert never.summary()["delivered"] == 0
    (gap,) = read_values(topics["bootstrap_servers"], missing["gaps_topic"])
    assert "UNKNOWN_TOPIC" in gap["reason"]
    assert gap["subscriptions"][0].startswith("A.")
    assert len(never.lines("events are being lost")) <= 2
    assert len(never.lines()) < 20


def test_a_right_that_is_revoked_loses_nothing_unrecorded(tmp_path: Path) -> None:
    with GuardedBroker(tmp_path / "guarded") as broker, StreamSandbox(rate=RATE) as server:
        names = {f"{kind}_topic": kind for kind in ("raw", "dead_letter", "gaps")}
        broker.create(*names.values())
        broker.allow(*names.values())
        topics = {"bootstrap_servers": broker.guarded_address, **names}
        feeding = Feeding(server, topics, tmp_path, kafka=broker.login)
        wait_until(lambda: server.sent > 2_000, 30, "events flow")
        broker.revoke("raw")
        feeding.wait_for("TOPIC_AUTHORIZATION_FAILED")
        time.sleep(3)
        broker.allow("raw")
        wait_until(lambda: feeding.readiness() == "ok", 30, "ready again")
        feeding.hush()
        assert feeding.stage.stop() == 0
        feeding.topics["bootstrap_servers"] = broker.address
        gaps = _account(feeding, server.sent)
    assert feeding.summary()["lost"] >= 2 * RATE
    assert gaps
    assert all("TOPIC_AUTHORIZATION_FAILED" in gap["reason"] for gap in gaps)


def test_too_few_copies_are_waited_for_and_what_waits_at_the_stop_is_on_record(
    tmp_path: Path,
) -> None:
    with (
        Member(tmp_path / "1", 1) as broker,
        Member(tmp_path / "2", 2, broker) as second,
        Member(tmp_path / "3", 3, broker) as third,
        StreamSandbox(rate=RATE) as server,
    ):
        broker.create("raw", copies=3, min_insync_replicas="2")
        broker.create("gaps", "dead_letter", copies=3, min_insync_replicas="1")
        names = {f"{kind}_topic": kind for kind in ("raw", "dead_letter", "gaps")}
        feeding = Feeding(server, {"bootstrap_servers": broker.address, **names}, tmp_path)
        wait_until(lambda: server.sent > 2_000, 30, "events flow")
        second.kill()
        third.kill()
        feeding.wait_for("records was taken for", 60)
        second.start()
        wait_until(lambda: feeding.readiness() == "ok", 60, "ready again")
        feeding.pause()
        assert read_values(broker.address, "gaps") == [], "a wait costs memory, not data"
        second.kill()
        feeding.go_on()
        time.sleep(8)
        feeding.hush()
        assert feeding.stage.stop() == 1
        second.start()
        gaps = _account(feeding, server.sent, given_up=True)
    summary = feeding.summary()
    assert summary["lost"] == summary["undelivered"] > RATE
    assert summary["seconds"] < 20
    assert {gap["reason"].partition(":")[0] for gap in gaps} == {"not_delivered"}
    assert "They are on record as gaps" in feeding.stage.log()


def test_an_outage_of_a_minute_is_a_few_lines_and_the_feed_says_so(
    broker: Broker, topics: dict[str, str], tmp_path: Path
) -> None:
    with StreamSandbox(rate=RATE) as server:
        feeding = Feeding(server, topics, tmp_path)
        wait_until(lambda: server.sent > 2_000, 30, "events flow")
        wait_until(lambda: feeding.readiness() == "ok", 10, "ready")
        before = len(feeding.stage.log().splitlines())
        broker.kill()
        feeding.wait_for("kafka: the brokers have not answered for", 30)
        time.sleep(50)
        lines = feeding.stage.log().splitlines()[before:]
        assert 1 <= len(lines) <= 20, lines
        assert "kafka: the brokers have not answered for" in feeding.readiness()
        broker.start()
        wait_until(lambda: feeding.readiness() == "ok", 60, "ready again")
        feeding.hush()
        assert feeding.stage.stop() == 0
        assert _account(feeding, server.sent) == []
    assert feeding.summary()["lost"] == 0

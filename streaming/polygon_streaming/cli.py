"""The command `polygon-stream`."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from threading import Event, Thread
from typing import Final

import structlog

from polygon_streaming import settings
from polygon_streaming.errors import StreamError, did_you_mean
from polygon_streaming.process import garbage, logs
from polygon_streaming.process.status import Health

log = structlog.get_logger()

# Beyond what any call to brokers or ClickHouse may take.
_STUCK_SECONDS: Final = 45.0
# Container platforms kill after 20 to 30 s; a stop in order takes a second or two.
_STOP_SECONDS: Final = 18.0

_HELP: Final = """\
polygon-stream carries Polygon.io (Massive.com) market data through Kafka.

  polygon-stream feed      WebSocket -> polygon_stream_aggregates, until SIGTERM
  polygon-stream filter    -> custom_filtered_stock_data_topic, exactly once, until SIGTERM
  polygon-stream sink      -> ClickHouse, at least once, until SIGTERM
  polygon-stream heal      recorded gaps, from the REST API into the raw topic
  polygon-stream doctor    check key, list, rules, Kafka and ClickHouse

Each has its own --help. A first run, with Kafka on localhost:

  printf 'market,channel,symbol\\nstocks,A,AAPL\\n' > subscriptions.csv
  export POLYGON_API_KEY=...
  polygon-stream doctor
  polygon-stream feed --http-port 9101
  polygon-stream filter --http-port 9102

Every setting is a flag, or POLYGON_STREAM_<NAME> in the environment, or a line of the YAML file
that POLYGON_STREAM_CONFIG names; the first of these wins. Confluent Cloud:

  export POLYGON_STREAM_BOOTSTRAP_SERVERS=pkc-....confluent.cloud:9092
  export POLYGON_STREAM_KAFKA='{"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN",
                                "sasl.username": "...", "sasl.password": "..."}'

Exit status: 0 done or stopped in order, 1 failed (start it again), 2 wrong settings (correct them).
"""


def main() -> None:
    """Run the command line and exit."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write(_HELP)
        sys.exit(0 if arguments else 2)
    if arguments[0] == "--version":
        sys.stdout.write(f"polygon-stream {version('polygon-streaming')}\n")
        sys.exit(0)
    name, *rest = arguments
    command = _COMMANDS.get(name)
    if command is None:
        sys.stderr.write(
            f"polygon-stream: {name!r} is not a command. Give one of {', '.join(_COMMANDS)}."
            f"{did_you_mean(name, _COMMANDS)}\n"
        )
        sys.exit(2)
    try:
        sys.exit(command(rest))
    except StreamError as error:
        sys.stderr.write(f"polygon-stream {name}: {error}\n")
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        sys.exit(130)


def _feed(arguments: list[str]) -> int:
    given = settings.load(settings.FeedSettings, arguments)
    logs.set_up(given.log_format, given.log_level)
    from polygon_streaming.feed.supervisor import Feed
    from polygon_streaming.process.status import StatusServer
    from polygon_streaming.subscriptions.live import SubscriptionList
    from polygon_streaming.subscriptions.sources import open_source

    listed = SubscriptionList(
        open_source(given.subscriptions, given.s3_endpoint_url), *given.shard_of
    )
    listed.load()

    async def run() -> None:
        feed = Feed(given, listed)
        health = Health(feed.problems)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, feed.stop)
        beating = asyncio.create_task(_beat(health))
        garbage.collect_seldom()
        with StatusServer(given.http_host, given.http_port, health, "feed"):
            await feed.run()
        beating.cancel()

    asyncio.run(run())
    return 0


def _filter(arguments: list[str]) -> int:
    given = settings.load(settings.FilterSettings, arguments)
    logs.set_up(given.log_format, given.log_level)
    from polygon_streaming.filter.clients import Fenced
    from polygon_streaming.filter.loop import Filter
    from polygon_streaming.kafka.watch import BrokerWatch
    from polygon_streaming.process.status import StatusServer

    stop = _stop_on_signal()
    health = Health(lambda: watch.problems() + stage.problems())
    stage = Filter(given, health)
    topics = [
        given.raw_topic,
        *given.targets.values(),
        given.dead_letter_topic,
        given.gaps_topic,
    ]
    watch = BrokerWatch(given, topics, health.beat, stage.producer)
    _guard("filter", stop, health)
    garbage.collect_seldom()
    with watch, StatusServer(given.http_host, given.http_port, health, "filter"):
        while True:
            outages = watch.outages
            try:
                stage.run(stop)
                return 0
            except Fenced as fenced:
                # During an outage a transaction outlives its time, and a consumer may be fenced by
                # its own second attempt to join. What a restart would do can be done here.
                if watch.outages == outages:
                    raise
                log.warning("starting anew after an outage of the brokers", reason=str(fenced))
                stage = Filter(given, health)
                watch.creator = stage.producer


def _sink(arguments: list[str]) -> int:
    given = settings.load(settings.SinkSettings, arguments)
    logs.set_up(given.log_format, given.log_level)
    from polygon_streaming.kafka.watch import BrokerWatch
    from polygon_streaming.process.status import StatusServer
    from polygon_streaming.sink.sink import Sink

    stop = _stop_on_signal()
    health = Health(lambda: watch.problems() + stage.problems())
    stage = Sink(given, health)
    watch = BrokerWatch(given, list(given.targets.values()), health.beat)
    _guard("sink", stop, health)
    garbage.collect_seldom()
    with watch, StatusServer(given.http_host, given.http_port, health, "sink"):
        stage.run(stop)
    return 0


def _heal(arguments: list[str]) -> int:
    given = settings.load(settings.HealSettings, arguments)
    logs.set_up(given.log_format, given.log_level)
    from polygon_streaming.gaps.heal import Healer

    stop = _stop_on_signal()
    _guard("heal", stop)
    done = Healer(given).run(stop)
    sys.stdout.write(f"{done}\n")
    return 0 if done.all_well else 1


def _doctor(arguments: list[str]) -> int:
    given = settings.load(settings.DoctorSettings, arguments)
    logs.set_up(given.log_format, "error")
    from polygon_streaming.doctor import examine

    well = True
    for name, good, found in examine(given):
        well &= good
        sys.stdout.write(f"{'ok   ' if good else 'WRONG'}  {name:<14} {found}\n")
        sys.stdout.flush()
    return 0 if well else 1


async def _beat(health: Health) -> None:
    while True:
        health.beat()
        await asyncio.sleep(0.5)


def _guard(stage: str, stop: Event, health: Health | None = None) -> None:
    Thread(target=_end_if_stuck, args=(stage, stop, health), name="guard", daemon=True).start()


def _end_if_stuck(stage: str, stop: Event, health: Health | None) -> None:
    """End the process if it no longer goes round, or does not stop in time.

    What it had not committed is read again. `send_offsets_to_transaction` of librdkafka does not
    keep its timeout (its issue 5456), and nothing but the end of the process ends the call. While
    no broker answers that is no fault: `BrokerWatch` beats meanwhile, so that the time counts from
    when they are back.
    """
    while not stop.wait(1):
        if health is not None and health.stuck_seconds() >= _STUCK_SECONDS:
            _end_now(f"{stage}: it has not gone on for {_STUCK_SECONDS:.0f} s. Start it again.")
    time.sleep(_STOP_SECONDS)
    _end_now(
        f"{stage}: a call has not returned within {_STOP_SECONDS:.0f} s of the stop. Nothing is "
        "lost: the next start reads again what was not committed."
    )


def _end_now(words: str) -> None:
    sys.stderr.write(f"polygon-stream {words}\n")
    sys.stderr.flush()
    os._exit(1)


def _stop_on_signal() -> Event:
    """Return an event that SIGINT and SIGTERM set, whatever the main thread is waiting for.

    Python runs handlers in the main thread, between two of its own instructions: not while that
    thread is in a call of librdkafka. The byte of the wake-up descriptor is written at once.
    """
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.detach())

    def wait() -> None:
        reader.recv(1)
        stop.set()

    Thread(target=wait, name="signals", daemon=True).start()
    return stop


_COMMANDS: Final[dict[str, Callable[[list[str]], int]]] = {
    "feed": _feed,
    "filter": _filter,
    "sink": _sink,
    "heal": _heal,
    "doctor": _doctor,
}

"""The command `polygon-stream`."""

import sys
from collections.abc import Callable
from importlib.metadata import version
from threading import Event
from typing import Final, Protocol, TypeVar

from polygon_streaming import settings
from polygon_streaming.errors import StreamError, did_you_mean
from polygon_streaming.process import garbage, logs, signals, status

S = TypeVar("S", bound=settings.Settings)

_HELP: Final = """\
polygon-stream carries Polygon.io (Massive.com) market data through Kafka.

  polygon-stream feed      WebSocket -> polygon_stream_aggregates, until SIGTERM
  polygon-stream filter    -> custom_filtered_stock_data_topic, exactly once, until SIGTERM
  polygon-stream sink      -> ClickHouse, at least once, until SIGTERM
  polygon-stream heal      recorded gaps, from the REST API into the raw topic
  polygon-stream backfill  history from the vendor's flat files into ClickHouse
  polygon-stream verify    a streamed day against the vendor's file of it; mends it with --mend
  polygon-stream doctor    check key, list, rules, Kafka, ClickHouse and flat files

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
    given = _load(settings.FeedSettings, arguments)
    from polygon_streaming.feed.clients import connect
    from polygon_streaming.feed.supervisor import Feed
    from polygon_streaming.subscriptions.live import SubscriptionList
    from polygon_streaming.subscriptions.sources import open_source

    source = open_source(given.subscriptions, given.s3_endpoint_url)
    listed = SubscriptionList(source, *given.shard_of)
    listed.load()
    # Nothing in its loop waits for brokers, and its end takes as long as its queue may need.
    return run_stage(given, Feed(given, listed, connect(given)), guarded=False)


def _filter(arguments: list[str]) -> int:
    given = _load(settings.FilterSettings, arguments)
    from polygon_streaming.filter.stage import FilterStage
    from polygon_streaming.kafka.clients import asker

    return run_stage(given, FilterStage(given, asker(given)))


def _sink(arguments: list[str]) -> int:
    given = _load(settings.SinkSettings, arguments)
    from polygon_streaming.sink.clients import connect
    from polygon_streaming.sink.sink import Sink

    return run_stage(given, Sink(given, connect(given)))


def _heal(arguments: list[str]) -> int:
    given = _load(settings.HealSettings, arguments)
    from polygon_streaming.gaps.clients import connect
    from polygon_streaming.gaps.heal import Healer

    stop = signals.stop_on_signal()
    signals.guard("heal", stop)
    done = Healer(given, connect(given)).run(stop)
    sys.stdout.write(f"{done}\n")
    return 0 if done.all_well else 1


def _backfill(arguments: list[str]) -> int:
    given = _load(settings.BackfillSettings, arguments)
    import time

    from polygon_streaming.backfill import progress
    from polygon_streaming.backfill.clients import connect
    from polygon_streaming.backfill.run import Backfill

    stop = signals.stop_on_signal()
    signals.guard("backfill", stop)
    began = time.monotonic()
    backfill = Backfill(given, connect(given))
    client = connect(given)()
    jobs = backfill.plan(client)
    outcomes = backfill.dry_run(client, jobs) if given.dry_run else backfill.run(jobs, stop)
    done = progress.follow(jobs, outcomes)
    seconds = time.monotonic() - began
    for remark in [] if given.dry_run else backfill.remarks(client, done):
        sys.stdout.write(f"{remark}\n")
    sys.stdout.write(f"{progress.summary(done, seconds, dry_run=given.dry_run)}\n")
    return progress.status(done)


def _verify(arguments: list[str]) -> int:
    given = _load(settings.VerifySettings, arguments)
    from polygon_streaming.backfill import report
    from polygon_streaming.backfill.clients import connect
    from polygon_streaming.backfill.verdict import exit_status
    from polygon_streaming.backfill.verify import Verify

    signals.guard("verify", signals.stop_on_signal())
    verdicts = []
    try:
        for verdict in Verify(given, connect(given)).run():
            verdicts.append(verdict)
            sys.stdout.write(f"{verdict}\n")
    finally:
        # Also what is not mended has figures; where there are none, those of the last run stay.
        if verdicts:
            report.write(given, verdicts)
    return exit_status(verdicts)


def _doctor(arguments: list[str]) -> int:
    given = _load(settings.DoctorSettings, arguments, log_level="error")
    from polygon_streaming.doctor import examine

    well = True
    for name, good, found in examine(given):
        well &= good
        sys.stdout.write(f"{'ok   ' if good else 'WRONG'}  {name:<14} {found}\n")
        sys.stdout.flush()
    return 0 if well else 1


class Stage(status.Stage, Protocol):
    """What runs until it is told to stop."""

    def run(self, stop: Event) -> None:
        """Run until `stop` is set, then end in order."""


def run_stage(given: settings.Served, stage: Stage, *, guarded: bool = True) -> int:
    """Run a stage as this process: signals, status over HTTP, and an end if it is stuck.

    Args:
        given: the stage's settings.
        stage: see there.
        guarded: whether a stage that does not go on, or does not stop, is ended.

    Raises:
        StreamError: the stage cannot go on.
    """
    stop = signals.stop_on_signal()
    if guarded:
        signals.guard(given.command, stop, stage.heartbeat)
    garbage.collect_seldom()
    with status.StatusServer(given.http_host, given.http_port, given.command, stage):
        stage.run(stop)
    return 0


def _load(kind: type[S], arguments: list[str], log_level: str = "") -> S:
    given = settings.load(kind, arguments)
    logs.set_up(given.log_format, log_level or given.log_level)
    return given


_COMMANDS: Final[dict[str, Callable[[list[str]], int]]] = {
    "feed": _feed,
    "filter": _filter,
    "sink": _sink,
    "heal": _heal,
    "backfill": _backfill,
    "verify": _verify,
    "doctor": _doctor,
}

"""What the sink reads from and writes to."""

from typing import Any, NamedTuple

from confluent_kafka import Consumer

from polygon_streaming.kafka import clients
from polygon_streaming.settings import SinkSettings
from polygon_streaming.sink import clickhouse
from polygon_streaming.sink.commits import Commits


class SinkClients(NamedTuple):
    """The clients of one sink, which closes them.

    Attributes:
        consumer: of clean records; `commits` gets its answers.
        commits: how far the group is told to have got.
        clickhouse: a client of clickhouse-connect.
        watcher: asks the brokers whether they are there.
    """

    consumer: Consumer
    commits: Commits
    clickhouse: Any
    watcher: Consumer


def connect(settings: SinkSettings, answer_seconds: int = clickhouse.ANSWER_SECONDS) -> SinkClients:
    """Return the clients for a sink.

    Args:
        settings: whom they reach.
        answer_seconds: how long ClickHouse may take for an answer.

    Raises:
        ConfigError: ClickHouse's address or user, or a Kafka property is wrong.
        StreamError: ClickHouse cannot be reached now.
    """
    password = settings.clickhouse_password.get_secret_value()
    tables = clickhouse.connect(settings.clickhouse, password, answer_seconds)
    commits = Commits()
    answers = {"on_commit": commits.answered}
    consumer = clients.consumer(settings, settings.group, answers)
    return SinkClients(consumer, commits, tables, clients.asker(settings))

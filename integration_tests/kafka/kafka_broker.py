"""A real Apache Kafka (KRaft, one node on loopback) for tests: started, killed, started again."""

import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # its public names, all the same
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic

from integration_tests.kafka import maven
from integration_tests.servers import Server, free_ports

B = TypeVar("B", bound="Broker")

HERE = Path(__file__).parent
JARS = HERE.parents[1] / ".tmp" / "kafka-jars"
_START_SECONDS = 60
# A UUID in Kafka's notation.
_CLUSTER_ID = "cG9seWdvbi1zdHJlYW1zIQ"
_TRANSACTION_TIMEOUT_MAX_MS = 60_000


def fetch_jars() -> None:
    """Copy Kafka's jars to where the broker looks for them, unless they are there.

    Raises:
        RuntimeError: java or mvn is missing, or Maven fails.
    """
    maven.fetch(HERE, JARS, "kafka_2.13-*.jar")


class Broker:
    """One node that is controller and broker; its data lies in `directory`.

    Attributes:
        voter: the node as its cluster's controller, for `controller.quorum.voters`.
    """

    def __init__(self, directory: Path, *options: str) -> None:
        """Prepare a node; `options` are the JVM's, instead of those that start it fast."""
        self._directory = directory
        self._options = options or ("-Xmx512m", "-XX:TieredStopAtLevel=1")
        self._port, controller = free_ports(2)
        self.voter = f"1@127.0.0.1:{controller}"
        directory.mkdir(parents=True, exist_ok=True)
        self._properties = directory / "server.properties"
        self._node = Server(self._java("kafka.Kafka"), directory / "log")
        self._properties.write_text(
            f"""
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{self._port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{self._port}
controller.listener.names=CONTROLLER
controller.quorum.voters={self.voter}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={directory}/data
log.retention.ms=-1
num.partitions=4
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.max.timeout.ms={_TRANSACTION_TIMEOUT_MAX_MS}
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=true
"""
        )

    @property
    def address(self) -> str:
        """What clients take for bootstrap.servers."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """The node's process; 0 while it is down."""
        return self._node.pid

    def __enter__(self: B) -> B:
        with (self._directory / "log").open("ab") as log:
            format_ = self._java("kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c")
            subprocess.run(format_, stdout=log, stderr=log, timeout=60, check=False)
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start the node and wait until it answers."""
        self._node.start(self._answers, _START_SECONDS)

    def kill(self) -> None:
        """End the node without a chance to tidy up."""
        self._node.end(signal.SIGKILL)

    def stop(self) -> None:
        """Let the node hand over what it leads, and end."""
        self._node.end(signal.SIGTERM, _START_SECONDS)

    def create(self, *topics: str, partitions: int = 4, copies: int = 1, **config: str) -> None:
        """Create topics with so many copies; `config` has `_` where Kafka has `.`."""
        properties = {name.replace("_", "."): value for name, value in config.items()}
        admin = AdminClient({"bootstrap.servers": self.address})
        futures = admin.create_topics(
            [NewTopic(t, partitions, copies, config=properties) for t in topics]
        )
        for future in futures.values():
            future.result(30)
        self._wait_for_leaders(topics, partitions)

    def configure(self, topic: str, name: str, value: str) -> None:
        """Set a property of a topic."""
        entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        admin = AdminClient({"bootstrap.servers": self.address})
        for done in admin.incremental_alter_configs([resource]).values():
            done.result(30)

    def delete(self, topic: str) -> None:
        """Delete a topic."""
        admin = AdminClient({"bootstrap.servers": self.address})
        admin.delete_topics([topic])[topic].result(30)

    def _answers(self) -> bool:
        try:
            AdminClient({"bootstrap.servers": self.address, "log_level": 0}).list_topics(timeout=2)
        except KafkaException:
            return False
        return True

    def _java(self, main: str, *arguments: str) -> list[str]:
        command = ["java", *self._options, "-cp", f"{JARS}/*", main]
        return [*command, *arguments, str(self._properties)]

    def _wait_for_leaders(self, topics: tuple[str, ...], partitions: int) -> None:
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "leaders"})
        deadline = time.monotonic() + _START_SECONDS
        for topic in topics:
            for partition in range(partitions):
                while True:
                    try:
                        consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=5)
                        break
                    except KafkaException:
                        if time.monotonic() > deadline:
                            raise
                        time.sleep(0.1)
        consumer.close()

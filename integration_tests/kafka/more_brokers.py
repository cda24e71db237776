"""Brokers besides the plain one: a node that checks rights, and three that copy from each other."""

from pathlib import Path

from confluent_kafka.admin import (  # type: ignore[attr-defined] # its public names, all the same
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from integration_tests.kafka.kafka_broker import Broker
from integration_tests.servers import free_ports

_USER = "feed"
_PASSWORD = "secret"


class GuardedBroker(Broker):
    """A node with a second listener, at which a user may do what an ACL allows and nothing else.

    The first listener is for the test, which may do everything.
    """

    def __init__(self, directory: Path) -> None:
        """Prepare a node."""
        super().__init__(directory)
        (self._guarded_port,) = free_ports(1)
        own = f"127.0.0.1:{self._guarded_port}"
        lines = self._properties.read_text().splitlines()
        self._properties.write_text(
            "\n".join(
                f"{line},USERS://{own}" if line.startswith(("listeners", "advertised")) else line
                for line in lines
            )
            + f"""
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,USERS:SASL_PLAINTEXT
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
sasl.enabled.mechanisms=PLAIN
listener.name.users.sasl.enabled.mechanisms=PLAIN
listener.name.users.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{_USER}="{_PASSWORD}";
"""
        )

    @property
    def guarded_address(self) -> str:
        """Where the user's rights are checked."""
        return f"127.0.0.1:{self._guarded_port}"

    @property
    def login(self) -> str:
        """The user's librdkafka properties, as JSON."""
        return (
            '{"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", '
            f'"sasl.username": "{_USER}", "sasl.password": "{_PASSWORD}"}}'
        )

    def allow(self, *topics: str) -> None:
        """Let the user write topics, and keep its progress in groups."""
        bindings = [
            _rule(kind, name, operation)
            for kind, name in [(ResourceType.TOPIC, t) for t in topics]
            + [(ResourceType.GROUP, "*")]
            for operation in (AclOperation.READ, AclOperation.WRITE)
        ]
        admin = AdminClient({"bootstrap.servers": self.address})
        for done in admin.create_acls(bindings).values():
            done.result(30)

    def revoke(self, topic: str) -> None:
        """Take back the right to write a topic."""
        rule = AclBindingFilter(
            ResourceType.TOPIC,
            topic,
            ResourcePatternType.LITERAL,
            f"User:{_USER}",
            "*",
            AclOperation.WRITE,
            AclPermissionType.ALLOW,
        )
        admin = AdminClient({"bootstrap.servers": self.address})
        for done in admin.delete_acls([rule]).values():
            done.result(30)


class Member(Broker):
    """A broker of a cluster of three; the first one is its controller, too."""

    def __init__(self, directory: Path, number: int, leader: Broker | None = None) -> None:
        """Prepare node `number`; any but the first names the first as its `leader`."""
        super().__init__(directory)
        text = self._properties.read_text()
        if leader is not None:
            own = f",CONTROLLER://{self.voter.partition('@')[2]}"
            text = text.replace(own, "").replace(self.voter, leader.voter)
            text = text.replace("broker,controller", "broker").replace("id=1", f"id={number}")
        self._properties.write_text(f"{text}offsets.topic.replication.factor=3\n")


def _rule(kind: ResourceType, name: str, operation: AclOperation) -> AclBinding:
    return AclBinding(
        kind,
        name,
        ResourcePatternType.LITERAL,
        f"User:{_USER}",
        "*",
        operation,
        AclPermissionType.ALLOW,
    )

"""Three nodes that are equal: each broker and controller, with a copy of everything."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from confluent_kafka.admin import (  # type: ignore[attr-defined] # its public names, all the same
    AdminClient,
    TopicMetadata,
)

from integration_tests.kafka.kafka_broker import Broker, fetch_jars

_COPIES = """
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
"""


class Peer(Broker):
    """One of the nodes. With two of the three down the last one can neither write nor elect."""

    def join(self, number: int, peers: Sequence[Broker]) -> None:
        """Become node `number` of a cluster, whose controllers its peers are."""
        voters = ",".join(peer.voter.replace("1@", f"{n}@", 1) for n, peer in enumerate(peers, 1))
        text = self._properties.read_text()
        text = text.replace(f"voters={self.voter}", f"voters={voters}")
        self._properties.write_text(text.replace("node.id=1", f"node.id={number}") + _COPIES)


@contextmanager
def cluster(directory: Path) -> Iterator[list[Peer]]:
    """Run three nodes."""
    fetch_jars()
    peers = [Peer(directory / f"{number}") for number in (1, 2, 3)]
    for number, peer in enumerate(peers, 1):
        peer.join(number, peers)
    with ExitStack() as stack, ThreadPoolExecutor(3) as pool:
        list(pool.map(stack.enter_context, peers))
        yield peers


def leader_of(peers: Sequence[Peer], topic: str, partition: int) -> Peer:
    """Return the node that leads a partition."""
    metadata = _topics(peers)[topic].partitions[partition]
    return peers[metadata.leader - 1]


def coordinator_of(peers: Sequence[Peer], topic: str, name: str) -> Peer:
    """Return the node that keeps the state of a group, or of a transactional id.

    Args:
        peers: all nodes.
        topic: where such states are kept: `__consumer_offsets`, `__transaction_state`.
        name: of the group, or the id.
    """
    number = 0
    for letter in name:  # as Java's String.hashCode
        number = (31 * number + ord(letter)) & 0xFFFFFFFF
    partitions = len(_topics(peers)[topic].partitions)
    return leader_of(peers, topic, (number & 0x7FFFFFFF) % partitions)


def all_in_sync(peers: Sequence[Peer]) -> bool:
    """Return whether each partition has its three copies."""
    return all(
        len(partition.isrs) == len(peers)
        for topic in _topics(peers).values()
        for partition in topic.partitions.values()
    )


def _topics(peers: Sequence[Peer]) -> dict[str, TopicMetadata]:
    servers = ",".join(peer.address for peer in peers)
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    return dict(admin.list_topics(timeout=30).topics)


def restart(peers: Sequence[Peer]) -> None:
    """Start nodes at once, as they answer only when more than half are up."""
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(Peer.start, peers))

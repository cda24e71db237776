"""Three nodes that are equal: each broker and controller, with a copy of everything."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kafka_broker import Broker

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
    peers = [Peer(directory / f"{number}") for number in (1, 2, 3)]
    for number, peer in enumerate(peers, 1):
        peer.join(number, peers)
    with ExitStack() as stack, ThreadPoolExecutor(3) as pool:
        list(pool.map(stack.enter_context, peers))
        yield peers


def restart(peers: Sequence[Peer]) -> None:
    """Start nodes at once, as they answer only when more than half are up."""
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(Peer.start, peers))

"""Three brokers, three copies of a record of which two must be: what dies, dies in turn."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from integration_tests.kafka.kafka_cluster import (
    Peer,
    all_in_sync,
    cluster,
    coordinator_of,
    leader_of,
    restart,
)
from integration_tests.kafka.stages import (
    Stage,
    each_once,
    end_of,
    lag,
    mixed_event,
    mixed_numbers,
    produce_numbers,
    wait_until,
)

pytestmark = pytest.mark.kafka_tests

_OUTPUT = ("filtered", "trades", "quotes")
_TOPICS = {f"{kind}_topic": kind for kind in ("raw", *_OUTPUT, "dead_letter", "gaps")}
_GROUP = "filter"
_AWAY_SECONDS = 60


@pytest.fixture
def three(tmp_path: Path) -> Iterator[list[Peer]]:
    with cluster(tmp_path / "cluster") as brokers:
        yield brokers


class Filters:
    """Two filters of one group, and who starts one again that ends, as a supervisor does."""

    def __init__(self, address: str, folder: Path) -> None:
        self._address, self._folder = address, folder
        self._stages = {number: self.start(number) for number in (1, 2)}

    def start(self, number: int, log: str = "log") -> Stage:
        """Start filter `number`."""
        return Stage(
            self._folder / f"{log}-{number}", "filter", bootstrap_servers=self._address,
            group=_GROUP, transactional_id=self.id_of(number), batch_records=500, **_TOPICS,
        )  # fmt: skip

    @staticmethod
    def id_of(number: int) -> str:
        """Return the transactional id of a filter."""
        return f"{_GROUP}-{number}"

    def stage(self, number: int) -> Stage:
        """Return a filter that runs."""
        if not self._stages[number].running:
            assert self._stages[number].wait() == 1, self._stages[number].log()
            self._stages[number] = self.start(number)
        return self._stages[number]

    def replace(self, number: int) -> Stage:
        """Start a filter in the place of one that still runs, and return that one."""
        before = self._stages[number]
        self._stages[number] = self.start(number, "successor")
        return before

    def are_through(self) -> bool:
        """Return whether everything is read; what has ended is started again."""
        behind = lag(self._address, "raw", _GROUP)
        return all(self.stage(number).running for number in (1, 2)) and behind == 0

    def goes_on_after(self, end: int) -> bool:
        """Return whether the output has grown past `end` by more than a batch of each."""
        return all(self.stage(number).running for number in (1, 2)) and self.end() > end + 1_000

    def end(self) -> int:
        """Return the end of the output, over its topics."""
        return sum(end_of(self._address, topic) for topic in _OUTPUT)


def test_each_event_once_whoever_dies(three: list[Peer], tmp_path: Path) -> None:
    address = ",".join(broker.address for broker in three)
    three[0].create(*_TOPICS.values(), copies=3)
    filters = Filters(address, tmp_path)
    total = 180_000
    feeding = Thread(
        target=produce_numbers,
        args=(address, "raw", range(1, total + 1), 1_000, mixed_event),
        daemon=True,
    )
    feeding.start()
    wait_until(lambda: filters.goes_on_after(0), 60, "the filters work")

    def go_on(what: str) -> None:
        end = filters.end()
        wait_until(lambda: filters.goes_on_after(end), 90, f"the filters go on {what}")

    roles: dict[str, Callable[[], Peer]] = {
        "the leader of a partition": lambda: leader_of(three, "raw", 0),
        "the coordinator of a transaction": lambda: coordinator_of(
            three, "__transaction_state", filters.id_of(1)
        ),
        "the coordinator of the group": lambda: coordinator_of(three, "__consumer_offsets", _GROUP),
    }
    for role, find in roles.items():
        victim = find()
        victim.kill()
        go_on(f"without {role}")
        victim.start()
        wait_until(lambda: all_in_sync(three), 60, "all copies are back")

    for broker in three:  # a rolling restart, in order
        broker.stop()
        go_on("while a broker is restarted")
        broker.start()
        wait_until(lambda: all_in_sync(three), 60, "all copies are back")

    zombie = filters.stage(2)
    zombie.signal(signal.SIGSTOP)
    assert filters.replace(2) is zombie
    go_on("with a successor in the zombie's place")
    zombie.signal(signal.SIGCONT)
    assert zombie.wait(60) == 1
    assert "Fenced" in zombie.log()

    for broker in three:
        broker.kill()
    time.sleep(_AWAY_SECONDS)
    restart(three)
    go_on("after all brokers were away")

    feeding.join()
    wait_until(filters.are_through, 120, "everything is read")
    assert [filters.stage(number).stop() for number in (1, 2)] == [0, 0]
    assert mixed_numbers(address, _TOPICS) == each_once(total)

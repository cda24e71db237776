"""Whether the brokers answer and have the topics: asked again and again, by a client of its own.

A client that has nothing to send notices nothing of an outage, and one that hangs in a call can say
nothing of it. So one more asks for what any stage may ask for, the metadata of its topics and the
ends of their partitions, and does so without creating any. An answer of each leader is proof; that
a connection is up would not be.
"""

import math
import time
from collections.abc import Callable, Sequence
from threading import Event, Thread
from typing import Final, NamedTuple

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined] # its public names, all the same
    TopicMetadata,
)

from polygon_streaming.kafka.leaders import faults_of_leaders

log = structlog.get_logger()

_STOP_SECONDS: Final = 0.5
# One question without an answer is not an outage: a broker may have restarted just then, or this
# process may have stood still.
_UNANSWERED: Final = 2


class Waits(NamedTuple):
    """How long a watch waits, in seconds.

    Attributes:
        answer: for an answer.
        pause: until the next question after an answer.
        retry: the same where none came.
    """

    answer: float = 3.0
    pause: float = 2.0
    retry: float = 0.5


_WAITS: Final = Waits()


class BrokerWatch:
    """Asks for as long as the `with` block lasts. Its methods may be called in any thread.

    Attributes:
        outages: how often all brokers have fallen silent.
        creator: a producer that asks, too, for a topic that is missing: brokers that create topics
            on first use do so when a producer asks.
    """

    def __init__(
        self,
        client: Consumer,
        topics: Sequence[str],
        while_silent: Callable[[], None] | None = None,
        creator: Producer | None = None,
        waits: Waits = _WAITS,
    ) -> None:
        """Prepare to ask.

        Args:
            client: asks and does nothing else (`clients.asker`); it is closed in the end.
            topics: what a stage cannot do its work without.
            while_silent: called every few seconds while the brokers do not answer.
            creator: see above.
            waits: see there.
        """
        self._waits = waits
        self._client = client
        self._topics = tuple(topics)
        self._while_silent = while_silent
        self.creator = creator
        self.outages = 0
        self._silent_at = -math.inf
        self._answered = time.monotonic()
        self._ever_answered = False
        self._unanswered = self._none_answered = 0
        self._failure = "they have not been asked yet"
        self._faults: list[str] = []
        self._said_by_leaders: list[str] = []
        self._said = False
        self._stop = Event()
        self._thread = Thread(target=self._run, name="broker watch", daemon=True)

    def __enter__(self) -> "BrokerWatch":
        self._answered = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(_STOP_SECONDS)  # a question to brokers that are away takes longer

    def problems(self) -> list[str]:
        """Return what is wrong with brokers and topics; nothing if they serve."""
        if not self._ever_answered:
            return [f"kafka: the brokers have not answered yet: {self._failure}"]
        if self._unanswered >= _UNANSWERED:
            seconds = self.silent_seconds()
            return [f"kafka: the brokers have not answered for {seconds:.0f} s: {self._failure}"]
        return list(self._faults)

    def silent_seconds(self) -> float:
        """Return for how long the brokers have not answered; 0 if they did when last asked."""
        return time.monotonic() - self._answered if self._unanswered else 0.0

    def since_outage(self) -> float:
        """Return how many seconds ago all brokers were last silent; infinity if they never were."""
        return time.monotonic() - self._silent_at

    def ask(self) -> None:
        """Ask once, and say what is wrong or no longer is; a `with` block does so by itself."""
        self._ask()
        self._say()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.ask()
            self._stop.wait(self._waits.retry if self._unanswered else self._waits.pause)
        self._client.close()

    def _ask(self) -> None:
        self._client.poll(0)  # serves its callbacks, which some ways to log in need
        faults: list[str] = []
        led: dict[str, list[int]] = {}
        try:
            for topic in self._topics:
                found = self._client.list_topics(topic, timeout=self._waits.answer).topics[topic]
                if fault := self._fault(topic, found):
                    faults.append(fault)
                else:
                    led[topic] = list(found.partitions)
        except KafkaException as error:
            self._none_answered += 1
            if self._none_answered >= _UNANSWERED:
                self.outages += self._none_answered == _UNANSWERED
                self._silent_at = time.monotonic()
            self._note_silence(error)
            return
        self._none_answered = 0
        try:
            said = faults_of_leaders(self._client, led, self._waits.answer)
        except KafkaException as error:
            self._note_silence(error)
            return
        # While leaders change they are at odds for a moment, which is no fault.
        lasting = [fault for fault in said if fault in self._said_by_leaders]
        self._said_by_leaders = said
        self._faults = faults + [f"kafka: {fault}" for fault in lasting]
        self._answered = time.monotonic()
        self._unanswered, self._ever_answered = 0, True

    def _note_silence(self, error: KafkaException) -> None:
        self._failure = error.args[0].str()
        self._unanswered += 1
        if self._while_silent is not None:
            self._while_silent()

    def _fault(self, topic: str, found: TopicMetadata) -> str:
        """Return what metadata say is wrong with a topic, empty if nothing is."""
        error = found.error
        if error is not None and error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            if self.creator is not None:
                self.creator.list_topics(topic, timeout=self._waits.answer)
            return f"kafka: the topic {topic} is missing. Create it"
        if error is not None:
            return f"kafka: {topic}: {error.str()}"
        partitions = found.partitions.values()
        without = sum(partition.leader < 0 for partition in partitions)
        if without:
            return f"kafka: {without} of {len(partitions)} partitions of {topic} have no leader"
        return ""

    def _say(self) -> None:
        if 0 < self._unanswered < _UNANSWERED:
            return
        problems = self.problems()
        for problem in problems:
            # How long it has lasted makes no other state of it.
            log.error("brokers", problem=problem, state=problem.split(" for ")[0])
        if self._said and not problems:
            log.info("brokers", problem="none: they answer and have the topics")
        self._said = bool(problems)

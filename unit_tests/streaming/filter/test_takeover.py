"""Places that are asked for beside the work."""

import time
from threading import Event

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from polygon_streaming.filter.takeover import Takeover


def _places(*numbers: int) -> list[TopicPartition]:
    return [TopicPartition("raw", number) for number in numbers]


def _until_known(takeover: Takeover[str], count: int) -> list[str]:
    found: list[str] = []
    deadline = time.monotonic() + 10
    while len(found) < count:
        assert time.monotonic() < deadline
        found += takeover.known()
        time.sleep(0.001)
    return found


def test_what_waits_holds_up_nothing_and_is_named() -> None:
    unstable = KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT)
    stable = Event()

    def ask(place: TopicPartition) -> str:
        if place.partition in (1, 3) and not stable.is_set():
            raise KafkaException(unstable)
        return f"place of {place.partition}"

    takeover = Takeover(ask)
    takeover.add(_places(1, 2, 3))
    assert _until_known(takeover, 1) == ["place of 2"]
    deadline = time.monotonic() + 10
    while unstable.str() not in str(takeover.problems()):
        assert time.monotonic() < deadline
        assert takeover.known() == []
    assert takeover.problems() == [
        f"kafka: partitions 1, 3 wait for their committed offsets. {unstable.str()}"
    ]
    takeover.remove(_places(3))
    stable.set()
    assert _until_known(takeover, 1) == ["place of 1"]
    assert takeover.problems() == []
    takeover.close()


def test_the_answer_to_a_question_before_another_rebalance_does_not_count() -> None:
    asked, go_on = Event(), Event()
    answers = iter(["stale", "of now"])

    def ask(_: TopicPartition) -> str:
        answer = next(answers)
        asked.set()
        assert go_on.wait(10)
        return answer

    takeover = Takeover(ask)
    takeover.add(_places(1))
    assert asked.wait(10)
    # It went to another filter, which has read on, and has come back.
    takeover.remove(_places(1))
    takeover.add(_places(1))
    go_on.set()
    assert _until_known(takeover, 1) == ["of now"]
    takeover.close()


def test_a_refusal_is_not_asked_about_again() -> None:
    def ask(_: TopicPartition) -> str:
        raise KafkaException(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED))

    takeover = Takeover(ask)
    takeover.add(_places(1))
    with pytest.raises(KafkaException, match="GROUP_AUTHORIZATION_FAILED"):
        _until_known(takeover, 1)
    takeover.close()

import gc
from collections.abc import Iterator

import pytest
from polygon_streaming.process import garbage


@pytest.fixture
def usual() -> Iterator[int]:
    """Give the collector back as it was."""
    before = gc.get_threshold()
    yield before[0]
    gc.set_threshold(*before)
    gc.unfreeze()


def test_a_batch_of_messages_does_not_set_the_collector_off(usual: int) -> None:
    collected = []

    def note(phase: str, _: object) -> None:
        if phase == "stop":
            collected.append(phase)

    garbage.collect_seldom()
    gc.callbacks.append(note)
    try:
        batch: list[list[int]] = [[] for _ in range(60_000)]
        assert len(batch) > usual
        assert not collected
        batch += [[] for _ in range(60_000)]
        assert collected  # though not never: a cycle would stay for good
    finally:
        gc.callbacks.remove(note)


def test_what_is_loaded_is_left_out(usual: int) -> None:
    garbage.collect_seldom()
    assert gc.get_freeze_count() > 10 * usual

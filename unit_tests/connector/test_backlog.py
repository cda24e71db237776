"""What is read and not yet printed has a bound, and whoever reads waits for it."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import Empty, Queue

import pytest
from source_polygon.engine.backlog import Backlog
from source_polygon.engine.output import Page, page_in
from source_polygon.vendor.cut import Cut

SECONDS = 60


def portions(backlog: Backlog, count: int) -> Iterator[Page]:
    """Return `count` pages of one row each."""
    rows = [Cut(b'[{"id":"%d"}]' % number) for number in range(count)]
    for record in backlog.in_pages("x", rows, None):  # type: ignore[arg-type]
        yield page_in(record.data)


@contextmanager
def reading(backlog: Backlog, count: int, waiting: "Queue[Page]") -> Iterator["Future[int]"]:
    """Read `count` pages in a thread, which ends however the test does."""

    def read() -> int:
        for page in portions(backlog, count):
            waiting.put(page)
        return count

    with ThreadPoolExecutor() as pool:
        try:
            yield pool.submit(read)
        finally:
            backlog.give_up()


def test_reading_waits_for_what_is_printed() -> None:
    (page,) = portions(Backlog(), 1)
    backlog, waiting = Backlog(most=3 * len(page.lines)), Queue[Page]()
    with reading(backlog, 8, waiting) as done:
        taken = [waiting.get(timeout=SECONDS) for _ in range(3)]
        for turn in range(5):
            with pytest.raises(Empty):
                waiting.get_nowait()
            assert not done.done()
            backlog.printed(taken[turn])
            taken.append(waiting.get(timeout=SECONDS))
        assert done.result(timeout=SECONDS) == 8
    assert [page.lines.count(b'"id":"%d"' % number) for number, page in enumerate(taken)] == [1] * 8


def test_a_page_past_the_bound_leaves_alone() -> None:
    backlog, waiting = Backlog(most=1), Queue[Page]()
    with reading(backlog, 2, waiting) as done:
        first = waiting.get(timeout=SECONDS)
        assert not done.done()
        backlog.printed(first)
        waiting.get(timeout=SECONDS)
        assert done.result(timeout=SECONDS) == 2


def test_nobody_waits_once_nothing_will_be_printed() -> None:
    backlog, waiting = Backlog(most=1), Queue[Page]()
    with reading(backlog, 5, waiting) as done:
        waiting.get(timeout=SECONDS)
        backlog.give_up()
        assert done.result(timeout=SECONDS) == 5


def test_a_portion_of_large_rows_is_of_few() -> None:
    rows = [b'{"id":"%d","text":"%b"}' % (number, b"x" * 300_000) for number in range(10)]
    leaving = [Cut(b"[" + b",".join(rows) + b"]")]
    found = [page_in(record.data) for record in Backlog().in_pages("x", leaving, None)]  # type: ignore[arg-type]
    assert [page.count for page in found] == [3, 3, 3, 1]

"""Lanes: the order in which a stream's slices may move its checkpoint.

A stream is read in lanes (one per market, say), a lane in slices, in order. Workers read slices at
the same time, but a lane's checkpoint moves only over slices that are complete, oldest first; the
first slice that cannot be completed ends its lane for this sync.
"""

from collections.abc import Mapping
from datetime import date
from threading import Condition
from typing import Any, Generic, TypeVar

from airbyte_cdk.sources.types import StreamSlice


class UnreadableState(ValueError):
    """The incoming state is not of a form that this connector writes."""


def saved_day(cursor: Mapping[str, Any], field: str) -> date | None:
    """Return the day that a saved state holds under `field`; None where there is no state.

    Raises:
        UnreadableState: it does not hold a date.
    """
    if not cursor:
        return None
    try:
        # A state written by hand may be a time.
        return date.fromisoformat(cursor[field].partition("T")[0])
    except (AttributeError, KeyError, ValueError) as error:
        raise UnreadableState(repr(dict(cursor))) from error


class LaneEnds(Exception):
    """The slice, and with it all that follow in its lane, is for a later sync. Not a failure."""


class Lane:
    """An ordered series of slices that share one checkpoint.

    Attributes:
        partition: what the lane reads, as it stands in the state.
        cursor: the checkpoint: everything up to it has been emitted.
        stopped: whether the lane has ended for this sync, before its last slice.
    """

    def __init__(
        self, partition: Mapping[str, Any], cursor: Mapping[str, Any], run_ahead: int = 1
    ) -> None:
        """Open a lane.

        Args:
            partition: see the class.
            cursor: the checkpoint to go on from.
            run_ahead: how many slices may be under way before the oldest of them is complete. It
                bounds what is read again after an interrupt.
        """
        self.partition = partition
        self.cursor = cursor
        self.stopped = False
        self._run_ahead = run_ahead
        self._handed_out = 0
        self._passed = 0
        self._complete: dict[int, Mapping[str, Any] | None] = {}
        self._moved = Condition()

    def next_position(self) -> int:
        """Return the position of the lane's next slice, from 1."""
        self._handed_out += 1
        return self._handed_out

    def enter(self, position: int) -> bool:
        """Wait until the slice at `position` may be read; return False if the lane has stopped.

        Slices are taken up in order, so the one that is waited for is under way.
        """
        with self._moved:
            self._moved.wait_for(lambda: self.stopped or position <= self._passed + self._run_ahead)
            return not self.stopped

    def complete(self, position: int, cursor: Mapping[str, Any] | None) -> bool:
        """Note that the slice at `position` is complete; return whether the checkpoint moved.

        Without a `cursor` the checkpoint stays where it is, until a later slice moves it.
        """
        with self._moved:
            self._complete[position] = cursor
            before = self.cursor
            while self._passed + 1 in self._complete:
                self._passed += 1
                self.cursor = self._complete.pop(self._passed) or self.cursor
            self._moved.notify_all()
            return self.cursor is not before

    def stop(self) -> None:
        """End the lane for this sync."""
        with self._moved:
            self.stopped = True
            self._moved.notify_all()


L = TypeVar("L", bound=Lane)
T = TypeVar("T")


class LaneSlice(StreamSlice, Generic[L, T]):
    """A slice of a lane.

    Attributes:
        lane: the lane.
        position: its place in the lane, from 1.
        task: what to read.
        complete: whether all its records are emitted; its `checkpoint` then holds.
        checkpoint: the lane's checkpoint once the slice and all before it are complete; None where
            the slice does not move it.
    """

    def __init__(self, lane: L, task: T, **shown: str) -> None:
        """Take the next place in a lane.

        Args:
            lane: see the class.
            task: see the class.
            shown: what tells the slice from others in the CDK's logs.
        """
        super().__init__(partition=lane.partition, cursor_slice=shown)
        self.lane = lane
        self.position = lane.next_position()
        self.task = task
        self.complete = False
        self.checkpoint: Mapping[str, Any] | None = None

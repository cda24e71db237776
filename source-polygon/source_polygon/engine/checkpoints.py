"""State that never runs ahead of data, in a form a person can read.

A stream is read in lanes (one per market, say), a lane in slices, in order. Workers read slices at
the same time, but a lane's state moves only over slices that are complete, oldest first; the first
slice that cannot be completed ends its lane for this sync. The state is a list of lanes:

    {"states": [{"partition": {"market": "stocks"}, "cursor": {"last_updated_utc": "..."}}]}
"""

import logging
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from threading import Condition, Lock
from typing import Any

from airbyte_cdk.models import FailureType
from airbyte_cdk.sources.connector_state_manager import ConnectorStateManager
from airbyte_cdk.sources.message import MessageRepository
from airbyte_cdk.sources.streams.concurrent.cursor import Cursor, CursorField
from airbyte_cdk.sources.streams.concurrent.partitions.partition import Partition
from airbyte_cdk.sources.types import Record, StreamSlice
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_polygon.engine.output import Output, Row, one_by_one

LOGGER = logging.getLogger("airbyte")


class UnreadableState(ValueError):
    """The incoming state is not of a form that this connector writes."""


class Lane:
    """An ordered series of slices that share one checkpoint.

    Attributes:
        partition: what the lane reads, as it stands in the state.
        cursor: the checkpoint: everything up to it has been emitted.
        stopped: whether the lane has ended for this sync, before its last slice.
        output: turns rows into what the CDK passes on.
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
        self.output: Output = one_by_one
        self._run_ahead = run_ahead
        self._handed_out = 0
        self._passed = 0
        self._complete: dict[int, Mapping[str, Any]] = {}
        self._moved = Condition()

    def slice(self, **cursor_slice: Any) -> "LaneSlice":
        """Return the lane's next slice."""
        self._handed_out += 1
        return LaneSlice(self, self._handed_out, cursor_slice)

    def enter(self, position: int) -> bool:
        """Wait until the slice at `position` may be read; return False if the lane has stopped.

        Slices are taken up in order, so the one that is waited for is under way.
        """
        with self._moved:
            self._moved.wait_for(lambda: self.stopped or position <= self._passed + self._run_ahead)
            return not self.stopped

    def complete(self, position: int, cursor: Mapping[str, Any]) -> bool:
        """Note that the slice at `position` is complete; return whether the checkpoint moved.

        An empty `cursor` leaves the checkpoint where it is, until a later slice moves it.
        """
        with self._moved:
            self._complete[position] = cursor
            passed = self._passed
            while (reached := self._complete.pop(self._passed + 1, None)) is not None:
                self.cursor = reached or self.cursor
                self._passed += 1
            self._moved.notify_all()
            return self._passed > passed

    def stop(self) -> None:
        """End the lane for this sync."""
        with self._moved:
            self.stopped = True
            self._moved.notify_all()


class LaneSlice(StreamSlice):
    """A slice that knows its lane.

    The reader calls `complete` with the checkpoint that holds once all records are emitted. It
    stops the lane where the slice, and with it all that follow, cannot be read in this sync.
    """

    def __init__(self, lane: Lane, position: int, cursor_slice: Mapping[str, Any]) -> None:
        super().__init__(partition=lane.partition, cursor_slice=cursor_slice)
        self.lane = lane
        self.position = position
        self.reached: Mapping[str, Any] | None = None

    def enter(self) -> bool:
        """Wait for the slice's turn; return False where the lane has stopped before it."""
        return self.lane.enter(self.position)

    def records(self, stream: str, rows: Iterable[Row]) -> Iterable[Record]:
        """Return `rows` in the form in which they leave the connector."""
        return self.lane.output(stream, rows, self)

    def complete(self, cursor: Mapping[str, Any]) -> None:
        """Say that all records of the slice are emitted, and which checkpoint that reaches.

        An empty `cursor`: what came is not enough to move the checkpoint by itself.
        """
        self.reached = cursor


@dataclass
class LaneCursor(Cursor):
    """Hands out the slices of a stream and emits its state.

    The manifest names a subclass as the stream's partition router; `SourcePolygon` attaches it as
    the stream's cursor, since the CDK takes no custom cursor since 7.0.

    Attributes:
        config: the connector's configuration.
        cursor_field: name of the field by which the stream is incremental.
    """

    config: Mapping[str, Any]
    cursor_field: str

    def __post_init__(self) -> None:
        self._lock = Lock()
        self._emitted = False
        self._lanes: list[Lane] = []
        self._stale: list[dict[str, dict[str, Any]]] = []
        self._incoming: Mapping[str, Any] = {}

    def attach(
        self,
        stream_name: str,
        states: ConnectorStateManager,
        messages: MessageRepository,
        output: Output,
    ) -> None:
        """Take the incoming state, the place to send new state to, and how records leave."""
        self._stream_name = stream_name
        self._states = states
        self._messages = messages
        self._output = output
        self._incoming = states.get_stream_state(stream_name, None)

    @property
    def run_ahead(self) -> int:
        """How many slices of a lane may be under way: enough to keep the workers busy."""
        return 2 * int(self.config["num_workers"])

    @property
    def field(self) -> CursorField:
        """The cursor field as the CDK's catalog wants it."""
        return CursorField(self.cursor_field)

    @abstractmethod
    def partitions(self) -> Iterable[Mapping[str, Any]]:
        """Return what the lanes read, one mapping a lane, as it will stand in the state."""

    @abstractmethod
    def lane(self, partition: Mapping[str, Any], cursor: Mapping[str, Any]) -> Lane:
        """Return the lane of `partition` that goes on from `cursor` ({} at the first sync).

        Raises:
            UnreadableState: `cursor` is not of the form that this stream writes.
        """

    @abstractmethod
    def slices(self, lane: Any) -> Iterator[LaneSlice]:
        """Return the slices of a lane, in the order in which its checkpoint moves."""

    def stream_slices(self) -> Iterable[StreamSlice]:
        """Return all slices of the stream, lane after lane.

        Raises:
            AirbyteTracedException: the incoming state cannot be read (config_error).
        """
        try:
            self._lanes = self._open_lanes()
        except UnreadableState as error:
            raise AirbyteTracedException(
                message=f"The saved state of {self._stream_name} cannot be read. Reset the stream.",
                internal_message=str(error),
                failure_type=FailureType.config_error,
            ) from error
        for lane in self._lanes:
            lane.output = self._output
            for lane_slice in self.slices(lane):
                if lane.stopped:
                    break
                yield lane_slice

    @property
    def state(self) -> MutableMapping[str, Any]:
        """The state as it would be emitted now."""
        if not self._lanes:
            return dict(self._incoming)
        lanes = [
            {"partition": dict(lane.partition), "cursor": dict(lane.cursor)}
            for lane in self._lanes
            if lane.cursor
        ]
        return {"states": [*lanes, *self._stale]}

    def observe(self, record: Record) -> None:
        """Do nothing: a slice's checkpoint is known when the slice is complete, not per record."""

    def close_partition(self, partition: Partition) -> None:
        """Emit the state if the slice moved its lane's checkpoint.

        The slice's records are in the output queue by now, so the state comes out behind them.
        """
        lane_slice = partition.to_slice()
        if not isinstance(lane_slice, LaneSlice) or lane_slice.reached is None:
            return
        with self._lock:
            if lane_slice.lane.complete(lane_slice.position, lane_slice.reached):
                self._emit()

    def ensure_at_least_one_state_emitted(self) -> None:
        """Emit the state if that has not happened: the platform expects one per stream and sync."""
        with self._lock:
            if not self._emitted:
                self._emit()

    def should_be_synced(self, record: Record) -> bool:
        """Return True: what is read is what is wanted."""
        return True

    def _emit(self) -> None:
        self._emitted = True
        self._states.update_state_for_stream(self._stream_name, None, self.state)
        self._messages.emit_message(self._states.create_state_message(self._stream_name, None))

    def _open_lanes(self) -> list[Lane]:
        wanted = [dict(partition) for partition in self.partitions()]
        try:
            saved = [
                {"partition": dict(entry["partition"]), "cursor": dict(entry["cursor"])}
                for entry in self._incoming.get("states", [])
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise UnreadableState(f"{type(error).__name__}: {error}") from error
        if not saved and self._incoming.keys() - {self.cursor_field, "states"}:
            LOGGER.warning(
                "%s: the state holds no checkpoint of this connector; reading starts anew.",
                self._stream_name,
            )
        # Lanes that are not read now, such as a market taken out for a while, keep their place.
        self._stale = [entry for entry in saved if entry["partition"] not in wanted]
        return [self.lane(partition, self._start(partition, saved)) for partition in wanted]

    def _start(
        self, partition: Mapping[str, Any], saved: list[dict[str, dict[str, Any]]]
    ) -> Mapping[str, Any]:
        for entry in saved:
            if entry["partition"] == partition:
                return entry["cursor"]
        # A state written by hand, {"<cursor field>": "..."}, holds for every lane.
        if self.cursor_field in self._incoming:
            return {self.cursor_field: self._incoming[self.cursor_field]}
        return {}

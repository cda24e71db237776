"""The cursor of a stream that is read in lanes: it hands out slices and emits the state.

State never runs ahead of data, and has a form that a person can read, a list of lanes:

    {"states": [{"partition": {"market": "stocks"}, "cursor": {"last_updated_utc": "..."}}]}
"""

import json
import logging
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Any, Final, Generic

from airbyte_cdk.sources.connector_state_manager import ConnectorStateManager
from airbyte_cdk.sources.message import MessageRepository
from airbyte_cdk.sources.streams.concurrent.cursor import Cursor, CursorField
from airbyte_cdk.sources.streams.concurrent.partitions.partition import Partition
from airbyte_cdk.sources.types import Record, StreamSlice

from source_polygon.engine.lanes import L, LaneSlice, T, UnreadableState
from source_polygon.errors import config_error

LOGGER = logging.getLogger("airbyte")

# A state names every lane. With so many lanes it is emitted at each step of one; with more, as
# often as the seconds below allow, since a thousand lanes of a hundred steps would otherwise print
# more states than records. That much reading is repeated after an interrupt, at most.
_FEW_LANES: Final = 20
_STATE_EVERY_SECONDS: Final = 10.0


@dataclass
class LaneCursor(Cursor, Generic[L, T]):
    """Hands out the slices of a stream and emits its state.

    The manifest names a subclass as the stream's partition router; `engine.cdk` attaches it as
    the stream's cursor.

    Attributes:
        config: the connector's configuration.
        cursor_field: name of the field by which the stream is incremental.
        completed: how many slices have been read in this sync.
    """

    config: Mapping[str, Any]
    cursor_field: str

    def __post_init__(self) -> None:
        self.completed = 0
        self._lock = Lock()
        self._emitted_at: float | None = None
        self._held_back = False
        self._lanes: list[L] = []
        self._stale: list[dict[str, dict[str, Any]]] = []
        self._incoming: Mapping[str, Any] = {}

    def attach(
        self,
        stream_name: str,
        states: ConnectorStateManager,
        messages: MessageRepository,
    ) -> None:
        """Take the incoming state, and the place to send new state to."""
        self._stream_name = stream_name
        self._states = states
        self._messages = messages
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
    def lane(self, partition: Mapping[str, Any], cursor: Mapping[str, Any]) -> L:
        """Return the lane of `partition` that goes on from `cursor` ({} at the first sync).

        Raises:
            UnreadableState: `cursor` is not of the form that this stream writes.
        """

    @abstractmethod
    def slices(self, lane: L) -> Iterator[LaneSlice[L, T]]:
        """Return the slices of a lane, in the order in which its checkpoint moves."""

    def stream_slices(self) -> Iterable[StreamSlice]:
        """Return all slices of the stream, lane after lane.

        Raises:
            AirbyteTracedException: the incoming state cannot be read (config_error).
        """
        try:
            self._lanes, self._stale = self._opened()
        except UnreadableState as error:
            raise config_error(
                f"The saved state of {self._stream_name} cannot be read. Reset the stream.",
                str(error),
            ) from error
        for lane in self._lanes:
            for lane_slice in self.slices(lane):
                if lane.stopped:
                    break
                yield lane_slice

    def planned(self) -> Iterator[tuple[LaneSlice[L, T], int]]:
        """Return the first slice of each lane that has any, and how many the lane has.

        They are of lanes of their own: what is read later knows nothing of them. Nothing is asked
        of the vendor.

        Raises:
            UnreadableState: the incoming state cannot be read.
        """
        lanes, _ = self._opened()
        for lane in lanes:
            slices = self.slices(lane)
            first = next(slices, None)
            if first is not None:
                yield first, 1 + sum(1 for _ in slices)

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
        if not isinstance(lane_slice, LaneSlice) or not lane_slice.complete:
            return
        with self._lock:
            self.completed += 1
            if lane_slice.lane.complete(lane_slice.position, lane_slice.checkpoint):
                if self._due():
                    self._emit()
                else:
                    self._held_back = True

    def ensure_at_least_one_state_emitted(self) -> None:
        """Emit the state if the last one is not it: the platform expects one a stream and sync."""
        with self._lock:
            if self._held_back or self._emitted_at is None:
                self._emit()

    def should_be_synced(self, record: Record) -> bool:
        """Return True: what is read is what is wanted."""
        return True

    def _due(self) -> bool:
        few = len(self._lanes) + len(self._stale) <= _FEW_LANES
        last = self._emitted_at
        return few or last is None or monotonic() - last >= _STATE_EVERY_SECONDS

    def _emit(self) -> None:
        self._emitted_at, self._held_back = monotonic(), False
        self._states.update_state_for_stream(self._stream_name, None, self.state)
        self._messages.emit_message(self._states.create_state_message(self._stream_name, None))

    def _opened(self) -> tuple[list[L], list[dict[str, dict[str, Any]]]]:
        """Return the lanes, and of the state the places of lanes that are not read now.

        A market taken out for a while keeps its place.
        """
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
        read = {_named(partition) for partition in wanted}
        stale = [entry for entry in saved if _named(entry["partition"]) not in read]
        cursors = {_named(entry["partition"]): entry["cursor"] for entry in saved}
        return [self.lane(each, self._start(each, cursors)) for each in wanted], stale

    def _start(
        self, partition: Mapping[str, Any], cursors: Mapping[str, Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        if _named(partition) in cursors:
            return cursors[_named(partition)]
        # A state written by hand, {"<cursor field>": "..."}, holds for every lane.
        if self.cursor_field in self._incoming:
            return {self.cursor_field: self._incoming[self.cursor_field]}
        return {}


def _named(partition: Mapping[str, Any]) -> str:
    return json.dumps(partition, sort_keys=True)

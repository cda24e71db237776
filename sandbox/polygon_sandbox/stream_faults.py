"""Scripted faults of the streaming server: what ends, spoils or hushes a connection.

    faults.add(StreamFault.close(1001, after_frames=10))
    faults.add(StreamFault.max_connections(times=2))

A fault strikes the next `times` connections (None: all of them), after letting `skip` pass. One
fault strikes a connection, the first that is due.
"""

from dataclasses import dataclass, replace
from threading import Lock
from typing import Literal

Wire = Literal["close", "drop", "stall"]


@dataclass(frozen=True, slots=True)
class StreamFault:
    """What happens to one connection.

    Attributes:
        name: for people.
        at: `connect` before the first word, `auth` instead of the reply to the key, `data` after
            `after_frames` data frames.
        status: status message sent first, if any, with its `message`.
        wire: then the close frame with `code`, the connection cut without one, or silence.
        code: close code.
        after_frames: for `at="data"`.
        skip: connections to let pass first.
        times: connections to strike; None for all.
    """

    name: str
    at: Literal["connect", "auth", "data"] = "data"
    status: str = ""
    message: str = ""
    wire: Wire | None = "close"
    code: int = 1000
    after_frames: int = 5
    skip: int = 0
    times: int | None = 1

    @classmethod
    def close(cls, code: int, after_frames: int = 5, times: int | None = 1) -> "StreamFault":
        """An orderly end with a close code: 1000, 1001, 1008, 1011..."""
        return cls(f"close {code}", code=code, after_frames=after_frames, times=times)

    @classmethod
    def close_at_once(cls, code: int, times: int | None = 1) -> "StreamFault":
        """A close frame right after the handshake."""
        return cls(f"close {code} at once", at="connect", code=code, times=times)

    @classmethod
    def drop(cls, after_frames: int = 5, times: int | None = 1) -> "StreamFault":
        """The TCP connection is cut without a close frame."""
        return cls("drop", wire="drop", after_frames=after_frames, times=times)

    @classmethod
    def stall(cls, after_frames: int = 5, times: int | None = 1) -> "StreamFault":
        """The connection stays up, answers pings, and brings no more data."""
        return cls("stall", wire="stall", after_frames=after_frames, times=times)

    @classmethod
    def auth_failed(
        cls, message: str = "authentication failed", times: int | None = 1
    ) -> "StreamFault":
        """The key is refused, and the connection cut without a close frame, as observed."""
        return cls("auth_failed", "auth", "auth_failed", message, "drop", times=times)

    @classmethod
    def auth_timeout(cls, times: int | None = 1) -> "StreamFault":
        """The server says that the key took too long."""
        return cls(
            "auth_timeout", "auth", "auth_timeout", "auth timeout", "close", 1008, times=times
        )

    @classmethod
    def max_connections(cls, after_frames: int = 0, times: int | None = 1) -> "StreamFault":
        """The account's limit is reached: said after auth_success, with close 1008, as observed."""
        words = "Maximum number of websocket connections exceeded."
        return cls(
            "max_connections",
            "data",
            "max_connections",
            words,
            "close",
            1008,
            after_frames,
            times=times,
        )

    @classmethod
    def slow_consumer(cls, after_frames: int = 5, times: int | None = 1) -> "StreamFault":
        """The server gives up on a reader it finds slow."""
        return cls(
            "slow_consumer",
            "data",
            "slow_consumer",
            "slow consumer",
            "close",
            1008,
            after_frames,
            times=times,
        )

    @classmethod
    def force_disconnect(cls, after_frames: int = 5, times: int | None = 1) -> "StreamFault":
        """The server sends the client away."""
        return cls(
            "force_disconnect",
            "data",
            "force_disconnect",
            "disconnecting",
            "close",
            1001,
            after_frames,
            times=times,
        )


class StreamFaults:
    """The faults of a streaming server, in the order added."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._script: list[StreamFault] = []

    def add(self, fault: StreamFault) -> None:
        """Put a fault at the end of the script."""
        with self._lock:
            self._script.append(fault)

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._script.clear()

    def next(self) -> StreamFault | None:
        """Return the fault for a new connection, if one is due."""
        with self._lock:
            for index, fault in enumerate(self._script):
                if fault.skip:
                    self._script[index] = replace(fault, skip=fault.skip - 1)
                    continue
                if fault.times is None:
                    return fault
                if fault.times > 0:
                    self._script[index] = replace(fault, times=fault.times - 1)
                    return fault
        return None

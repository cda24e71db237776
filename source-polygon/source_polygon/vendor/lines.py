"""Records that are JSON already: in the parts of which they are made, or finished as messages."""

from collections.abc import Iterator, Sequence
from typing import Any, overload

import orjson

from source_polygon.rows import Row


class Lines(Sequence[Row]):
    """Records of which each is JSON, in parts."""

    def __init__(self, parts: list[bytes], width: int) -> None:
        """Take the parts of some records, so many of each; the last is its end, to be filled."""
        self._parts, self._width = parts, width

    def __len__(self) -> int:
        return len(self._parts) // self._width

    def printed(self, before: bytes, after: bytes) -> bytes:
        """Return the records as text, each between `before` and `after`."""
        if not self._parts:
            return b""
        end = b"}" + after
        self._parts[self._width - 1 :: self._width] = [end + before] * len(self)
        self._parts[-1] = end
        return before + b"".join(self._parts)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return list(self)[index]

    def __iter__(self) -> Iterator[Row]:
        return map(orjson.loads, self.printed(b"", b"\n").splitlines())


class Messages(Sequence[Row]):
    """Records that are finished RECORD messages.

    Attributes:
        text: the messages as they are printed, each on its line, the last one too.
        rows: of how many rows they are, those included that were not wanted.
    """

    def __init__(self, text: bytearray, count: int, rows: int) -> None:
        """Take the text of so many messages, of so many rows."""
        self.text, self._count, self.rows = text, count, rows

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return list(self)[index]

    def __iter__(self) -> Iterator[Row]:
        for line in self.text.splitlines():
            yield orjson.loads(line)["record"]["data"]

"""Frames into events: each event's JSON exactly as received, with its symbol and type.

A frame is a JSON array of objects. Turning it into Python objects and back would cost more than
everything else the feed does, and change what the vendor wrote (number formats, say). So the frame
is decoded for a few fields only, which also proves it is JSON, and the text is cut apart. Where
the cut can be proven right it is a plain split; everywhere else msgspec finds the boundaries.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec

# What msgspec raises for a text that is no JSON, or nested deeper than the interpreter goes.
_UNREADABLE: Final = (msgspec.MsgspecError, RecursionError)


class Head(msgspec.Struct, gc=False):
    """What the feed needs to know of an event. Fields an event lacks are empty.

    Attributes:
        ev: event type; `status` for the server's own messages.
        sym: symbol of stocks, options, futures and index bars, FMV and LV.
        pair: symbol of crypto events and forex bars.
        T: symbol of LULD, NOI and index values.
        status: of status messages: `success`, `error`, `max_connections`...
        message: of status messages: the words that go with it.
    """

    ev: str
    sym: str = ""
    pair: str = ""
    T: str = ""
    status: str = ""
    message: str = ""


class ForexHead(Head, gc=False):
    """A forex quote (`C`) names its pair in `p`, which is a price in trades of other markets."""

    p: str = ""


@dataclass(slots=True)
class Split:
    """A frame cut into events.

    `heads` and `texts` go together, in the order received, status messages included. `broken`
    holds what is not an event: its text and the reason.
    """

    heads: list[Head] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    broken: list[tuple[str, str]] = field(default_factory=list)

    def without(self, event_type: str) -> "Split":
        """Return the same without the events of a type."""
        kept = [i for i, head in enumerate(self.heads) if head.ev != event_type]
        return Split([self.heads[i] for i in kept], [self.texts[i] for i in kept], self.broken)


class Splitter:
    """Splits the frames of one market."""

    def __init__(self, market: str) -> None:
        kind = _kind(market)
        self._heads = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]
        self._head = msgspec.json.Decoder(kind)
        self._pieces = msgspec.json.Decoder(list[msgspec.Raw])

    def split(self, frame: str) -> Split:
        """Cut a frame into events; what cannot be read is in `broken`, and nothing is lost."""
        try:
            heads = self._heads.decode(frame)
        except _UNREADABLE:
            return self._split_with_care(frame)
        # The frame is valid JSON. With as many `{` as elements there is no other brace, in a nested
        # object or in a string, so `},{` is found between two elements only. NUL cannot occur in
        # JSON. The counts agree unless the elements are set apart by something else than a comma.
        if frame.count("{") == len(heads) and frame.startswith("[{") and frame.endswith("}]"):
            texts = frame[1:-1].replace("},{", "}\0{").split("\0")
            if len(texts) == len(heads):
                return Split(heads, texts)
        pieces = self._pieces.decode(frame)
        return Split(heads, [str(bytes(piece), "utf-8") for piece in pieces])

    def _split_with_care(self, frame: str) -> Split:
        """Split a frame of which at least one element is not an event."""
        try:
            pieces = [str(bytes(piece), "utf-8") for piece in self._pieces.decode(frame)]
        except _UNREADABLE as error:
            found = _elements(frame)
            if found is None:
                return Split(broken=[(frame, f"not a JSON array: {error}")])
            pieces = found
        split = Split()
        for text in pieces:
            try:
                split.heads.append(self._head.decode(text))
                split.texts.append(text)
            except _UNREADABLE as error:
                split.broken.append((text, f"not an event: {error}"))
        return split


def heads(market: str) -> Callable[[bytes], Head]:
    """Return what reads the head of a market's events, one by one."""
    return msgspec.json.Decoder(_kind(market)).decode


def _kind(market: str) -> type[Head]:
    return ForexHead if market == "forex" else Head


def _elements(frame: str) -> list[str] | None:
    """Return the elements of an array of which one holds what msgspec does not take for JSON.

    Half of a surrogate pair, or NaN: Python's own decoder is not so strict. None if it is not an
    array for that one either.
    """
    decoder = json.JSONDecoder()
    found: list[str] = []
    start = _after_space(frame, 0) + 1
    if frame[start - 1 : start] != "[":
        return None
    try:
        while True:
            start = _after_space(frame, start)
            _, end = decoder.raw_decode(frame, start)
            found.append(frame[start:end])
            start = _after_space(frame, end) + 1
            if frame[start - 1 : start] != ",":
                break
    except (ValueError, RecursionError):
        return None
    over = frame[start - 1 : start] == "]" and not frame[start:].strip()
    return found if over else None


def _after_space(text: str, start: int) -> int:
    while text[start : start + 1] in (" ", "\t", "\n", "\r"):
        start += 1
    return start


def symbol(head: Head) -> str:
    """Return the symbol of an event, empty if it has none that we know of."""
    return head.sym or head.pair or head.T or (head.p if isinstance(head, ForexHead) else "")

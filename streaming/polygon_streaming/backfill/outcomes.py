"""What can come of a day's file: it is loaded, or there is a reason why not.

Refused, not there and broken are told apart, as everywhere: a refusal does not pass by itself, what
is not there may come, what is broken may be whole the next time.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from polygon_streaming.errors import StreamError

State = Literal["loaded", "unchanged", "unpublished", "missing", "broken", "refused", "to load"]

STATUS: Final[dict[str, int]] = {"refused": 2, "broken": 1, "missing": 1}
"""The exit status that a state asks for; 0 for those that are not here."""


class Refused(StreamError):
    """The vendor does not give this file to this key. Another may be given."""

    exit_status = 2


class Broken(StreamError):
    """The file is not whole, or not what its name says. Nothing of it is in the table."""


class NotThere(StreamError):
    """There is no file of the day."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a day's file.

    Attributes:
        dataset: whose, for people: `stocks bars`.
        day: of the file.
        state: see there.
        rows: in the file.
        written: rows that the table lacked, or had otherwise.
        removed: rows of an earlier file that this one does not have.
        doubles: for people: rows of the file that have one key; empty if there are none.
        bytes: of the file, packed.
        seconds: that it took.
        words: why not, and what to do.
    """

    dataset: str
    day: date
    state: State
    rows: int = 0
    written: int = 0
    removed: int = 0
    doubles: str = ""
    bytes: int = 0
    seconds: float = 0.0
    words: str = ""

    def __str__(self) -> str:
        """Return the line of the summary."""
        head = f"{self.day}  {self.dataset:<20} {self.state:<12}"
        if self.state in ("loaded", "unchanged", "to load"):
            about = "about " if self.state == "to load" else ""
            rows = f"{about}{self.rows:,} rows"
            line = f"{head} {rows:>22} {megabytes(self.bytes):>11} {self.seconds:>7.1f} s"
            more = [f"{self.written:,} written" if 0 < self.written != self.rows else ""]
            more.append(f"{self.removed:,} of an earlier file removed" if self.removed else "")
            more.append(self.doubles)
            return "  ".join([line, *filter(None, more)])
        return f"{head} {self.words}"


def megabytes(count: int) -> str:
    """Return a number of bytes for people."""
    return f"{count / 1e6:,.1f} MB"

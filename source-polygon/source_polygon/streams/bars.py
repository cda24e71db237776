"""Kind `bars`: the bars of single symbols, each size in windows that no answer is cut in."""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final
from urllib.parse import quote

from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_polygon.engine.lanes import LaneEnds
from source_polygon.engine.retriever import LaneRetriever
from source_polygon.errors import config_error, not_in_plan, system_error, transient_error
from source_polygon.rows import Row, without_nulls
from source_polygon.sessions import new_york_today
from source_polygon.stamps import from_milliseconds
from source_polygon.streams.bar_lanes import BarLane, Window
from source_polygon.streams.bar_sizes import MOST_BASE_BARS, local_day, midnight
from source_polygon.streams.history import Contradiction, Outside
from source_polygon.streams.symbols import Refusals
from source_polygon.vendor.answers import Data, Reason, Refused
from source_polygon.vendor.paging import along
from source_polygon.vendor.questions import needed

LOGGER = logging.getLogger("airbyte")

_HANDED_ON: Final = (Reason.NOT_YET, Reason.OUTSIDE_HISTORY, Reason.NOT_ENTITLED)

# A plan may get the last days later; what is older than that is not a matter of waiting.
_RECENT: Final = timedelta(days=7)

_DAY: Final = 86_400_000


@dataclass(kw_only=True)
class BarsRetriever(LaneRetriever[BarLane, Window]):
    """Reads the bars that start in one window.

    Attributes:
        cursor_field: the start of a bar, in UTC.
    """

    cursor_field: str
    refusals: Refusals = field(init=False, default_factory=Refusals)

    def rows(self, lane: BarLane, task: Window) -> Iterator[Sequence[Row]]:
        """Return the bars of the window, oldest first.

        Raises:
            LaneEnds: the plan serves none so late, or there is no use in asking about the symbol.
        """
        if self.refusals.settled(self.name, lane.symbol):
            raise LaneEnds
        if not self._in_history(lane, task):
            return
        with self.refusals.watching(self.name, lane.symbol):
            answer = self._answer(lane, task)
        if answer is None:
            return
        doubted = not answer.rows and lane.doubts(task)
        if doubted:
            answer = self._once_more(lane, task)
        for doubtful in lane.answered(task, with_bars=bool(answer.rows), doubted=doubted):
            yield from self._pages(lane, doubtful, self._once_more(lane, doubtful))
        yield from self._pages(lane, task, answer)

    def checkpoint(self, lane: BarLane, task: Window) -> Mapping[str, Any]:
        """Return the last start that is read; a window read again does not move the state back."""
        read = from_milliseconds(task.end - 1)
        return {self.cursor_field: max(read, str(lane.cursor.get(self.cursor_field, "")))}

    def address(self, lane: BarLane, start: int, end: int) -> str:
        """Return what to ask for, for bars that start from `start` to `end`, both included."""
        size = lane.size
        return (
            f"{self.config['base_url']}/v2/aggs/ticker/{quote(lane.symbol, safe=':')}"
            f"/range/{size.count}/{size.span}/{start}/{end}"
        )

    def params(self, lane: BarLane, start: int, end: int) -> Mapping[str, Any]:
        """Return the query that goes with it."""
        return {"adjusted": "false", "sort": "asc", "limit": MOST_BASE_BARS}

    def start_of(self, bar: Any) -> int:
        """Return the start of a vendor's bar in Unix milliseconds.

        Raises:
            KeyError, TypeError, ValueError: it has none, or none in the unit that is documented.
        """
        return whole_number(bar["t"])

    def record(self, lane: BarLane, bar: Any, start: int) -> Row:
        """Return the record of a vendor's bar.

        Raises:
            KeyError: it lacks what the vendor documents as always there.
        """
        return {
            "ticker": lane.symbol,
            "bar_size": str(lane.size),
            "window_start": from_milliseconds(start),
            "open": bar["o"],
            "high": bar["h"],
            "low": bar["l"],
            "close": bar["c"],
            # An index is not traded: its bars have a value alone.
            "volume": bar.get("v") if lane.market == "indices" else bar["v"],
            "vwap": bar.get("vw"),
            "transactions": bar.get("n"),
            "otc": bar.get("otc", False),
            "timestamp": start,
        }

    def _pages(self, lane: BarLane, window: Window, answer: Data) -> Iterator[Sequence[Row]]:
        try:
            count = whole_number(answer.envelope.get("queryCount") or 0)
        except ValueError as error:
            raise system_error(f"{self._named(lane)}: queryCount {error}.") from error
        # Windows are short enough for it never to come to that.
        if count >= MOST_BASE_BARS and not answer.envelope.get("next_url"):
            raise system_error(f"{self._named(lane)}: an answer was cut, and no page follows.")
        for bars, _ in along(self.vendor, answer, key=()):
            yield self._records(lane, window, bars)

    def _records(self, lane: BarLane, window: Window, bars: Iterable[Any]) -> list[Row]:
        near = lane.size.after(window.start, lane.zone, -2) - _DAY
        far = lane.size.after(window.end, lane.zone, 2) + _DAY
        found: dict[int, Row] = {}
        bar: Any = None
        try:
            for bar in bars:
                start = self.start_of(bar)
                if not near <= start <= far:
                    raise ValueError(f"it starts at {start}, expected from {near} to {far}")
                if window.start <= start < window.end:
                    found[start] = without_nulls(self.record(lane, bar, start))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            fault = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
            raise system_error(
                f"A bar of {self._named(lane)} is malformed: {fault}. The window from "
                f"{from_milliseconds(window.start)} is not taken as read; the next sync asks for "
                "it again.",
                repr(bar)[:200],
            ) from error
        return list(found.values())

    def _once_more(self, lane: BarLane, window: Window) -> Data:
        """Ask again for a window without bars, and again, before that is believed."""
        since, until = (local_day(each, lane.zone) for each in (window.start, window.end - 1))
        complaint = f"{self._named(lane)}: no bars from {since} to {until}"
        answer = self._ask(lane, window, (), complaint)
        assert isinstance(answer, Data)  # noqa: S101 - no refusal was to be handed on
        return answer

    def _ask(
        self, lane: BarLane, window: Window, handed_on: Collection[Reason], complaint: str = ""
    ) -> Data | Refused:
        # One bar more on either side, so that the first and the last of the window are whole.
        start = lane.size.after(window.start, lane.zone, -1) if lane.size.lead else window.start
        if lane.history.start:
            start = max(start, midnight(lane.history.start, lane.zone))
        end = lane.size.after(window.end - 1, lane.zone)
        if lane.closed_from:
            end = min(end, lane.closed_from - 1)
        return self.vendor.ask_or_be_refused(
            handed_on,
            complaint=complaint,
            path=self.address(lane, start, end),
            request_params=self.params(lane, start, end),
        )

    def _in_history(self, lane: BarLane, window: Window) -> bool:
        """Return whether the plan's history has any of a window, which then begins there."""
        if lane.history.start:
            window.start = max(window.start, midnight(lane.history.start, lane.zone))
        return window.start < window.end

    def _answer(self, lane: BarLane, window: Window) -> Data | None:
        """Return the vendor's answer; None where all of a window is before the plan's history.

        Raises:
            LaneEnds: the window is after all that the plan serves now.
        """
        answer = self._ask(lane, window, _HANDED_ON)
        try:
            if isinstance(answer, Refused) and answer.reason is Reason.NOT_YET:
                self._leave_out_today(lane, window)
                answer = self._ask(lane, window, _HANDED_ON)
            if isinstance(answer, Refused):
                return self._after_refusal(lane, window, answer)
            lane.history.served(local_day(window.start, lane.zone))
        except Contradiction as error:
            raise transient_error(
                f"{self._named(lane)}: Polygon.io refuses {error.refused} as outside the plan's "
                f"history, although it served {error.served}. Sync again later."
            ) from None
        return answer

    def _leave_out_today(self, lane: BarLane, window: Window) -> None:
        """Let a window end with the last day that the plan serves by now."""
        today = midnight(local_day(window.end - 1, lane.zone), lane.zone)
        LOGGER.info("%s ends before %s.", self._named(lane), from_milliseconds(today))
        if window.start >= today:
            raise LaneEnds
        lane.closed_from = window.end = today

    def _after_refusal(self, lane: BarLane, window: Window, refused: Refused) -> Data | None:
        if refused.reason is Reason.NOT_YET:
            raise LaneEnds
        if refused.reason is Reason.NOT_ENTITLED:
            raise self._not_in_plan(lane, refused)
        known, day = lane.history.start, local_day(window.start, lane.zone)
        side = lane.history.place(day, lambda other: self._is_outside(lane, other))
        if side is Outside.AFTER:
            self._require_recent(lane, window, refused)
            LOGGER.warning(
                "%s ends before %s, which Polygon.io refuses: %s",
                *(self._named(lane), day, refused.words),
            )
            raise LaneEnds
        if lane.history.start != known:
            LOGGER.warning(
                "%s: the history of the plan starts on %s; what is before it is left out.",
                *(self._named(lane), lane.history.start),
            )
        return self._answer(lane, window) if self._in_history(lane, window) else None

    def _is_outside(self, lane: BarLane, day: date) -> bool:
        start = midnight(day, lane.zone)
        end = midnight(day + timedelta(days=1), lane.zone) - 1
        answer = self.vendor.ask_or_be_refused(
            (Reason.OUTSIDE_HISTORY,),
            path=self.address(lane, start, end),
            request_params=self.params(lane, start, end),
        )
        return isinstance(answer, Refused)

    def _require_recent(self, lane: BarLane, window: Window, refused: Refused) -> None:
        last = local_day(lane.end - 1, lane.zone)
        if lane.history.earliest_served or last > new_york_today() - _RECENT:
            return
        first = local_day(window.start, lane.zone)
        raise config_error(
            f"The plan of this API key has no bars of {lane.symbol} from {first} to {last}: "
            f"{refused.words} Give a later start_date and end_date, or upgrade the plan.",
            refused.words,
        )

    def _not_in_plan(self, lane: BarLane, refused: Refused) -> AirbyteTracedException:
        return not_in_plan(
            f"The plan of this API key does not cover {self._named(lane)}: {refused.words} "
            f"{needed(self.plan)}Upgrade the plan, or take the symbol out."
        )

    def _named(self, lane: BarLane) -> str:
        return f"{self.name} {lane.symbol} {lane.size}"


def whole_number(value: Any) -> int:
    """Return a number of the vendor's that has to be whole.

    Raises:
        ValueError: it is not.
    """
    if type(value) is not int:
        raise ValueError(f"{repr(value)[:40]} is not a whole number")
    return value

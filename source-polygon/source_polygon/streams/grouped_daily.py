"""Kind `grouped_daily`: one bar per symbol and session, a whole market in one request."""

import logging
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Final

from airbyte_cdk.sources.types import StreamSlice

from source_polygon.engine.cursor import LaneCursor
from source_polygon.engine.lanes import Lane, LaneEnds, LaneSlice, UnreadableState
from source_polygon.engine.output import Leaving
from source_polygon.engine.retriever import LaneRetriever
from source_polygon.errors import config_error, transient_error
from source_polygon.sessions import (
    BAR_MARKETS,
    end_of_bar,
    last_finished,
    session_of,
    sessions,
    trades,
)
from source_polygon.stamps import from_milliseconds
from source_polygon.streams.grouped_bars import grouped_bars
from source_polygon.streams.history import Contradiction, History, Outside
from source_polygon.vendor.answers import Data, Reason, Refused

LOGGER = logging.getLogger("airbyte")

# Plans get a session up to a day after it; of what is older than that, waiting brings nothing.
_RECENT: Final = timedelta(days=7)

# Empty days before the first bar of a market that are asked for again.
_BLANK_DAYS: Final = 5


class SessionLane(Lane):
    """The sessions of one market that this sync reads, oldest first.

    Attributes:
        market: the market.
        days: the sessions.
        history: what the plan's history allows of them.
    """

    def __init__(
        self,
        partition: Mapping[str, Any],
        cursor: Mapping[str, Any],
        days: list[date],
        run_ahead: int,
    ) -> None:
        super().__init__(partition, cursor, run_ahead)
        self.market = str(partition["market"])
        self.days = days
        self.history = History(days)
        # Where the history of crypto and fx starts at the vendor is not known; that of stocks is.
        self._bars_known = bool(cursor) or self.market == "stocks"
        self._blank_days = 0

    def served(self, day: date, *, with_bars: bool) -> None:
        """Note that the vendor has served `day`."""
        self.history.served(day)
        self._bars_known = self._bars_known or with_bars
        self._blank_days += not with_bars

    def doubts(self, day: date) -> bool:
        """Return whether an answer without bars for `day` is to be doubted.

        Years of empty days before a market's first bar are not, after the first few.
        """
        expected = self._bars_known or self._blank_days < _BLANK_DAYS
        return trades(self.market, day) and expected


@dataclass
class Session:
    """One session to read.

    Attributes:
        day: its day.
        doubtful: whether it came without bars where there should be some.
    """

    day: date
    doubtful: bool = False


@dataclass
class SessionCursor(LaneCursor[SessionLane, Session]):
    """One lane per market with daily bars, one slice per finished session.

    The lane is also keyed by what changes the bars, so that switching `adjusted` or `include_otc`
    reads the history anew instead of leaving it half of one kind and half of the other.
    """

    def partitions(self) -> Iterable[Mapping[str, Any]]:
        """Return market and kind of bars for each chosen market that has daily bars."""
        for market in self.config["markets"]:
            if market in BAR_MARKETS:
                kind = {"include_otc": self.config["include_otc"]} if market == "stocks" else {}
                yield {"market": market, "adjusted": self.config["adjusted"], **kind}

    def lane(self, partition: Mapping[str, Any], cursor: Mapping[str, Any]) -> SessionLane:
        """Return the sessions to read: the last few again, then all finished ones since."""
        market = partition["market"]
        finished = last_finished(market)
        end = min(finished, date.fromisoformat(self.config.get("end_date") or finished.isoformat()))
        days = sessions(market, date.fromisoformat(self.config["start_date"]), end)
        if cursor:
            saved = self._session(market, cursor)
            if saved > finished:
                LOGGER.warning("%s: the saved state %s lies ahead of the market.", market, saved)
                days = []
            known = bisect_right(days, saved)
            days = days[max(0, known - self.config["lookback_sessions"]) :]
        return SessionLane(partition, cursor, days, self.run_ahead)

    def slices(self, lane: SessionLane) -> Iterator[LaneSlice[SessionLane, Session]]:
        """Return a slice per session."""
        for day in lane.days:
            yield LaneSlice(lane, Session(day), date=day.isoformat())

    def _session(self, market: str, cursor: Mapping[str, Any]) -> date:
        try:
            moment = datetime.fromisoformat(cursor[self.cursor_field].replace("Z", "+00:00"))
            return session_of(market, moment)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UnreadableState(f"{market}: {dict(cursor)!r}") from error


@dataclass(kw_only=True)
class GroupedDailyRetriever(LaneRetriever[SessionLane, Session]):
    """Reads one session.

    A day that the vendor refuses because it is not over ends the market for this sync, with the
    state before it. Days before the history of the plan are passed over.
    """

    unit: ClassVar[str] = "session"
    one_page: ClassVar[bool] = True

    cursor_field: str

    def rows(self, lane: SessionLane, task: Session) -> Iterator[Leaving]:
        """Return the bars of a session."""
        day = task.day
        if lane.history.excludes(day):
            return
        doubts = lane.doubts(day)
        complaint = f"grouped_daily {lane.market}: session {day} has no bars" if doubts else ""
        answer = self._ask(lane, day, complaint)
        try:
            if isinstance(answer, Refused):
                self._pass_over_or_end(lane, day, answer)
                return
            lane.served(day, with_bars=bool(answer.rows))
        except Contradiction as error:
            raise transient_error(
                f"Polygon.io refuses {lane.market} bars of {error.refused} as outside the plan's "
                f"history, although it served {error.served}. Sync again later."
            ) from None
        # The vendor may be late with the last session: only a later one shows that there is
        # nothing to wait for.
        task.doubtful = doubts and not answer.rows
        yield from grouped_bars(answer, lane.market, day)

    def checkpoint(self, lane: SessionLane, task: Session) -> Mapping[str, Any] | None:
        """Return the end of the session; one that is read again does not move the state back."""
        if task.doubtful:
            return None
        end = from_milliseconds(round(end_of_bar(lane.market, task.day).timestamp() * 1000))
        return {self.cursor_field: max(end, str(lane.cursor.get(self.cursor_field, "")))}

    def _ask(self, lane: SessionLane, day: date, complaint: str = "") -> Data | Refused:
        request = StreamSlice(partition=lane.partition, cursor_slice={"date": day.isoformat()})
        reasons = (Reason.NOT_YET, Reason.OUTSIDE_HISTORY)
        vendor = self.vendor_as_written
        return vendor.ask_or_be_refused(reasons, complaint=complaint, stream_slice=request)

    def _pass_over_or_end(self, lane: SessionLane, day: date, answer: Refused) -> None:
        """Return if a refused day is before the plan's history.

        Raises:
            LaneEnds: it is after all that the plan serves now.
            Contradiction: the vendor served an earlier day.
            AirbyteTracedException: all days lie before the history (config_error).
        """
        if answer.reason is Reason.NOT_YET:
            LOGGER.info("grouped_daily %s ends before session %s.", lane.market, day)
            raise LaneEnds
        known = lane.history.start
        side = lane.history.place(day, lambda other: self._is_outside(lane, other))
        if side is Outside.AFTER:
            _require_recent(lane, answer.words)
            LOGGER.warning(
                "grouped_daily %s ends before session %s, which Polygon.io refuses: %s",
                *(lane.market, day, answer.words),
            )
            raise LaneEnds
        if lane.history.start != known:
            LOGGER.warning(
                "grouped_daily %s: the history of the plan starts with session %s; the sessions "
                "before it are left out.",
                *(lane.market, lane.history.start),
            )

    def _is_outside(self, lane: SessionLane, day: date) -> bool:
        answer = self._ask(lane, day)
        return isinstance(answer, Refused) and answer.reason is Reason.OUTSIDE_HISTORY


def _require_recent(lane: SessionLane, words: str) -> None:
    """Raise an error if a lane, all of it refused, ends too long ago to be refused as not over.

    Raises:
        AirbyteTracedException: all of the configured range lies before the plan's history
            (config_error).
    """
    last = lane.days[-1]
    if lane.history.earliest_served or last > last_finished(lane.market) - _RECENT:
        return
    raise config_error(
        f"The plan of this API key has no {lane.market} bars from {lane.days[0]} to {last}: "
        f"{words} Give a later start_date and end_date, or upgrade the plan.",
        words,
    )

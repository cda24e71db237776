"""Stream `grouped_daily`: one bar per symbol and session, a whole market in one request."""

import logging
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from threading import Lock
from typing import Any

import requests
from airbyte_cdk.models import FailureType
from airbyte_cdk.sources.declarative.requesters.requester import Requester
from airbyte_cdk.sources.declarative.retrievers.retriever import Retriever
from airbyte_cdk.sources.types import Record, StreamSlice
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_polygon.engine.checkpoints import Lane, LaneCursor, LaneSlice, UnreadableState
from source_polygon.sessions import (
    BAR_MARKETS,
    end_of_bar,
    last_finished,
    session_of,
    sessions,
    trades,
)
from source_polygon.stamps import from_milliseconds
from source_polygon.streams.bars import bars
from source_polygon.vendor.answers import Refusal, is_empty, message, payload, refusal
from source_polygon.vendor.ask import ask, ask_for_rows

LOGGER = logging.getLogger("airbyte")

_PROGRESS_EVERY = 50

# Plans get a session up to a day after it; what is older than that is no matter of waiting.
_RECENT = timedelta(days=7)

# Empty days before the first bar of a market that are asked for again.
_BLANK_DAYS = 5


class SessionLane(Lane):
    """The sessions of one market that this sync reads, oldest first.

    Attributes:
        days: the sessions.
        history_start: the plan's first session, once a refusal has made it worth finding out.
        earliest_served: the earliest session that the vendor has served in this sync.
    """

    def __init__(
        self,
        partition: Mapping[str, Any],
        cursor: Mapping[str, Any],
        cursor_field: str,
        days: list[date],
        run_ahead: int,
    ) -> None:
        super().__init__(partition, cursor, run_ahead)
        self.market = str(partition["market"])
        self.days = days
        self.history_start: date | None = None
        self.earliest_served: date | None = None
        self.history_lock = Lock()
        # Where the history of crypto and fx starts at the vendor is not known; that of stocks is.
        self._bars_known = bool(cursor) or self.market == "stocks"
        self._blank_days = 0
        self._cursor_field = cursor_field
        self._saved = str(cursor.get(cursor_field, ""))

    def checkpoint(self, day: date) -> Mapping[str, Any]:
        """Return the checkpoint once `day` is complete; sessions read again do not move it back."""
        end = from_milliseconds(round(end_of_bar(self.market, day).timestamp() * 1000))
        return {self._cursor_field: max(end, self._saved)}

    def served(self, day: date, *, with_bars: bool) -> None:
        """Note that the vendor has served `day`."""
        self.earliest_served = min(day, self.earliest_served or day)
        self._bars_known = self._bars_known or with_bars
        self._blank_days += not with_bars

    def doubts(self, day: date) -> bool:
        """Return whether an answer without bars for `day` is to be doubted.

        Years of empty days before a market's first bar are not, after the first few.
        """
        expected = self._bars_known or self._blank_days < _BLANK_DAYS
        return trades(self.market, day) and expected


@dataclass
class SessionCursor(LaneCursor):
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
            reached = self._session(market, cursor)
            if reached > finished:
                LOGGER.warning("%s: the saved state %s lies ahead of the market.", market, reached)
                days = []
            known = bisect_right(days, reached)
            days = days[max(0, known - self.config["lookback_sessions"]) :]
        return SessionLane(partition, cursor, self.cursor_field, days, self.run_ahead)

    def slices(self, lane: SessionLane) -> Iterator[LaneSlice]:
        """Return a slice per session."""
        if lane.days:
            LOGGER.info(
                "grouped_daily %s: %d sessions, %s to %s, one request each.",
                *(lane.market, len(lane.days), lane.days[0], lane.days[-1]),
            )
        for day in lane.days:
            yield lane.slice(date=day.isoformat())

    def _session(self, market: str, cursor: Mapping[str, Any]) -> date:
        try:
            moment = datetime.fromisoformat(cursor[self.cursor_field].replace("Z", "+00:00"))
            return session_of(market, moment)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UnreadableState(f"{market}: {dict(cursor)!r}") from error


@dataclass
class GroupedDailyRetriever(Retriever):
    """Reads one session.

    A day that the vendor refuses because it is not over ends the market for this sync, with the
    state before it. Days before the history of the plan are passed over. Any other failure stops
    the market too: reading on past a hole would only have to be repeated.
    """

    requester: Requester
    name: str

    def read_records(
        self, records_schema: Mapping[str, Any], stream_slice: StreamSlice | None = None
    ) -> Iterable[Record]:
        """Return the bars of the session of `stream_slice`.

        Raises:
            AirbyteTracedException: the vendor's answer was broken, or refused for good.
        """
        if not isinstance(stream_slice, LaneSlice):
            raise TypeError("grouped_daily is read by the slices of SessionCursor")
        lane = stream_slice.lane
        if not isinstance(lane, SessionLane) or not stream_slice.enter():
            return
        try:
            yield from self._read(lane, stream_slice)
        except Exception:
            lane.stop()
            raise

    def _read(self, lane: SessionLane, session: LaneSlice) -> Iterator[Record]:
        day = date.fromisoformat(session["date"])
        if lane.history_start is None or day >= lane.history_start:
            doubtful = lane.doubts(day)
            response = self._ask_for_bars(lane, day) if doubtful else self._ask(lane, day)
            refused = refusal(response)
            if refused is Refusal.NOT_YET:
                LOGGER.info("grouped_daily %s ends before session %s.", lane.market, day)
                lane.stop()
                return
            if refused is Refusal.OUTSIDE_HISTORY:
                if not self._find_history_start(lane, day, message(response)):
                    lane.stop()
                    return
            else:
                empty = is_empty(response)
                lane.served(day, with_bars=not empty)
                yield from session.records(self.name, bars(payload(response), lane.market, day))
                if empty and doubtful:
                    # The vendor may be late with the last session: only a later one shows that
                    # there is nothing to wait for.
                    session.complete({})
                    return
        session.complete(lane.checkpoint(day))
        if session.position % _PROGRESS_EVERY == 0:
            LOGGER.info(
                "grouped_daily %s: session %d of %d (%s).",
                *(lane.market, session.position, len(lane.days), day),
            )

    def _ask(self, lane: SessionLane, day: date) -> requests.Response:
        return ask(self.requester, stream_slice=_request(lane, day))

    def _ask_for_bars(self, lane: SessionLane, day: date) -> requests.Response:
        complaint = f"grouped_daily {lane.market}: session {day} has no bars"
        return ask_for_rows(self.requester, complaint, stream_slice=_request(lane, day))

    def _find_history_start(self, lane: SessionLane, day: date, words: str) -> bool:
        """Find the first session that the plan covers; return whether there is one after `day`.

        The vendor says "timeframe" for days before the plan's history and for future days alike.
        Only a later session that is served tells the two apart.
        """
        with lane.history_lock:
            if lane.history_start is not None and day < lane.history_start:
                return True
            later = lane.days[bisect_right(lane.days, day) :]
            if not later or self._outside_history(lane, later[-1]):
                _require_recent(lane, words)
                LOGGER.warning(
                    "grouped_daily %s ends before session %s, which Polygon.io refuses: %s",
                    *(lane.market, day, words),
                )
                return False
            if lane.earliest_served is not None and lane.earliest_served < day:
                raise AirbyteTracedException(
                    message=f"Polygon.io refuses {lane.market} bars of {day} as outside the plan's "
                    f"history, although it served {lane.earliest_served}. Sync again later.",
                    internal_message=words,
                    failure_type=FailureType.transient_error,
                )
            first = bisect_left(later, True, key=lambda d: not self._outside_history(lane, d))
            lane.history_start = later[first]
            LOGGER.warning(
                "grouped_daily %s: the history of the plan starts with session %s; the sessions "
                "before it are left out.",
                *(lane.market, lane.history_start),
            )
            return True

    def _outside_history(self, lane: SessionLane, day: date) -> bool:
        return refusal(self._ask(lane, day)) is Refusal.OUTSIDE_HISTORY


def _request(lane: SessionLane, day: date) -> StreamSlice:
    return StreamSlice(partition=lane.partition, cursor_slice={"date": day.isoformat()})


def _require_recent(lane: SessionLane, words: str) -> None:
    """Raise an error if a lane, all of it refused, ends too long ago to be refused as not over.

    Raises:
        AirbyteTracedException: all of the configured range lies before the plan's history
            (config_error).
    """
    last = lane.days[-1]
    if lane.earliest_served is not None or last > last_finished(lane.market) - _RECENT:
        return
    raise AirbyteTracedException(
        message=f"The plan of this API key has no {lane.market} bars from {lane.days[0]} "
        f"to {last}: {words} Give a later start_date and end_date, or upgrade the plan.",
        internal_message=words,
        failure_type=FailureType.config_error,
    )

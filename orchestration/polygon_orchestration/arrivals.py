"""The sensor that sees the vendor's files appear, and be replaced, by listing them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta, timezone
from hashlib import sha256
from itertools import groupby
from typing import Final

import dagster as dg
from polygon_streaming import ConfigError, StreamError

from polygon_orchestration.flat_files import FlatFiles
from polygon_orchestration.schedules import RANGE
from polygon_orchestration.sessions import NEW_YORK, sessions

# How long a replaced file is noticed, and how much the cursor remembers. The vendor does not say
# until when it replaces files.
_DAYS: Final = timedelta(days=45)
# About 11:00 New York time of the next day, says the vendor; an hour is left to be late.
_DUE: Final = time(12)
_SECONDS: Final = 300


class NotListed(Exception):
    """The bucket could not be listed, which is not the same as nothing in it."""


def arrivals(flat_files: FlatFiles, key: dg.AssetKey, start: date) -> dg.SensorDefinition:
    """Return the sensor.

    Its cursor has the ETags of the files that a run was asked for, of the last 45 days, and at how
    many looks runs were asked for. One run for sessions that follow one another, so that the first
    look is one run, too. A run that failed in the end is asked for again when its file is replaced:
    before that it would fail again, and what has to be done first is a person's to say.

    Args:
        flat_files: what is listed.
        key: of the asset whose sessions are asked for.
        start: the first session.
    """
    job = dg.define_asset_job(
        "flat_files",
        dg.AssetSelection.assets(key),
        description="Load the files of sessions; verify and mend what was streamed.",
    )

    @dg.sensor(
        name="flat_file_appeared",
        job=job,
        minimum_interval_seconds=_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Lists the vendor's bucket; asks for sessions whose files are new or replaced.",
    )
    def flat_file_appeared(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = datetime.now(timezone.utc)
        today = now.astimezone(NEW_YORK).date()
        days = sessions(max(start, today - _DAYS), today - timedelta(days=1))
        if not days:
            return dg.SensorResult(skip_reason=f"There is no session yet since {start}.")
        try:
            listed = flat_files.listed(days[0], days[-1])
        except ConfigError as error:
            raise NotListed(f"The list of flat files is refused. {error}") from None
        except StreamError as error:
            raise NotListed(f"The list of flat files is not to be had now. {error}") from None
        before = json.loads(context.cursor or "{}")
        known, looks = before.get("etags", {}), before.get("looks", 0)
        there = {day: listed[day] for day in days if day in listed}
        fresh = [day for day in there if there[day].items() - known.items()]
        etags = {name: tag for files in there.values() for name, tag in files.items()}
        cursor = json.dumps({"looks": looks + bool(fresh), "etags": etags})
        asked = [_request(span, there, looks) for span in _spans(days, fresh)]
        overdue = [str(day) for day in days if day not in there and _due(day) <= now]
        if overdue:
            context.log.warning(f"Sessions without a file: {', '.join(overdue)}.")
        if asked:
            return dg.SensorResult(run_requests=asked, cursor=cursor)
        if not there:
            told = f"Nothing is listed of the sessions from {days[0]} to {days[-1]}."
        else:
            told = f"Nothing new since the file of {max(there)}."
        if overdue:
            told += f" Without a file: {', '.join(overdue)}."
        return dg.SensorResult(skip_reason=told, cursor=cursor)

    return flat_file_appeared


def _spans(days: Sequence[date], fresh: Sequence[date]) -> Iterator[list[date]]:
    """Return the fresh ones of some sessions, those together that follow one another."""
    for is_fresh, span in groupby(days, lambda day: day in fresh):
        if is_fresh:
            yield list(span)


def _request(
    span: Sequence[date], there: Mapping[date, Mapping[str, str]], looks: int
) -> dg.RunRequest:
    first, last = str(span[0]), str(span[-1])
    etags = [tag for day in span for tag in there[day].values()]
    mark = etags[0] if len(etags) == 1 else sha256(" ".join(etags).encode()).hexdigest()[:32]
    # One key, one run: what is asked for again after a crash is left out by Dagster. A file that is
    # replaced by one that was there before has another key by the number of looks.
    return dg.RunRequest(
        run_key=f"{first} {last} {mark} {looks}", tags=dict(zip(RANGE, (first, last), strict=True))
    )


def _due(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), _DUE, NEW_YORK)

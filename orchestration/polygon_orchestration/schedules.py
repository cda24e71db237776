"""When what runs: each session once its plan serves it, and a look for staleness each morning."""

from datetime import date, timedelta
from typing import Final

import dagster as dg
from dagster import AssetSelection

from polygon_orchestration.sessions import last_due, sessions

RANGE: Final = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


def schedules(
    plan_delay_minutes: int | None, lookback: int, start: date
) -> list[dg.ScheduleDefinition]:
    """Return the schedules, which run by themselves once the code location is loaded.

    Args:
        plan_delay_minutes: see `Settings`.
        lookback: earlier sessions that each run reads again.
        start: the first session.
    """
    everything = dg.define_asset_job(
        "sessions",
        # Not the streaming side's files, which are a day later.
        AssetSelection.groups("landing", "market"),
        description="Read sessions, check them, model them.",
    )

    # A quarter of an hour after the close is 13:15 on half-days and 16:15 else; asking each
    # quarter finds either, and after an outage the session that is due by then.
    @dg.schedule(
        name="after_each_session",
        job=everything,
        cron_schedule="*/15 * * * *",
        execution_timezone="America/New_York",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def after_each_session(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        session = last_due(context.scheduled_execution_time, plan_delay_minutes)
        days = sessions(session - timedelta(days=2 * lookback + 10), session)[-lookback - 1 :]
        known = [str(day) for day in days if day >= start]
        if not known:
            return dg.SkipReason(f"The latest session, {session}, is before the start date.")
        # One key, one run: Dagster leaves out a request whose key it has seen.
        return dg.RunRequest(
            run_key=str(session), tags=dict(zip(RANGE, (known[0], known[-1]), strict=True))
        )

    look = dg.define_asset_job(
        "look_for_staleness",
        AssetSelection.checks(
            dg.AssetCheckKey(dg.AssetKey(["landing", "grouped_daily"]), "staleness")
        ),
        description="See whether the latest session is there, also if nothing ran.",
    )
    each_morning = dg.ScheduleDefinition(
        name="each_morning",
        job=look,
        cron_schedule="0 8 * * *",
        execution_timezone="America/New_York",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return [after_each_session, each_morning]

"""Failures go where somebody looks: a webhook, and always Dagster's own log."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import requests

_TIMEOUT_SECONDS = 10


def sensors(webhook: str | None) -> list[dg.SensorDefinition]:
    """Return a sensor for failed runs and one for failed checks of runs that succeeded.

    Args:
        webhook: address that takes JSON with a `text`, as Slack's and Teams' do; None: log only.
    """

    def alert(context: dg.RunStatusSensorContext) -> None:
        text = message(context.instance, context.dagster_run)
        if text is None:
            return
        context.log.error(text)
        if webhook:
            response = requests.post(webhook, json={"text": text}, timeout=_TIMEOUT_SECONDS)
            if not response.ok:  # raise_for_status would print the address, which is a secret
                raise dg.Failure(f"The alert webhook answered {response.status_code}.")

    def on(status: dg.DagsterRunStatus, name: str) -> dg.SensorDefinition:
        sense: Callable[..., dg.SensorDefinition] = dg.run_status_sensor(
            run_status=status, name=name, default_status=dg.DefaultSensorStatus.RUNNING
        )
        return sense(alert)

    return [
        on(dg.DagsterRunStatus.FAILURE, "alert_on_failure"),
        on(dg.DagsterRunStatus.SUCCESS, "alert_on_failed_checks"),
    ]


def message(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str | None:
    """Return what to tell about a run: failed checks by name, and why it failed; None: all well."""
    lines = []
    for record in instance.all_logs(run.run_id):
        event: Any = record.dagster_event
        if event is None:
            continue
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            result = event.asset_check_evaluation_data
            if not result.passed:
                lines.append(f"check {result.check_name}: {result.description}")
        elif event.is_step_failure:
            error = event.step_failure_data.error
            # Dagster's own words are about the step; what went wrong in it is the cause.
            reason = (error.cause or error).message.strip() if error else "failed"
            lines.append(f"{event.step_key}: {reason}")
    if not lines and run.status is not dg.DagsterRunStatus.FAILURE:
        return None
    return "\n".join([f"{run.job_name} ({run.run_id[:8]}) {run.status.value}", *lines])

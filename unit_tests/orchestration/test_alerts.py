"""Failures reach the webhook, whose address is a secret."""

import dagster as dg
import pytest
import requests_mock
from polygon_orchestration.alerts import sensors

WEBHOOK = "https://hooks.example/T000/secret-4711"


@dg.job
def broken() -> None:
    @dg.op
    def read() -> None:
        raise RuntimeError("no bars today")

    read()


def alerted() -> dg.RunStatusSensorContext:
    """Return what the sensor sees of a failed run."""
    instance = dg.DagsterInstance.ephemeral()
    run = broken.execute_in_process(instance=instance, raise_on_error=False)
    return dg.build_run_status_sensor_context(
        "alert_on_failure",
        dagster_instance=instance,
        dagster_run=run.dagster_run,
        dagster_event=run.get_run_failure_event(),
    ).for_run_failure()


def test_a_failure_is_told_with_its_reason() -> None:
    on_failure, _ = sensors(WEBHOOK)
    with requests_mock.Mocker() as web:
        web.post(WEBHOOK, status_code=200)
        on_failure(alerted())
        (sent,) = web.request_history
    text = sent.json()["text"]
    assert text.startswith("broken (")
    assert "FAILURE\nread: " in text
    assert "no bars today" in text


def test_a_webhook_that_refuses_is_an_error_without_its_address() -> None:
    on_failure, _ = sensors(WEBHOOK)
    with requests_mock.Mocker() as web:
        web.post(WEBHOOK, status_code=404)
        with pytest.raises(dg.Failure, match="answered 404") as failed:
            on_failure(alerted())
    assert "secret-4711" not in str(failed.value)


def test_without_a_webhook_nothing_is_sent() -> None:
    on_failure, _ = sensors(None)
    with requests_mock.Mocker() as web:
        on_failure(alerted())
    assert web.request_history == []

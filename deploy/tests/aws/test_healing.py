"""Healing on a schedule: who may start what, and which ends of a task are failures."""

import json
from typing import Any

import pytest
from moto.events.models import EventPattern

from deploy.tests.aws.account import Account

EXECUTION = {"Fn::GetAtt": ["ExecutionRole", "Arn"]}
TASK = {"Fn::GetAtt": ["TaskRole", "Arn"]}
CLUSTER = {"Fn::ImportValue": {"Fn::Sub": "${Platform}-ClusterArn"}}


@pytest.fixture
def heal(templates: dict[str, Any]) -> Any:
    return templates["heal"]["Resources"]


def test_the_scheduler_may_start_this_task_in_this_cluster_in_its_roles_and_no_more(
    heal: Any,
) -> None:
    (policy,) = heal["ScheduleRole"]["Properties"]["Policies"]
    assert policy["PolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Action": "ecs:RunTask",
            "Resource": {"Ref": "Task"},
            "Condition": {"ArnEquals": {"ecs:cluster": CLUSTER}},
        },
        {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": [EXECUTION, TASK],
            "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        },
        {
            "Effect": "Allow",
            "Action": "sqs:SendMessage",
            "Resource": {"Fn::GetAtt": ["NotStarted", "Arn"]},
        },
    ]
    task = heal["Task"]["Properties"]
    assert (task["ExecutionRoleArn"], task["TaskRoleArn"]) == (EXECUTION, TASK)


def test_the_schedule_starts_one_task_and_keeps_what_it_could_not_start(heal: Any) -> None:
    schedule = heal["HealSchedule"]["Properties"]
    assert schedule["ScheduleExpression"] == {"Ref": "Schedule"}
    target = schedule["Target"]
    assert target["Arn"] == CLUSTER
    assert target["RoleArn"] == {"Fn::GetAtt": ["ScheduleRole", "Arn"]}
    assert target["EcsParameters"]["TaskDefinitionArn"] == {"Ref": "Task"}
    assert target["EcsParameters"]["TaskCount"] == 1
    network = target["EcsParameters"]["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["AssignPublicIp"] == "DISABLED"
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["NotStarted", "Arn"]}}
    alarm = heal["HealNotStarted"]["Properties"]
    assert alarm["Dimensions"] == [
        {"Name": "QueueName", "Value": {"Fn::GetAtt": ["NotStarted", "QueueName"]}}
    ]


def test_the_alarm_counts_what_the_rule_matches(heal: Any) -> None:
    alarm = heal["HealFailed"]["Properties"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Events", "MatchedEvents")
    assert alarm["Dimensions"] == [{"Name": "RuleName", "Value": {"Ref": "Failed"}}]
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (0, "GreaterThanThreshold")


def ended(task: str, cluster: str, *exit_codes: int, stop_code: str) -> Any:
    """Return the event of a task that has ended, as EventBridge compares it.

    EventBridge looks into the objects of a list, which moto does not: so the exit statuses are
    gathered here.
    """
    return {
        "source": "aws.ecs",
        "detail-type": "ECS Task State Change",
        "detail": {
            "clusterArn": cluster,
            "taskDefinitionArn": task,
            "lastStatus": "STOPPED",
            "stopCode": stop_code,
            **({"containers": {"exitCode": list(exit_codes)}} if exit_codes else {}),
        },
    }


def test_failures_are_runs_that_end_with_a_status_or_never_begin(deployed: Account) -> None:
    rule = rule_of(deployed, "heal", "Failed")
    pattern = EventPattern(None, json.loads(rule["EventPattern"]))
    task = deployed.task("heal")["taskDefinitionArn"]
    (cluster,) = deployed.client("ecs").list_clusters()["clusterArns"]
    by_itself = "EssentialContainerExited"
    assert pattern.matches_event(ended(task, cluster, 1, stop_code=by_itself))
    assert pattern.matches_event(ended(task, cluster, 137, stop_code="UserInitiated"))
    assert pattern.matches_event(ended(task, cluster, stop_code="TaskFailedToStart"))
    assert not pattern.matches_event(ended(task, cluster, 0, stop_code=by_itself))
    other = deployed.task("feed")["taskDefinitionArn"]
    assert not pattern.matches_event(ended(other, cluster, 1, stop_code=by_itself))


def test_a_run_that_ends_is_no_restart_of_a_service(deployed: Account) -> None:
    rule = rule_of(deployed, "cluster", "TaskEnded")
    pattern = EventPattern(None, json.loads(rule["EventPattern"]))
    (cluster,) = deployed.client("ecs").list_clusters()["clusterArns"]
    event = ended("", cluster, 0, stop_code="EssentialContainerExited")
    event["detail"]["group"] = "family:polygon-stream-heal-heal"
    assert not pattern.matches_event(event)
    event["detail"]["group"] = "service:polygon-stream-feed-Service-1"
    assert pattern.matches_event(event)


def rule_of(account: Account, stack: str, resource: str) -> Any:
    """Return a rule of a stack."""
    prefix = f"polygon-stream-{stack}-{resource}-"
    (rule,) = account.client("events").list_rules(NamePrefix=prefix)["Rules"]
    return rule

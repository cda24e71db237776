import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from polygon_streaming.channels import FEEDS
from polygon_streaming.settings import (
    FeedSettings,
    FilterSettings,
    HealSettings,
    Settings,
    SinkSettings,
    VerifySettings,
    load,
)

from deploy.tests.aws.alarms import passed_on, watched
from deploy.tests.exported import exported

AWS = Path(__file__).parents[2] / "aws"
OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"
SERVICES = ("feed", "filter", "sink")
TASKS = (*SERVICES, "heal", "verify")
WRITE_METRICS = {"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"}


def of_type(template: Any, kind: str) -> dict[str, Any]:
    return {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


def statements(role: Any) -> Iterator[Any]:
    for policy in role.get("Policies", ()):
        yield from policy["PolicyDocument"]["Statement"]


def actions(role: Any) -> set[str]:
    found: set[str] = set()
    for statement in statements(role):
        action = statement["Action"]
        found.update([action] if isinstance(action, str) else action)
    return found


def containers(template: Any) -> dict[str, Any]:
    definitions = template["Resources"]["Task"]["Properties"]["ContainerDefinitions"]
    return {definition["Name"]: definition for definition in definitions}


def test_the_linter_finds_nothing() -> None:
    command = [Path(sys.executable).with_name("cfn-lint"), *sorted(AWS.glob("*.yaml"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("service", TASKS)
def test_no_wildcard_but_for_the_one_action_that_has_no_resource(
    templates: dict[str, Any], service: str
) -> None:
    for role in of_type(templates[service], "AWS::IAM::Role").values():
        assert not any("*" in action for action in actions(role))
        for statement in statements(role):
            if "*" in json.dumps(statement["Resource"]):
                assert statement["Action"] == "ecr:GetAuthorizationToken"


@pytest.mark.parametrize("service", TASKS)
def test_only_ecs_of_this_account_takes_the_roles(templates: dict[str, Any], service: str) -> None:
    roles = of_type(templates[service], "AWS::IAM::Role")
    assert {"ExecutionRole", "TaskRole"} <= set(roles)
    for name, role in roles.items():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        taker = "scheduler" if name == "ScheduleRole" else "ecs-tasks"
        assert statement["Principal"] == {"Service": f"{taker}.amazonaws.com"}
        assert statement["Action"] == "sts:AssumeRole"
        assert statement["Condition"] == {
            "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
        }


@pytest.mark.parametrize(
    ("task", "others"), [("feed", WRITE_METRICS), ("heal", set())], ids=["feed", "heal"]
)
def test_feed_and_healing_may_read_one_object_and_no_other(
    templates: dict[str, Any], task: str, others: set[str]
) -> None:
    role = of_type(templates[task], "AWS::IAM::Role")["TaskRole"]
    (s3,) = [s for s in statements(role) if "s3:" in json.dumps(s["Action"])]
    assert s3["Action"] == "s3:GetObject"
    assert s3["Resource"] == {
        "Fn::ImportValue": {"Fn::Sub": "${Foundation}-SubscriptionsObjectArn"}
    }
    assert actions(role) - {"s3:GetObject"} == others


def test_verify_may_do_nothing_in_aws(templates: dict[str, Any]) -> None:
    assert "Policies" not in of_type(templates["verify"], "AWS::IAM::Role")["TaskRole"]


@pytest.mark.parametrize("service", ["filter", "sink"])
def test_filter_and_sink_may_do_nothing_in_aws_but_write_metrics(
    templates: dict[str, Any], service: str
) -> None:
    role = of_type(templates[service], "AWS::IAM::Role")["TaskRole"]
    assert actions(role) == WRITE_METRICS


@pytest.mark.parametrize("service", SERVICES)
def test_metrics_go_to_the_one_log_group(templates: dict[str, Any], service: str) -> None:
    role = of_type(templates[service], "AWS::IAM::Role")["TaskRole"]
    (given,) = [s for s in statements(role) if set(s["Action"]) == WRITE_METRICS]
    assert given["Resource"] == {"Fn::GetAtt": ["MetricLogs", "Arn"]}


@pytest.mark.parametrize("service", SERVICES)
def test_a_shell_in_a_task_is_off_unless_asked_for(templates: dict[str, Any], service: str) -> None:
    template = templates[service]
    assert template["Parameters"]["Exec"]["Default"] == "off"
    assert template["Conditions"] == {"ExecIsOn": {"Fn::Equals": [{"Ref": "Exec"}, "on"]}}
    found = of_type(template, "AWS::ECS::Service")["Service"]
    assert found["EnableExecuteCommand"] == {"Fn::If": ["ExecIsOn", True, False]}
    assert template["Resources"]["ExecRights"]["Condition"] == "ExecIsOn"
    rights = of_type(template, "AWS::IAM::Policy")["ExecRights"]
    assert rights["Roles"] == [{"Ref": "TaskRole"}]
    (statement,) = rights["PolicyDocument"]["Statement"]
    assert set(statement["Action"]) == {
        f"ssmmessages:{verb}{kind}Channel"
        for verb in ("Create", "Open")
        for kind in ("Control", "Data")
    }


@pytest.mark.parametrize(
    ("service", "secrets"),
    [
        ("feed", {"ApiKeyArn", "FeedKafkaArn"}),
        ("filter", {"FilterKafkaArn"}),
        ("heal", {"ApiKeyArn", "HealKafkaArn"}),
        ("sink", {"SinkKafkaArn", "SinkClickHouseArn"}),
        ("verify", {"FlatFilesArn", "FilesClickHouseArn"}),
    ],
)
def test_a_service_gets_its_own_secrets_only(
    templates: dict[str, Any], service: str, secrets: set[str]
) -> None:
    role = of_type(templates[service], "AWS::IAM::Role")["ExecutionRole"]
    (given,) = [s for s in statements(role) if s["Action"] == "secretsmanager:GetSecretValue"]
    assert set(re.findall(r"-(\w+Arn)", json.dumps(given["Resource"]))) == secrets
    used = json.dumps(containers(templates[service])[service]["Secrets"])
    assert set(re.findall(r"-(\w+Arn)", used)) == secrets


@pytest.mark.parametrize("service", TASKS)
def test_no_secret_is_in_the_plain_environment(templates: dict[str, Any], service: str) -> None:
    for container in containers(templates[service]).values():
        names = {entry["Name"] for entry in container.get("Environment", [])}
        assert not names & {
            "POLYGON_API_KEY",
            "POLYGON_STREAM_API_KEY",
            "POLYGON_STREAM_KAFKA",
            "POLYGON_STREAM_CLICKHOUSE_PASSWORD",
        }
    for secret in of_type(templates["foundation"], "AWS::SecretsManager::Secret").values():
        assert "SecretString" not in secret


def test_the_feed_never_runs_twice(templates: dict[str, Any]) -> None:
    service = of_type(templates["feed"], "AWS::ECS::Service")["Service"]
    assert service["DesiredCount"] == 1
    assert service["DeploymentConfiguration"]["MinimumHealthyPercent"] == 0
    assert service["DeploymentConfiguration"]["MaximumPercent"] == 100
    assert service["AvailabilityZoneRebalancing"] == "DISABLED"
    assert of_type(templates["feed"], "AWS::ApplicationAutoScaling::ScalableTarget") == {}


def test_filters_are_scaled_by_lag_and_have_ids_of_their_own(templates: dict[str, Any]) -> None:
    service = of_type(templates["filter"], "AWS::ECS::Service")["Service"]
    assert "DesiredCount" not in service  # or each deployment would undo the scaling
    ((policy),) = of_type(
        templates["filter"], "AWS::ApplicationAutoScaling::ScalingPolicy"
    ).values()
    metric = policy["TargetTrackingScalingPolicyConfiguration"]["CustomizedMetricSpecification"]
    assert metric["MetricName"] == "polygon_consumer_lag_records"
    (command,) = containers(templates["filter"])["filter"]["Command"]
    assert command.startswith("exec polygon-stream filter --transactional-id")
    assert "ECS_CONTAINER_METADATA_URI_V4##*/" in command


@pytest.mark.parametrize("service", SERVICES)
def test_a_failed_deployment_is_rolled_back(templates: dict[str, Any], service: str) -> None:
    found = of_type(templates[service], "AWS::ECS::Service")["Service"]["DeploymentConfiguration"]
    assert found["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}


@pytest.mark.parametrize("service", TASKS)
def test_a_container_is_confined_and_has_time_to_stop(
    templates: dict[str, Any], service: str
) -> None:
    container = containers(templates[service])[service]
    writable_for_exec = {"Fn::If": ["ExecIsOn", False, True]}
    wanted = writable_for_exec if service in SERVICES else True
    assert container["ReadonlyRootFilesystem"] == wanted
    assert container["User"] == "10001"
    assert container["LinuxParameters"]["InitProcessEnabled"] is True
    assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    assert 20 < container["StopTimeout"] <= 120  # of which Fargate grants no more
    assert container["LogConfiguration"]["Options"]["mode"] == "non-blocking"


@pytest.mark.parametrize("service", SERVICES)
def test_what_runs_for_ever_has_a_health_check(templates: dict[str, Any], service: str) -> None:
    check = containers(templates[service])[service]["HealthCheck"]["Command"]
    assert check[0] == "CMD"
    assert "/healthz" in check[-1]


def test_the_bucket_is_versioned_encrypted_private_and_takes_tls_only(
    templates: dict[str, Any],
) -> None:
    bucket = of_type(templates["foundation"], "AWS::S3::Bucket")["SubscriptionsBucket"]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert "BucketEncryption" in bucket
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    policy = of_type(templates["foundation"], "AWS::S3::BucketPolicy")["SubscriptionsBucketPolicy"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert templates["foundation"]["Resources"]["SubscriptionsBucket"]["DeletionPolicy"] == "Retain"


def test_nothing_comes_in(templates: dict[str, Any]) -> None:
    ports = {}
    for name in ("cluster", "sink", "verify"):
        (group,) = of_type(templates[name], "AWS::EC2::SecurityGroup").values()
        assert "SecurityGroupIngress" not in group
        rules = group["SecurityGroupEgress"]
        assert all(rule["FromPort"] == rule["ToPort"] for rule in rules)
        ports[name] = [rule["FromPort"] for rule in rules]
    clickhouse = [{"Ref": "ClickHousePort"}]
    assert ports == {
        "cluster": [443, {"Ref": "KafkaPort"}],
        "sink": clickhouse,
        "verify": clickhouse,
    }
    assert templates["cluster"]["Parameters"]["KafkaPort"]["Default"] == 9092
    # Nobody else is in the groups of sink and verify, which tells its own to who starts it by hand.
    for name in TASKS:
        groups = json.dumps(templates[name]).count('{"Fn::GetAtt": ["SecurityGroup", "GroupId"]}')
        assert groups == {"sink": 1, "verify": 2}.get(name, 0)


def test_the_feed_can_be_any_of_the_vendors(templates: dict[str, Any]) -> None:
    feed = templates["feed"]["Parameters"]["Feed"]
    assert feed["Default"] == load(FeedSettings, ["--api-key", "a-key"]).feed
    assert feed["AllowedValues"] == list(FEEDS)
    assert {"Name": "POLYGON_STREAM_FEED", "Value": {"Ref": "Feed"}} in containers(
        templates["feed"]
    )["feed"]["Environment"]


@pytest.mark.parametrize(
    ("task", "kind"),
    [("feed", FeedSettings), ("filter", FilterSettings), ("heal", HealSettings),
     ("sink", SinkSettings), ("verify", VerifySettings)],
)  # fmt: skip
def test_each_variable_is_a_setting_of_the_command(
    templates: dict[str, Any], task: str, kind: type[Settings]
) -> None:
    container = containers(templates[task])[task]
    names = {entry["Name"] for entry in container["Environment"] + container["Secrets"]}
    known = {f"POLYGON_STREAM_{name.upper()}" for name in kind.model_fields}
    shared = {f"POLYGON_{name.upper()}" for name in kind.model_fields if "flat_files" in name}
    assert names - known - shared <= {"POLYGON_API_KEY", "AWS_DEFAULT_REGION"}


def test_metrics_of_alarms_and_scaling_are_ones_the_program_has(templates: dict[str, Any]) -> None:
    for service in SERVICES:
        text = (AWS / f"{service}.yaml").read_text()
        used = set(re.findall(r"\bpolygon_\w+", text))
        assert used <= exported(service)


@pytest.mark.parametrize("service", SERVICES)
def test_what_an_alarm_looks_at_is_sent_by_the_agent_or_made_of_the_log(
    templates: dict[str, Any], service: str
) -> None:
    template = templates[service]
    made = {
        (one["MetricName"], json.dumps(one["MetricNamespace"]))
        for log in of_type(template, "AWS::Logs::MetricFilter").values()
        for one in log["MetricTransformations"]
    }
    looked_at = set()
    for metric in watched([template]):
        dimensions = {one["Name"]: one["Value"] for one in metric.get("Dimensions", [])}
        if metric["Namespace"] == "PolygonStream":
            assert dimensions["job"] == service
            assert (metric["MetricName"], tuple(dimensions)) in passed_on(template)
        else:
            assert dimensions == {}
            looked_at.add((metric["MetricName"], json.dumps(metric["Namespace"])))
    assert looked_at == made


@pytest.mark.parametrize("service", ["feed", "filter"])
def test_gaps_are_taken_from_the_log(templates: dict[str, Any], service: str) -> None:
    """The agent's first look at a counter tells nothing, and a restart's gap comes before it."""
    (log,) = of_type(templates[service], "AWS::Logs::MetricFilter").values()
    assert log["LogGroupName"] == {"Ref": "Logs"}
    assert log["FilterPattern"] == '{ $.event = "gap" }'
    alarm = of_type(templates[service], "AWS::CloudWatch::Alarm")["GapsRecorded"]
    assert (alarm["MetricName"], alarm["Threshold"]) == ("gaps", 0)


def test_each_alarm_has_its_section_in_the_runbook(templates: dict[str, Any]) -> None:
    headings = re.findall(r"^### (\w+)$", OPERATIONS.read_text(), re.MULTILINE)
    alarms = [
        name
        for template in templates.values()
        for name in of_type(template, "AWS::CloudWatch::Alarm")
    ]
    assert len(alarms) == 22
    assert set(alarms) <= set(headings)
    for template in templates.values():
        for name, alarm in of_type(template, "AWS::CloudWatch::Alarm").items():
            assert alarm["AlarmDescription"].endswith(f"docs/operations.md#{name.lower()}")

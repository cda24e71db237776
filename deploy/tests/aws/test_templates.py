import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.tests.exported import exported

AWS = Path(__file__).parents[2] / "aws"
OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"
SERVICES = ("feed", "filter")


def of_type(template: Any, kind: str) -> dict[str, Any]:
    return {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


def statements(role: Any) -> Iterator[Any]:
    for policy in role["Policies"]:
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
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("service", SERVICES)
def test_no_wildcard_but_for_the_one_action_that_has_no_resource(
    templates: dict[str, Any], service: str
) -> None:
    for role in of_type(templates[service], "AWS::IAM::Role").values():
        assert not any("*" in action for action in actions(role))
        for statement in statements(role):
            if "*" in json.dumps(statement["Resource"]):
                assert statement["Action"] == "ecr:GetAuthorizationToken"


@pytest.mark.parametrize("service", SERVICES)
def test_only_ecs_of_this_account_takes_the_roles(templates: dict[str, Any], service: str) -> None:
    for role in of_type(templates[service], "AWS::IAM::Role").values():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
        assert "aws:SourceAccount" in statement["Condition"]["StringEquals"]


def test_the_feed_may_read_one_object_and_nothing_else(templates: dict[str, Any]) -> None:
    role = of_type(templates["feed"], "AWS::IAM::Role")["TaskRole"]
    (s3,) = [s for s in statements(role) if "s3:" in json.dumps(s["Action"])]
    assert s3["Action"] == "s3:GetObject"
    assert s3["Resource"] == {
        "Fn::ImportValue": {"Fn::Sub": "${Foundation}-SubscriptionsObjectArn"}
    }
    assert actions(role) - {"s3:GetObject"} == {
        "logs:CreateLogStream",
        "logs:DescribeLogStreams",
        "logs:PutLogEvents",
    }


def test_the_filter_may_read_no_object(templates: dict[str, Any]) -> None:
    role = of_type(templates["filter"], "AWS::IAM::Role")["TaskRole"]
    assert not any(action.startswith("s3:") for action in actions(role))


@pytest.mark.parametrize(
    ("service", "secrets"),
    [("feed", {"ApiKeyArn", "FeedKafkaArn"}), ("filter", {"FilterKafkaArn"})],
)
def test_a_service_gets_its_own_secrets_only(
    templates: dict[str, Any], service: str, secrets: set[str]
) -> None:
    role = of_type(templates[service], "AWS::IAM::Role")["ExecutionRole"]
    (given,) = [s for s in statements(role) if s["Action"] == "secretsmanager:GetSecretValue"]
    assert set(re.findall(r"-(\w+Arn)", json.dumps(given["Resource"]))) == secrets
    used = json.dumps(containers(templates[service])[service]["Secrets"])
    assert set(re.findall(r"-(\w+Arn)", used)) == secrets


@pytest.mark.parametrize("service", SERVICES)
def test_no_secret_is_in_the_plain_environment(templates: dict[str, Any], service: str) -> None:
    for container in containers(templates[service]).values():
        names = {entry["Name"] for entry in container.get("Environment", [])}
        assert not names & {"POLYGON_API_KEY", "POLYGON_STREAM_API_KEY", "POLYGON_STREAM_KAFKA"}
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


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_is_confined_and_has_time_to_stop(
    templates: dict[str, Any], service: str
) -> None:
    container = containers(templates[service])[service]
    assert container["ReadonlyRootFilesystem"] is True
    assert container["User"] == "10001"
    assert container["LinuxParameters"]["InitProcessEnabled"] is True
    assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    assert 20 < container["StopTimeout"] <= 120  # of which Fargate grants no more
    assert container["HealthCheck"]["Command"][0] == "CMD"
    assert "/healthz" in container["HealthCheck"]["Command"][-1]
    assert container["LogConfiguration"]["Options"]["mode"] == "non-blocking"


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
    (group,) = of_type(templates["cluster"], "AWS::EC2::SecurityGroup").values()
    assert "SecurityGroupIngress" not in group
    assert {rule["FromPort"] for rule in group["SecurityGroupEgress"]} == {443, 9092}


def test_metrics_of_alarms_and_scaling_are_ones_the_program_has(templates: dict[str, Any]) -> None:
    for service in SERVICES:
        text = (AWS / f"{service}.yaml").read_text()
        used = set(re.findall(r"\bpolygon_\w+", text))
        assert used <= exported(service)
        # What an alarm looks at is what the agent passes on.
        for alarm in of_type(templates[service], "AWS::CloudWatch::Alarm").values():
            assert f"^{alarm['MetricName']}$" in text


def test_each_alarm_has_its_section_in_the_runbook(templates: dict[str, Any]) -> None:
    headings = re.findall(r"^### (\w+)$", OPERATIONS.read_text(), re.MULTILINE)
    alarms = [
        name
        for template in templates.values()
        for name in of_type(template, "AWS::CloudWatch::Alarm")
    ]
    assert len(alarms) == 8
    assert sorted(alarms) == sorted(headings)
    for template in templates.values():
        for name, alarm in of_type(template, "AWS::CloudWatch::Alarm").items():
            assert alarm["AlarmDescription"].endswith(f"docs/operations.md#{name.lower()}")

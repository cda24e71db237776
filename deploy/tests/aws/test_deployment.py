"""The stacks on moto's AWS: what they import from each other resolves to the right things.

moto leaves out some properties (versions of a bucket) and resources (alarms, scaling, policies of
buckets and topics); what these say is for the policy tests and the linter.
"""

import re

import pytest
import yaml
from polygon_streaming import open_source

from deploy.tests.aws.account import REGION, Account


def subscriptions(account: Account) -> str:
    """Return where the feed looks for its list."""
    feed = account.task("feed")["containerDefinitions"][0]
    place: str = {entry["name"]: entry["value"] for entry in feed["environment"]}[
        "POLYGON_STREAM_SUBSCRIPTIONS"
    ]
    return place


def test_all_stacks_are_complete(deployed: Account) -> None:
    stacks = deployed.client("cloudformation").describe_stacks()["Stacks"]
    assert {stack["StackName"]: stack["StackStatus"] for stack in stacks} == {
        f"polygon-stream-{name}": "CREATE_COMPLETE"
        for name in (
            "foundation",
            "cluster",
            "feed",
            "filter",
            "sink",
            "heal",
            "verify",
            "dashboard",
        )
    }


def test_the_feed_reads_the_object_that_its_role_allows(deployed: Account) -> None:
    stack = deployed.client("cloudformation").describe_stack_resource(
        StackName="polygon-stream-feed", LogicalResourceId="TaskRole"
    )
    policy = deployed.client("iam").get_role_policy(
        RoleName=stack["StackResourceDetail"]["PhysicalResourceId"], PolicyName="ReadSubscriptions"
    )["PolicyDocument"]
    # moto gives the policy back as Python prints it, which YAML can read.
    (statement,) = yaml.safe_load(policy)["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::" + subscriptions(deployed).removeprefix("s3://"),
    }


def test_the_program_finds_the_list_that_was_put_there(
    deployed: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    place, text = subscriptions(deployed), "market,channel,symbol\nstocks,A,*\n"
    bucket, key = place.removeprefix("s3://").split("/", 1)
    deployed.client("s3").put_object(Bucket=bucket, Key=key, Body=text)
    assert open_source(place, deployed.url).read() == text


def test_each_service_runs_its_task_in_the_one_cluster(deployed: Account) -> None:
    ecs = deployed.client("ecs")
    (cluster,) = ecs.list_clusters()["clusterArns"]
    services = ecs.list_services(cluster=cluster)["serviceArns"]
    found = ecs.describe_services(cluster=cluster, services=services)["services"]
    by_task = {service["taskDefinition"].split("/")[1]: service for service in found}
    assert set(by_task) == {
        f"polygon-stream-{name}-{name}:1" for name in ("feed", "filter", "sink")
    }
    assert by_task["polygon-stream-feed-feed:1"]["desiredCount"] == 1


def test_the_image_is_the_repositorys(deployed: Account) -> None:
    (repository,) = deployed.client("ecr").describe_repositories()["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    for service in ("feed", "filter", "sink", "heal", "verify"):
        containers = deployed.task(service)["containerDefinitions"]
        images = {container["name"]: container["image"] for container in containers}
        images.pop("metrics", None)
        assert set(images.values()) == {f"{repository['repositoryUri']}:0.1.0"}


@pytest.mark.parametrize("name", ["heal", "verify"])
def test_the_schedule_starts_the_task_with_a_role_that_may_start_it_alone(
    deployed: Account, name: str
) -> None:
    stack = f"polygon-stream-{name}"
    scheduler = deployed.client("scheduler")
    every = scheduler.list_schedules()["Schedules"]
    (listed,) = [schedule for schedule in every if name in schedule["Name"].lower()]
    target = scheduler.get_schedule(Name=listed["Name"])["Target"]
    task = deployed.task(name)
    (cluster,) = deployed.client("ecs").list_clusters()["clusterArns"]
    assert target["Arn"] == cluster
    assert target["EcsParameters"]["TaskDefinitionArn"] == task["taskDefinitionArn"]
    iam = deployed.client("iam")
    role = target["RoleArn"].split("/")[-1]
    policy = iam.get_role_policy(RoleName=role, PolicyName=f"Start{name.title()}")["PolicyDocument"]
    run, hand_over, keep = yaml.safe_load(policy)["Statement"]
    assert run["Resource"] == task["taskDefinitionArn"]
    assert run["Condition"] == {"ArnEquals": {"ecs:cluster": cluster}}
    formation = deployed.client("cloudformation")
    roles = [
        formation.describe_stack_resource(StackName=stack, LogicalResourceId=role)[
            "StackResourceDetail"
        ]["PhysicalResourceId"]
        for role in ("ExecutionRole", "TaskRole")
    ]
    assert [arn.split("/")[-1] for arn in hand_over["Resource"]] == roles
    assert keep["Resource"] == target["DeadLetterConfig"]["Arn"]
    queues = deployed.client("sqs")
    arns = [
        queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        for url in queues.list_queues()["QueueUrls"]
    ]
    assert {"QueueArn": target["DeadLetterConfig"]["Arn"]} in arns


@pytest.mark.parametrize(
    ("task", "secrets"),
    [
        ("feed", {"POLYGON_API_KEY": "ApiKey", "POLYGON_STREAM_KAFKA": "FeedKafka"}),
        ("filter", {"POLYGON_STREAM_KAFKA": "FilterKafka"}),
        ("heal", {"POLYGON_API_KEY": "ApiKey", "POLYGON_STREAM_KAFKA": "HealKafka"}),
        (
            "verify",
            {
                "POLYGON_FLAT_FILES_ACCESS_KEY_ID": "FlatFiles",
                "POLYGON_FLAT_FILES_SECRET_ACCESS_KEY": "FlatFiles",
                "POLYGON_STREAM_CLICKHOUSE_PASSWORD": "FilesClickHouse",
            },
        ),
        (
            "sink",
            {
                "POLYGON_STREAM_CLICKHOUSE_PASSWORD": "SinkClickHouse",
                "POLYGON_STREAM_KAFKA": "SinkKafka",
            },
        ),
    ],
)
def test_a_task_gets_its_secrets_by_their_names(
    deployed: Account, task: str, secrets: dict[str, str]
) -> None:
    (stack,) = deployed.client("cloudformation").describe_stacks(
        StackName="polygon-stream-foundation"
    )["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    container = next(c for c in deployed.task(task)["containerDefinitions"] if c["name"] == task)
    # Of a secret that is a JSON object a task gets the values by themselves.
    given = {s["name"]: re.sub(r":[a-z_]+::$", "", s["valueFrom"]) for s in container["secrets"]}
    assert given == {name: outputs[f"{secret}Arn"] for name, secret in secrets.items()}

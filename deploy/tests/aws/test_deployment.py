"""The stacks on moto's AWS: references between them resolve, and what they make is what they say."""

from typing import Any


def test_all_stacks_are_complete(deployed: Any) -> None:
    stacks = deployed.client("cloudformation").describe_stacks()["Stacks"]
    assert {stack["StackName"]: stack["StackStatus"] for stack in stacks} == {
        f"polygon-stream-{name}": "CREATE_COMPLETE"
        for name in ("foundation", "cluster", "feed", "filter")
    }


def test_the_feed_reads_the_object_that_its_role_allows(deployed: Any) -> None:
    ecs, iam = deployed.client("ecs"), deployed.client("iam")
    (arn,) = ecs.list_task_definitions(familyPrefix="polygon-stream-feed-feed")[
        "taskDefinitionArns"
    ] or ecs.list_task_definitions()["taskDefinitionArns"][:1]
    task = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    feed = task["containerDefinitions"][0]
    place = {entry["name"]: entry["value"] for entry in feed["environment"]}[
        "POLYGON_STREAM_SUBSCRIPTIONS"
    ]
    role = task["taskRoleArn"].rpartition("/")[2]
    policy = iam.get_role_policy(RoleName=role, PolicyName="ReadSubscriptions")["PolicyDocument"]
    (statement,) = policy["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::" + place.removeprefix("s3://"),
    }


def test_the_image_is_the_repositorys(deployed: Any) -> None:
    (repository,) = deployed.client("ecr").describe_repositories()["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    ecs = deployed.client("ecs")
    for arn in ecs.list_task_definitions()["taskDefinitionArns"]:
        task = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
        images = {c["name"]: c["image"] for c in task["containerDefinitions"]}
        del images["metrics"]
        assert set(images.values()) == {f"{repository['repositoryUri']}:0.1.0"}


def test_the_bucket_keeps_versions(deployed: Any) -> None:
    s3 = deployed.client("s3")
    (bucket,) = s3.list_buckets()["Buckets"]
    assert s3.get_bucket_versioning(Bucket=bucket["Name"])["Status"] == "Enabled"


def test_alarms_tell_the_topic(deployed: Any) -> None:
    (topic,) = deployed.client("sns").list_topics()["Topics"]
    alarms = deployed.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert len(alarms) == 8
    assert {action for alarm in alarms for action in alarm["AlarmActions"]} == {topic["TopicArn"]}

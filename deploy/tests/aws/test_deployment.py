"""The stacks on moto's AWS: what they import from each other resolves to the right things.

moto leaves out some properties (versions of a bucket) and resources (alarms); what these say is for
the policy tests and the linter.
"""

from typing import Any

import yaml


def test_all_stacks_are_complete(deployed: Any) -> None:
    stacks = deployed.client("cloudformation").describe_stacks()["Stacks"]
    assert {stack["StackName"]: stack["StackStatus"] for stack in stacks} == {
        f"polygon-stream-{name}": "CREATE_COMPLETE"
        for name in ("foundation", "cluster", "feed", "filter")
    }


def test_the_feed_reads_the_object_that_its_role_allows(deployed: Any) -> None:
    ecs, iam = deployed.client("ecs"), deployed.client("iam")
    arns = ecs.list_task_definitions(familyPrefix="polygon-stream-feed-feed")
    (arn,) = arns["taskDefinitionArns"]
    task = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    feed = task["containerDefinitions"][0]
    place = {entry["name"]: entry["value"] for entry in feed["environment"]}[
        "POLYGON_STREAM_SUBSCRIPTIONS"
    ]
    stack = deployed.client("cloudformation").describe_stack_resource(
        StackName="polygon-stream-feed", LogicalResourceId="TaskRole"
    )
    role = stack["StackResourceDetail"]["PhysicalResourceId"]
    policy = iam.get_role_policy(RoleName=role, PolicyName="ReadSubscriptions")["PolicyDocument"]
    # moto gives the policy back as Python prints it, which YAML can read.
    (statement,) = yaml.safe_load(policy)["Statement"]
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

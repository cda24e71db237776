"""docs/streaming-deployment.md and the runbook, as a new user goes through them, in one shell.

The account is moto's server, spoken to by AWS' own command line; Docker and Confluent's command
line are stand-ins that note how they are called; ClickHouse is embedded.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.tests.aws.account import REGION, Account
from integration_tests.documents.blocks import below
from integration_tests.documents.desk import Desk
from maintenance.version import version

GUIDE = "docs/streaming-deployment.md"
RUNBOOK = "docs/operations.md"
STEPS = ("1. ClickHouse", "2. Kafka on Confluent Cloud", "3. AWS")
ALARMS = ("GapsRecorded", "SubscriptionsRefused", "HealNotStarted", "VerifyFailed")
# As the tests of deploy/confluent/setup.sh have it: knows one account, makes the others.
CONFLUENT = """\
case "$*" in
    "iam service-account list"*) echo '[{"id": "sa-feed", "name": "polygon-stream-feed"}]' ;;
    "iam service-account create"*) echo "{\\"id\\": \\"sa-$4\\"}" ;;
esac
"""


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with Account() as account:
        yield account


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def printed(desk: Desk, account: Account) -> str:
    """What the whole way prints."""
    desk.stand_in("docker", 'case "$*" in login*) cat >/dev/null ;; esac')
    desk.stand_in("confluent", CONFLUENT)
    ec2 = account.client("ec2")
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"][:2]]
    guide = below(GUIDE, *STEPS)
    # ECS Exec is nothing that moto has.
    way = [block for block in guide if "Session Manager" not in block.needs]
    assert len(way) == len(guide) - 1
    # moto does not hear that the bucket has versions.
    stack = next(i for i, block in enumerate(way) if "foundation.yaml" in block.text)
    versions = (
        "aws s3api put-bucket-versioning --versioning-configuration Status=Enabled "
        '--bucket "$(output foundation SubscriptionsBucket)"'
    )
    return desk.run(
        [
            # Its version 1 asks SQS at Amazon's, whatever the environment says.
            'aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }',
            *way[: stack + 1],
            versions,
            *way[stack + 1 :],
            "newest=$(aws s3api list-object-versions "
            '--bucket "$(output foundation SubscriptionsBucket)" '
            "--query 'Versions[0].VersionId' --output text)",
            *below(RUNBOOK, *ALARMS),
        ],
        {
            "https://default@HOST:8443/market": "chdb:clickhouse",
            "CLICKHOUSE_PASSWORD=...": "CLICKHOUSE_PASSWORD=a-password",
            "https://sink@HOST:8443": "https://sink@ch.example.com:8443",
            "vpc-...": ec2.describe_vpcs()["Vpcs"][0]["VpcId"],
            "subnet-...,subnet-...": ",".join(subnets),
            "subnets=[subnet-...]": f"subnets=[{subnets[0]}]",
            "versionId=VERSION": "versionId=$newest",
        },
        {
            "AWS_ENDPOINT_URL": account.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_PAGER": "",
            "POLYGON_API_KEY": "a-key",
            "POLYGON_FLAT_FILES_ACCESS_KEY_ID": "an-id",
            "POLYGON_FLAT_FILES_SECRET_ACCESS_KEY": "a-secret",
        },
        seconds=600,
    )


def outputs(account: Account, stack: str) -> dict[str, str]:
    (found,) = account.client("cloudformation").describe_stacks(
        StackName=f"polygon-stream-{stack}"
    )["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}


@pytest.mark.usefixtures("printed")
def test_all_stacks_are_made(account: Account) -> None:
    stacks = account.client("cloudformation").describe_stacks()["Stacks"]
    assert {stack["StackName"]: stack["StackStatus"] for stack in stacks} == {
        f"polygon-stream-{name}": "CREATE_COMPLETE"
        for name in (
            "foundation",
            "cluster",
            "feed",
            "filter",
            "heal",
            "sink",
            "verify",
            "dashboard",
        )
    }


@pytest.mark.usefixtures("printed")
def test_each_secret_has_what_the_commands_take(account: Account) -> None:
    made, secrets = outputs(account, "foundation"), account.client("secretsmanager")

    def value(name: str) -> str:
        text: str = secrets.get_secret_value(SecretId=made[name])["SecretString"]
        return text

    assert value("ApiKeyArn") == "a-key"
    assert value("SinkClickHouseArn") == value("FilesClickHouseArn") == "a-password"
    assert json.loads(value("FlatFilesArn")) == {
        "access_key_id": "an-id",
        "secret_access_key": "a-secret",
    }
    for name in ("Feed", "Filter", "Heal", "Sink"):
        assert json.loads(value(f"{name}KafkaArn"))["security.protocol"] == "SASL_SSL"


@pytest.mark.usefixtures("printed")
def test_the_image_is_built_for_arm_and_pushed_to_the_repository(
    desk: Desk, account: Account
) -> None:
    uri = outputs(account, "foundation")["RepositoryUri"]
    assert desk.calls("docker") == [
        f"login --username AWS --password-stdin {uri.split('/')[0]}",
        "buildx build --platform linux/arm64 --file streaming/Dockerfile "
        f"--tag {uri}:{version()} --push .",
    ]


@pytest.mark.usefixtures("printed")
def test_the_list_is_where_the_feed_looks_and_was_brought_back(
    desk: Desk, account: Account
) -> None:
    place = outputs(account, "foundation")["Subscriptions"]
    bucket, key = place.removeprefix("s3://").split("/", 1)
    s3 = account.client("s3")
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    assert body == (desk.folder / "deploy/compose/lists/subscriptions.csv").read_bytes()
    versions = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert len(versions) == 2


def test_the_services_run_and_the_healing_was_started(printed: str, account: Account) -> None:
    ecs = account.client("ecs")
    (cluster,) = ecs.list_clusters()["clusterArns"]
    for name in ("feed", "filter", "sink"):
        assert outputs(account, name)["Service"] in printed
    tasks = ecs.list_tasks(cluster=cluster)["taskArns"]
    found: list[Any] = ecs.describe_tasks(cluster=cluster, tasks=tasks)["tasks"]
    assert outputs(account, "heal")["Task"] in {task["taskDefinitionArn"] for task in found}


def test_the_tables_are_made(printed: str, desk: Desk) -> None:
    count = len(list((desk.folder / "deploy/clickhouse/migrations").glob("*.sql")))
    assert f"{count} applied, 0 there already." in printed


@pytest.mark.usefixtures("printed")
def test_confluent_is_asked_for_topics_and_rights(desk: Desk) -> None:
    calls = desk.calls("confluent")
    assert calls[:3] == [
        "login",
        "environment use env-...",
        "kafka cluster use lkc-...",
    ]
    rights = (desk.folder / "deploy/confluent/acls.csv").read_text().splitlines()[1:]
    assert sum(call.startswith("kafka acl create") for call in calls) == len(rights)
    assert "api-key create --resource lkc-... --service-account sa-..." in calls


@pytest.mark.usefixtures("printed")
def test_no_secret_is_left_behind(desk: Desk, printed: str) -> None:
    (folder,) = [line for line in printed.splitlines() if line.startswith("/tmp/tmp.")]  # noqa: S108
    assert not Path(folder).exists()
    assert "a-password" not in printed

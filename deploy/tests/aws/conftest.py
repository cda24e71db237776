"""The templates, read as CloudFormation reads them, and deployed to moto's AWS."""

from collections.abc import Iterator
from typing import Any

import pytest
from cfnlint.decode import decode

from deploy.tests.aws.account import AWS, Account

NAMES = ("foundation", "cluster", "feed", "filter", "sink", "heal", "verify", "dashboard")


@pytest.fixture(scope="session")
def templates() -> dict[str, Any]:
    """The templates by name, with intrinsic functions in their long form."""
    read = {}
    for name in NAMES:
        template, problems = decode(str(AWS / f"{name}.yaml"))
        assert not problems
        read[name] = template
    return read


@pytest.fixture(scope="module")
def deployed() -> Iterator[Account]:
    """An account in which all stacks were deployed, in their order."""
    with Account() as account:
        ec2 = account.client("ec2")
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        subnets = ec2.describe_subnets()["Subnets"]
        service = {
            "ImageTag": "0.1.0",
            "SubnetIds": ",".join(subnet["SubnetId"] for subnet in subnets[:2]),
            "BootstrapServers": "pkc-1.eu-central-1.aws.confluent.cloud:9092",
        }
        account.deploy("foundation")
        account.deploy("cluster", VpcId=vpc, AlarmEmail="operator@example.com")
        account.deploy("feed", **service)
        account.deploy("filter", **service, Rules="exclude: [ZVZZT]")
        account.deploy("sink", **service, ClickHouse="https://sink@ch.example.com:8443/market")
        account.deploy("heal", **service)
        del service["BootstrapServers"]
        account.deploy("verify", **service, ClickHouse="https://files@ch.example.com:8443/market")
        account.deploy("dashboard")
        yield account

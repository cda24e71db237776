"""The templates, read as CloudFormation reads them, and deployed to moto's AWS."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from cfnlint.decode import decode
from moto import mock_aws

AWS = Path(__file__).parents[2] / "aws"
# In the order of their deployment.
NAMES = ("foundation", "cluster", "feed", "filter")


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
def deployed() -> Iterator[Any]:
    """A session of an account in which all stacks were deployed, in their order."""
    with mock_aws():
        session: Any = boto3.Session("test", "test", region_name="eu-central-1")
        vpc = session.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
        subnets = session.client("ec2").describe_subnets()["Subnets"]
        given = {
            "cluster": {"VpcId": vpc, "AlarmEmail": "operator@example.com"},
            "feed": {
                "ImageTag": "0.1.0",
                "SubnetIds": ",".join(subnet["SubnetId"] for subnet in subnets[:2]),
                "BootstrapServers": "pkc-1.eu-central-1.aws.confluent.cloud:9092",
            },
        }
        given["filter"] = {**given["feed"], "Rules": "exclude: [ZVZZT]"}
        formation = session.client("cloudformation")
        for name in NAMES:
            formation.create_stack(
                StackName=f"polygon-stream-{name}",
                TemplateBody=_for_moto((AWS / f"{name}.yaml").read_text()),
                Parameters=[
                    {"ParameterKey": key, "ParameterValue": value}
                    for key, value in given.get(name, {}).items()
                ],
                Capabilities=["CAPABILITY_IAM"],
            )
        yield session


def _for_moto(template: str) -> str:
    """Put something else with an ARN where a stack of moto's cannot have a secret."""
    return template.replace("Type: AWS::SecretsManager::Secret", "Type: AWS::SNS::Topic")

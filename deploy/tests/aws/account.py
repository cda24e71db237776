"""An AWS account to try the templates on: moto's server, spoken to over HTTP as AWS is."""

from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
import requests
from moto.server import ThreadedMotoServer

from deploy.tests.aws import completed  # noqa: F401  (moto is, by being imported)

AWS = Path(__file__).parents[2] / "aws"
REGION = "eu-central-1"


class Account:
    """An empty account, which knows one VPC; what is deployed is gone when it is left.

    Attributes:
        url: the address of all services.
    """

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.url = ""

    def __enter__(self) -> "Account":
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.url = f"http://{host}:{port}"
        # Servers of one process share what they hold.
        self._forget()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._forget()
        self._server.stop()

    def client(self, service: str) -> Any:
        """Return a client of a service."""
        session: Any = boto3.Session("test", "test", region_name=REGION)
        return session.client(service, endpoint_url=self.url)

    def deploy(self, name: str, **parameters: str) -> None:
        """Make the stack of a template, which is not there yet."""
        formation, stack = self.client("cloudformation"), f"polygon-stream-{name}"
        formation.create_stack(
            StackName=stack,
            TemplateBody=(AWS / f"{name}.yaml").read_text(),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
            Capabilities=["CAPABILITY_IAM"],
        )
        formation.get_waiter("stack_create_complete").wait(StackName=stack)

    def task(self, service: str) -> Any:
        """Return the task definition of a service."""
        ecs, family = self.client("ecs"), f"polygon-stream-{service}-{service}"
        (arn,) = ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"]
        return ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]

    def _forget(self) -> None:
        requests.post(f"{self.url}/moto-api/reset", timeout=10).raise_for_status()

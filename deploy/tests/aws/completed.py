"""What moto lacks of what the guide does, completed where this module is imported.

Its CloudFormation cannot make secrets and schedules, which its services know (it finds resources by
their class). Of a stack that comes by a change set, as those of `aws cloudformation deploy` do, it
forgets outputs, exports and parameters. And it starts no Fargate task whose containers leave open
how they divide its memory.
"""

from typing import Any

from moto.cloudformation.models import CloudFormationBackend
from moto.core.common_models import CloudFormationModel
from moto.ecs.models import EC2ContainerServiceBackend
from moto.scheduler.models import scheduler_backends
from moto.secretsmanager.models import secretsmanager_backends


class _Made(CloudFormationModel):
    """A resource that has an ARN, by which templates refer to it."""

    def __init__(self, arn: str) -> None:
        self.physical_resource_id = arn
        self.type = self.cloudformation_type()

    @staticmethod
    def cloudformation_type() -> str:
        """Return a name that no template uses: moto asks each class."""
        return "Tests::Nothing::Nothing"

    @staticmethod
    def cloudformation_name_type() -> str:
        return "Name"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "Arn"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        assert attribute_name == "Arn"
        return self.physical_resource_id

    def is_created(self) -> bool:
        return True


class Secret(_Made, CloudFormationModel):
    """A secret without a value."""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::SecretsManager::Secret"

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
        **_: Any,
    ) -> "Secret":
        secrets = secretsmanager_backends[account_id][region_name]
        secrets.create_secret(
            name=resource_name,
            secret_string=None,
            secret_binary=None,
            description=cloudformation_json["Properties"]["Description"],
            tags=None,
            kms_key_id=None,
            client_request_token=None,
            replica_regions=[],
            force_overwrite=False,
        )
        return cls(secrets.secrets[resource_name].arn)


class Schedule(_Made, CloudFormationModel):
    """A schedule, of which moto keeps what it is told."""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::Scheduler::Schedule"

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
        **_: Any,
    ) -> "Schedule":
        given = cloudformation_json["Properties"]
        none: Any = None
        made = scheduler_backends[account_id][region_name].create_schedule(
            description=given["Description"],
            end_date=none,
            flexible_time_window=given["FlexibleTimeWindow"],
            group_name="default",
            kms_key_arn=none,
            name=resource_name,
            schedule_expression=given["ScheduleExpression"],
            schedule_expression_timezone="UTC",
            start_date=none,
            state="ENABLED",
            target=given["Target"],
            action_after_completion=None,
        )
        return cls(made.arn)


def _execute_change_set(self: Any, change_set_name: str, stack_name: str | None = None) -> None:
    """Make the new stack of a change set as one that was asked for directly."""
    (change,) = (c for c in self.change_sets.values() if c.change_set_id == change_set_name)
    assert change.change_set_type == "CREATE"
    del self.stacks[change.stack_id]
    self.create_stack(change.stack_name, change.template, change.parameters)
    change.execution_status = "EXECUTE_COMPLETE"


CloudFormationBackend.execute_change_set = _execute_change_set  # type: ignore[method-assign]


def _nothing_of_an_instance(_: Any) -> dict[str, Any]:
    return {"CPU": 0, "MEMORY": 0, "PORTS": [], "PORTS_UDP": []}


_ECS: Any = EC2ContainerServiceBackend
_ECS._calculate_task_resource_requirements = staticmethod(_nothing_of_an_instance)

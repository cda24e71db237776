"""Secrets, which come from the environment only."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from deploy.airbyte_cloud.errors import PublishError

# What each variable is, for the message when it is missing.
VARIABLES = {
    "AIRBYTE_CLIENT_ID": "of an application: Airbyte > User settings > Applications",
    "AIRBYTE_CLIENT_SECRET": "of the same application",
    "POLYGON_API_KEY": "the key of your Polygon.io or Massive.com account",
    "SNOWFLAKE_PRIVATE_KEY": 'the text of the PEM file: "$(cat rsa_key.p8)"',
}
PASSPHRASE = "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE"  # noqa: S105 - the name of a variable


@dataclass(frozen=True)
class Credentials:
    """What is needed to log in. Printing one shows asterisks."""

    client_id: SecretStr
    client_secret: SecretStr
    polygon_api_key: SecretStr
    snowflake_private_key: SecretStr
    snowflake_passphrase: SecretStr | None

    def conceal(self, text: str) -> str:
        """Return `text` with asterisks in the place of secrets."""
        values = [self.client_id, self.client_secret, self.polygon_api_key]
        values += [self.snowflake_private_key, self.snowflake_passphrase or SecretStr("")]
        for value in values:
            secret = value.get_secret_value()
            # A key of several lines stands in JSON with its line ends escaped.
            for form in (secret, secret.replace("\n", "\\n")):
                text = text.replace(form, str(value)) if form else text
        return text


def read_credentials(environment: Mapping[str, str]) -> Credentials:
    """Return the credentials.

    Raises:
        PublishError: a variable is missing, or the key of Snowflake is not a private key.
    """
    given = {name: environment.get(name, "").strip() for name in (*VARIABLES, PASSPHRASE)}
    missing = [f"  {name}: {what}" for name, what in VARIABLES.items() if not given[name]]
    if missing:
        raise PublishError("\n".join(["Set these environment variables:", *missing]))
    key = given["SNOWFLAKE_PRIVATE_KEY"]
    if not key.startswith("-----BEGIN ") or "PRIVATE KEY-----" not in key:
        raise PublishError(
            "SNOWFLAKE_PRIVATE_KEY is not a private key in PEM form. Give the text of the file, "
            'not its name: "$(cat rsa_key.p8)"'
        )
    if "ENCRYPTED" in key.splitlines()[0] and not given[PASSPHRASE]:
        raise PublishError(f"SNOWFLAKE_PRIVATE_KEY is encrypted. Set {PASSPHRASE} as well.")
    secrets = {name: SecretStr(value) for name, value in given.items()}
    return Credentials(
        client_id=secrets["AIRBYTE_CLIENT_ID"],
        client_secret=secrets["AIRBYTE_CLIENT_SECRET"],
        polygon_api_key=secrets["POLYGON_API_KEY"],
        snowflake_private_key=secrets["SNOWFLAKE_PRIVATE_KEY"],
        snowflake_passphrase=secrets[PASSPHRASE] if given[PASSPHRASE] else None,
    )

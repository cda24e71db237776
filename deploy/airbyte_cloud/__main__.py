"""The command."""

import argparse
import os
import sys
from pathlib import Path

from deploy.airbyte_cloud.credentials import PASSPHRASE, VARIABLES, read_credentials
from deploy.airbyte_cloud.errors import PublishError
from deploy.airbyte_cloud.manifest import read_manifest
from deploy.airbyte_cloud.publish import Publisher
from deploy.airbyte_cloud.settings import read_settings
from deploy.airbyte_cloud.workspace import Workspace

_ROOT = Path(__file__).parents[2]
_SETTINGS = Path(__file__).with_name("settings.yaml")
_MANIFEST = _ROOT / "manifests" / "cloud.yaml"


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage."""
    options = _parser().parse_args()
    try:
        settings = read_settings(options.settings)
        credentials = read_credentials(os.environ)
        manifest = read_manifest(options.manifest)
        workspace = Workspace(settings.api_url, str(settings.workspace_id), credentials)
        _say(f"Workspace {workspace.id} at {workspace.url}")
        publisher = Publisher(workspace, _say, options.dry_run, options.resend_secrets)
        publisher.publish(settings, credentials, manifest)
    except PublishError as error:
        sys.exit(f"publish: {error}")
    tally = ", ".join(f"{publisher.tally[what]} {what}" for what in _OUTCOMES)
    _say(f"Dry run, nothing was changed. Otherwise: {tally}." if options.dry_run else f"{tally}.")


_OUTCOMES = ("created", "updated", "unchanged")


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, (*VARIABLES, PASSPHRASE)))
    variables = "\n".join(f"  {name:{width}}  {what}" for name, what in VARIABLES.items())
    parser = argparse.ArgumentParser(
        prog="python -m deploy.airbyte_cloud",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Keep a workspace of Airbyte as settings.yaml wants it: the custom connector from\n"
            "manifests/cloud.yaml, a source of it, a Snowflake destination, and the connection\n"
            "between them. What is missing is created, what differs is updated; a second run\n"
            "changes nothing. Nothing is ever removed."
        ),
        epilog=(
            f"environment:\n{variables}\n"
            f"  {PASSPHRASE:{width}}  if that key is encrypted\n\n"
            "Airbyte never gives a secret back, so a new one cannot be told from the old one:\n"
            "after changing one, run with --resend-secrets."
        ),
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="change nothing; say what would be done",
    )
    parser.add_argument(
        "--resend-secrets", action="store_true", help="update source and destination in any case"
    )
    parser.add_argument("--settings", type=Path, default=_SETTINGS, help="default: %(default)s")
    parser.add_argument("--manifest", type=Path, default=_MANIFEST, help="default: %(default)s")
    return parser


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

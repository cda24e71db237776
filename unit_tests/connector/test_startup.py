"""The command starts without what it does not need."""

import subprocess
import sys

IMPORTED = """
import gc, inspect
read = inspect.getsource
def never(of):
    raise AssertionError(f"the source code of {of} is read")
inspect.getsource = never
import source_polygon
assert "airbyte_cdk" not in __import__("sys").modules, "the package alone imports the CDK"
import source_polygon.run, attributes_doc
assert gc.isenabled()
assert gc.get_freeze_count() > 100_000, "what is imported is searched for cycles"
import sys
assert "botocore" not in sys.modules
for name in ("lark", "rfc3986_validator", "isoduration"):
    assert name not in sys.modules, f"{name} is read, and no schema asks for it"
import boto3
assert attributes_doc.get_attributes_doc.__name__ == "get_attributes_doc"
assert source_polygon.SourcePolygon is source_polygon.run.SourcePolygon
"""


def test_what_costs_time_on_import_and_changes_nothing_is_left_out() -> None:
    """A canary: if the CDK's serializers read their source code another way, start-up is slow."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")

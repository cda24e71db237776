"""The secret of the files' key is nowhere that a query can be read: the engine's own query log."""

import subprocess
import sys
from pathlib import Path

from polygon_sandbox import Sandbox

LOG = "<clickhouse><query_log><database>system</database><table>query_log</table></query_log>"
# A process of its own: the engine is configured once, and has but one directory.
SCRIPT = """
import sys
from threading import Event

import clickhouse_connect
from polygon_streaming.backfill.run import Backfill
from polygon_streaming.settings import BackfillSettings

folder, endpoint, key_id, secret, collection, day = sys.argv[1:]
options = {"config-file": folder + "/log.xml"}


def connect():
    return clickhouse_connect.get_client(
        interface="chdb", path=folder + "/engine", chdb_options=options
    )


client = connect()
if collection:
    client.command(
        f"CREATE NAMED COLLECTION {collection} AS access_key_id = '{key_id}', "
        f"secret_access_key = '{secret}'"
    )
given = BackfillSettings.model_validate(
    {
        "start": day, "end": "2026-11-20", "clickhouse": "chdb:", "parallel": 1,
        "flat_files_endpoint": endpoint, "flat_files_access_key_id": key_id,
        "flat_files_secret_access_key": secret, "flat_files_collection": collection,
    }
)
backfill = Backfill(given, connect, pause_seconds=0)
for outcome in backfill.run(backfill.plan(client), Event()):
    print(outcome)
client.command("SYSTEM FLUSH LOGS")
for row in client.query(
    "SELECT query, exception, toString(Settings) FROM system.query_log WHERE query ILIKE '%s3(%'"
).result_rows:
    print(*row)
"""


def test_the_query_log_has_a_file_and_no_secret(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "log.xml").write_text(f"{LOG}</clickhouse>")
    sandbox.flat_files.replace(
        "us_stocks_sip/minute_aggs_v1/2026/11/2026-11-20.csv.gz", "truncated"
    )
    for collection, secret in (("", sandbox.key), ("files", sandbox.key)):
        done = subprocess.run(
            [
                sys.executable, "-c", SCRIPT, tmp_path, sandbox.url,
                sandbox.flat_files.access_key_id, secret, collection,
                "2026-11-18" if collection else "2026-11-19",
            ],
            capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
        text = done.stdout + done.stderr
        assert "loaded" in text
        assert "broken" in text
        assert "minute_aggs_v1/2026/11/2026-11-20.csv.gz" in done.stdout
        assert secret not in text
        assert (sandbox.flat_files.access_key_id in text) is not bool(collection)
    assert "'[HIDDEN]'" in text or "files" in text

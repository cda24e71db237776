"""docs/orchestration.md names what there is."""

import re
from pathlib import Path

from polygon_orchestration.settings import Settings
from polygon_orchestration.verified import CHECKS as OF_FILES

DOCS = (Path(__file__).parents[2] / "docs" / "orchestration.md").read_text()
CHECKS = Path(__file__).parents[2] / "orchestration" / "polygon_orchestration" / "checks"
USED_BY_CHECKS = {"sessions", "official_bars", "streamed_bars"}


def test_every_variable_is_there_and_no_other() -> None:
    variables = {f"POLYGON_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"\bPOLYGON_[A-Z_]*[A-Z]\b", DOCS)) - NAMES == variables


NAMES = {"POLYGON_LOADER", "POLYGON_LOADING"}


def test_every_check_is_there() -> None:
    listed = set(re.findall(r"^\| `(\w+)` \| .* \| (?:yes|no) \|$", DOCS, re.MULTILINE))
    queries = {path.stem for path in CHECKS.glob("*.sql")} - USED_BY_CHECKS
    assert listed == queries | {
        *("missing_session", "staleness", "stream_reconciliation"),
        *OF_FILES,
    }

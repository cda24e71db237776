"""The rooms of the package, and which may know of which."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import polygon_streaming
import pytest

PACKAGE = Path(polygon_streaming.__file__).parent

# What a room may import, besides itself. A room that is not named here does not belong.
_TABLE = """
errors:
counted:
stamps:
channels:
trading:
raw:           stamps
settings:      errors channels
process:       errors
kafka:         errors settings
subscriptions: errors channels process
gaps:          errors counted stamps channels raw settings process kafka subscriptions
feed:          errors counted stamps channels raw settings process kafka subscriptions gaps trading
filter:        errors stamps channels raw settings process kafka gaps trading
sink:          errors counted settings process kafka
backfill:      errors channels trading settings process sink
doctor:        errors counted settings kafka subscriptions gaps filter sink backfill
cli:           errors settings process kafka subscriptions gaps feed filter sink backfill doctor
__main__:      cli
"""
_LINES = [line.partition(":") for line in _TABLE.strip().splitlines()]
MAY_IMPORT = {room: set(rooms.split()) for room, _, rooms in _LINES}


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imported(path: Path) -> set[str]:
    """Return the rooms that a module imports from, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole path"
            places = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [str(node.module)] if str(node.module).count(".") else places
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("polygon_streaming.")}
    return found


MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


def test_every_room_is_known_and_the_rules_have_no_circle() -> None:
    assert {_room(path) for path in MODULES} == set(MAY_IMPORT)
    list(TopologicalSorter(MAY_IMPORT).static_order())  # raises if there is one


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_what_it_may_and_no_more(room: str) -> None:
    used = set().union(*(_imported(path) for path in MODULES if _room(path) == room)) - {room}
    assert used == MAY_IMPORT[room]

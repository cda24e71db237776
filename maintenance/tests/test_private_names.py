"""Tests ask of the product what anybody may ask: none reaches for a name that is private.

A stage takes its clients, its waits and its manifest from whoever makes it, so a test hands in
others. What replaces a private attribute proves a product that nobody runs.
"""

import ast
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Underscored, and yet what their libraries document: a named tuple's, and the codes of librdkafka.
PUBLIC = {"_replace", "_asdict", "_fields"} | {
    f"_{name}"
    for name in (
        "AUTO_OFFSET_RESET", "FATAL", "FENCED", "NO_OFFSET", "PURGE_QUEUE", "STATE", "TIMED_OUT",
        "TRANSPORT", "WAIT_COORD",
    )
}  # fmt: skip

# By file: the names that it may reach for, each of a library that has no public way to it.
REASONS = {
    # What the connector uses of the CDK's private parts is held here, and nowhere else.
    "unit_tests/connector/test_cdk.py": {
        "_api_budget", "_http_client", "_send", "_session", "_stream_partition_generator",
    },
    "unit_tests/connector/test_pools.py": {"_concurrent_source", "_threadpool"},
    # The rate that the CDK made of the manifest's expression.
    "unit_tests/connector/test_budget.py": {"_bucket"},
    # Dagster reads its `dagster.yaml` there.
    "deploy/tests/dagster/test_production.py": {"_core"},
    # What moto's ECS counts of machines, which Fargate has none of.
    "deploy/tests/aws/completed.py": {"_calculate_task_resource_requirements"},
}  # fmt: skip

_PRIVATE = re.compile(r"_[A-Za-z]\w*")
_PATH = re.compile(r"[A-Za-z]\w*(\.\w+)+|_[A-Za-z]\w*")


def files() -> list[Path]:
    """Return the files of all tests, and what stands beside them."""
    folders = ("unit_tests", "integration_tests", "deploy/tests", "maintenance/tests")
    return [ROOT / "conftest.py", *(f for name in folders for f in (ROOT / name).rglob("*.py"))]


def reached_for(text: str) -> Iterator[tuple[int, str]]:
    """Return line and name of what is private to another: of attributes, imports and patches.

    Code in a string, which a test runs in another process, is looked through as well.
    """
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute):
            of = node.value
            if not (isinstance(of, ast.Name) and of.id in ("self", "cls")):
                yield from _private(node, node.attr)
        elif isinstance(node, ast.ImportFrom):
            yield from _private(node, *(node.module or "").split("."))
            yield from _private(node, *(alias.name for alias in node.names))
        elif isinstance(node, ast.Call) and "attr" in ast.unparse(node.func):
            # setattr, getattr, delattr, by whatever module.
            yield from _named(node, node.args)
        elif isinstance(node, ast.Call) and "patch" in ast.unparse(node.func):
            yield from _named(node, node.args)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "\n" in node.value:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # odd escapes: it may be no code at all
                    found = list(reached_for(node.value))
            except SyntaxError:
                continue
            yield from ((node.lineno + line - 1, name) for line, name in found)


def _named(node: ast.Call, given: list[ast.expr]) -> Iterator[tuple[int, str]]:
    for each in given[:2]:
        value = each.value if isinstance(each, ast.Constant) else None
        if isinstance(value, str) and _PATH.fullmatch(value):
            yield from _private(node, *value.split("."))


def _private(node: ast.AST, *names: str) -> Iterator[tuple[int, str]]:
    line: int = node.lineno  # type: ignore[attr-defined]
    yield from ((line, name) for name in names if _PRIVATE.fullmatch(name))


def test_no_test_reaches_for_a_private_name() -> None:
    faults, used = [], set()
    for path in files():
        place = path.relative_to(ROOT).as_posix()
        allowed = REASONS.get(place, set())
        for line, name in reached_for(path.read_text()):
            if name in allowed:
                used.add((place, name))
            elif name not in PUBLIC:
                faults.append(f"{place}:{line} {name}")
    assert faults == []
    assert used == {(place, name) for place, names in REASONS.items() for name in names}


@pytest.mark.parametrize(
    "text",
    [
        "stage._client.close()",
        "monkeypatch.setattr(watch, '_SECONDS', 1)",
        "monkeypatch.setattr('package.watch._SECONDS', 1)",
        "monkeypatch.setitem(clients._MODULES, 'a', None)",
        "mock.patch('package.rest._AGAIN', ())",
        "mock.patch.object(rest, '_AGAIN', ())",
        "setattr(stage, '_client', None)",
        "from package.room import _inside",
        "from package._room import inside",
        r"CODE = 'from package import room\nroom._inside()'",
    ],
)
def test_each_way_to_reach_for_one_is_found(text: str) -> None:
    assert len(list(reached_for(text))) == 1


@pytest.mark.parametrize("text", ["self._own", "cls._own", "module.__name__", "x = '_name'"])
def test_ones_own_names_are_free(text: str) -> None:
    assert list(reached_for(text)) == []

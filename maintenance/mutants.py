"""Change the core one small thing at a time, and see that a test notices: `make mutants`.

    python -m maintenance.mutants                       all of `ROOMS`, an hour or more
    python -m maintenance.mutants rules stamps          some
    python -m maintenance.mutants rules --sample 20     of each so many, the same ones each time

The changes are cosmic-ray's. Each is tried in a fork of this process that has the libraries loaded
and our packages not: the module is imported with the change, the files stay as they are, and the
tests of its room run until the first one fails. A change that no test notices has survived. It is
either explained in survivors.yaml, as one that no test can notice, or the status is 1.
"""

import argparse
import ast
import contextlib
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import os
import random
import signal
import sys
import time
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
SURVIVORS = Path(__file__).with_name("survivors.yaml")
_PLUGINS = (
    "_hypothesis_pytestplugin",
    "pytest_asyncio.plugin",
    "requests_mock.contrib._pytest_plugin",
)
_SLOWER = 5
_LEAST_SECONDS = 30.0


@dataclass(frozen=True)
class Room:
    """Modules, and the tests that are to notice what changes in them, the fast ones first."""

    modules: Sequence[str]
    tests: Sequence[str]


_BARS = ("unit_tests/streaming/filter/test_records.py", "unit_tests/streaming/filter/test_stage.py")
ROOMS = {
    "clean": Room(
        (
            "streaming/polygon_streaming/filter/records.py",
            "streaming/polygon_streaming/filter/bars.py",
        ),
        _BARS,
    ),
    "rules": Room(
        (
            "streaming/polygon_streaming/filter/rules.py",
            "streaming/polygon_streaming/filter/tick_rules.py",
        ),
        (
            "unit_tests/streaming/filter/test_rules.py",
            "unit_tests/streaming/filter/test_trades_and_quotes.py",
        ),
    ),
    "frames": Room(
        ("streaming/polygon_streaming/feed/frames.py",),
        ("unit_tests/streaming/feed/test_frames.py",),
    ),
    "gaps": Room(
        ("streaming/polygon_streaming/gaps/gap.py", "streaming/polygon_streaming/gaps/ledger.py"),
        ("unit_tests/streaming/gaps/test_ledger.py", "unit_tests/streaming/gaps/test_gap.py"),
    ),
    "stamps": Room(
        ("streaming/polygon_streaming/stamps.py",),
        ("unit_tests/streaming/test_stamps.py",),
    ),
    "stamps-of-the-connector": Room(
        ("source-polygon/source_polygon/stamps.py",), ("unit_tests/connector/test_stamps.py",)
    ),
    "answers": Room(
        ("source-polygon/source_polygon/vendor/answers.py",),
        ("unit_tests/connector/test_answers.py", "unit_tests/connector/test_errors.py"),
    ),
    "paging": Room(
        ("source-polygon/source_polygon/vendor/paging.py",),
        ("unit_tests/connector/test_paging.py",),
    ),
    "listings": Room(
        ("source-polygon/source_polygon/streams/listings.py",),
        ("unit_tests/connector/test_listings.py",),
    ),
    "checkpoint": Room(
        (
            "source-polygon/source_polygon/engine/lanes.py",
            "source-polygon/source_polygon/engine/cursor.py",
        ),
        ("unit_tests/connector/test_lanes.py",),
    ),
    "config": Room(
        ("source-polygon/source_polygon/config.py",), ("unit_tests/connector/test_config.py",)
    ),
}

# One change of each kind. cosmic-ray has all pairs of operators: most say the same twice over.
OPERATORS = (
    *(
        f"core/ReplaceComparisonOperator_{pair}"
        for pair in (
            "Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Lt_GtE", "LtE_Gt", "Gt_LtE", "GtE_Lt",
            "Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is",
        )
    ),
    *(
        f"core/ReplaceBinaryOperator_{pair}"
        for pair in (
            "Add_Sub", "Sub_Add", "Mul_FloorDiv", "Div_Mul", "FloorDiv_Mul", "Mod_FloorDiv",
        )
    ),
    "core/ReplaceUnaryOperator_USub_UAdd",
    "core/ReplaceUnaryOperator_Delete_Not",
    "core/AddNot",
    "core/ReplaceTrueWithFalse",
    "core/ReplaceFalseWithTrue",
    "core/ReplaceAndWithOr",
    "core/ReplaceOrWithAnd",
    "core/ReplaceBreakWithContinue",
    "core/ReplaceContinueWithBreak",
    "core/ExceptionReplacer",
    "core/NumberReplacer",
    "core/ZeroIterationForLoop",
)  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A changed module.

    Attributes:
        module: its file, from the root.
        line: where the change begins.
        before: that line as it is, without its indentation.
        after: as it is with the change.
        source: the module with the change.
    """

    module: str
    line: int
    before: str
    after: str
    source: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line}\n      {self.before}\n      {self.after}"


def mutants_of(module: str) -> list[Mutant]:
    """Return all changes of a module that differ, in the order of its lines."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    source = (ROOT / module).read_text()
    same = ast.dump(ast.parse(source))
    found: dict[str, Mutant] = {}
    for name in OPERATORS:
        for occurrence in range(10_000):
            try:
                changed = mutate_code(source, get_operator(name)(), occurrence)
            except AttributeError:
                continue  # an exception with a dotted name, which cosmic-ray cannot replace
            if changed is None:
                break
            try:
                tree = ast.parse(changed)
            except SyntaxError:
                continue  # the star before arguments that must be named is not a product
            # 1e18 becomes 1e+18, say, which is not a change.
            if ast.dump(tree) != same and changed not in found:
                found[changed] = _mutant(module, source, changed)
    return sorted(found.values(), key=lambda mutant: mutant.line)


def _mutant(module: str, source: str, changed: str) -> Mutant:
    pairs = enumerate(zip(source.splitlines(), changed.splitlines(), strict=False), start=1)
    line, (before, after) = next((line, pair) for line, pair in pairs if pair[0] != pair[1])
    return Mutant(module, line, before.strip(), after.strip(), changed)


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports a mutant in the place of its module."""

    def __init__(self, mutant: Mutant) -> None:
        self._path = str(ROOT / mutant.module)
        self._source = mutant.source
        _, _, name = mutant.module.partition("/")
        self._name = name.removesuffix(".py").replace("/", ".")

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.util.spec_from_file_location(fullname, self._path, loader=self)

    def exec_module(self, module: types.ModuleType) -> None:
        exec(compile(self._source, self._path, "exec"), vars(module))  # noqa: S102 - that is the point


def _load_libraries() -> None:
    """Import what takes long and is not ours, once for all forks."""
    for name in (
        "airbyte_cdk", "airbyte_cdk.entrypoint", "airbyte_cdk.test.entrypoint_wrapper", "aiohttp",
        "aiohttp.web", "clickhouse_connect", "confluent_kafka", "exchange_calendars", "holidays",
        "hypothesis", "numpy", "orjson", "pendulum", "prometheus_client", "pydantic", "pytest",
        "requests_mock", "requests_mock.contrib._pytest_plugin", "_hypothesis_pytestplugin",
        "pytest_asyncio", "pytest_asyncio.plugin", "structlog", "time_machine", "websockets",
        "yaml",
    ):  # fmt: skip
        importlib.import_module(name)
    # What all forks share is not looked through for garbage again in each.
    gc.collect()
    gc.freeze()


def notices(tests: Sequence[str], mutant: Mutant | None, seconds: float) -> bool:
    """Return whether a test fails, or does not end in time, with a mutant in its module's place."""
    child = os.fork()
    if child == 0:
        os.setsid()
        status = 2
        with contextlib.suppress(BaseException), open(os.devnull, "w") as silence:  # noqa: PTH123
            os.dup2(silence.fileno(), 1)
            os.dup2(silence.fileno(), 2)
            if mutant is not None:
                sys.meta_path.insert(0, _Changed(mutant))
            status = _pytest(tests)
        os._exit(status)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status != 0
        time.sleep(0.02)
    # With the servers that its tests have started.
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def _pytest(tests: Sequence[str]) -> int:
    import pytest

    # Plugins that are only installed, and none of ours, take longer to load than most rooms' tests.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    options = ["-x", "-q", "-p", "no:cacheprovider"]
    plugins = [importlib.import_module(name) for name in _PLUGINS]
    return int(pytest.main([*options, *(str(ROOT / test) for test in tests)], plugins))


def explained() -> dict[tuple[str, str, str], str]:
    """Return why a change cannot be noticed, by module, line before and line after."""
    entries = yaml.safe_load(SURVIVORS.read_text()) or []
    return {(one["module"], one["before"], one["after"]): one["why"] for one in entries}


def stale() -> Iterator[str]:
    """Yield what survivors.yaml explains and the code does not have any more."""
    for module, before, _ in explained():
        lines = (ROOT / module).read_text().splitlines()
        if before not in [line.strip() for line in lines]:
            yield f"survivors.yaml: {module} has no line {before!r} any more"


def try_room(name: str, sample: int | None) -> Iterator[str]:
    """Try a room's mutants; yield what is wrong with its tests."""
    room, known = ROOMS[name], explained()
    began = time.monotonic()
    if notices(room.tests, None, 600):
        yield f"{name}: its tests fail as it is"
        return
    seconds = max(_LEAST_SECONDS, _SLOWER * (time.monotonic() - began))
    mutants = [mutant for module in room.modules for mutant in mutants_of(module)]
    total = len(mutants)
    if sample is not None and sample < total:
        mutants = random.Random(1).sample(mutants, sample)  # noqa: S311 - the same ones each time
    survived = equal = 0
    for mutant in mutants:
        if notices(room.tests, mutant, seconds):
            continue
        reason = known.get((mutant.module, mutant.before, mutant.after))
        _say(f"  {mutant}" + (f"\n      explained: {reason}" if reason else ""))
        if reason is None:
            survived += 1
            yield f"{name}: {mutant.module}:{mutant.line} survived and is not explained"
        else:
            equal += 1
    tried = len(mutants) - equal
    _say(
        f"{name}: {tried - survived} of {tried} noticed, {(tried - survived) / tried:.0%}; "
        f"{equal} more are explained (of {total} in all)"
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Try the rooms that are named, or all."""
    parser = argparse.ArgumentParser(prog="make mutants", description="Are the tests sharp?")
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=", ".join(ROOMS))
    parser.add_argument("--sample", type=int, help="try so many mutants of each room")
    arguments = parser.parse_args()
    unknown = set(arguments.rooms) - ROOMS.keys()
    if unknown:
        parser.error(f"there is no room {', '.join(sorted(unknown))}: {', '.join(ROOMS)}")
    os.nice(19)
    _load_libraries()
    wrong = list(stale())
    wrong += [w for name in arguments.rooms or ROOMS for w in try_room(name, arguments.sample)]
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()

"""What others import, they import at the door; it agrees with what lies behind it."""

import ast
import subprocess
import sys
from pathlib import Path

import polygon_streaming
import pytest

SOURCE = Path(polygon_streaming.__file__).read_text()


def _promised() -> dict[str, tuple[str, str]]:
    """Return what type checkers are told: name, module, and its name there."""
    found: dict[str, tuple[str, str]] = {}
    for node in ast.walk(ast.parse(SOURCE)):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("polygon_streaming."):
            module = str(node.module).removeprefix("polygon_streaming.")
            found |= {alias.asname or alias.name: (module, alias.name) for alias in node.names}
    return found


def test_what_is_promised_is_what_there_is() -> None:
    assert dir(polygon_streaming) == sorted(polygon_streaming.__all__) == sorted(_promised())


@pytest.mark.parametrize("name", polygon_streaming.__all__)
def test_each_name_leads_somewhere(name: str) -> None:
    module, attribute = _promised()[name]
    code = f"from polygon_streaming.{module} import {attribute} as promised"
    there: dict[str, object] = {}
    exec(code, there)  # noqa: S102 - what type checkers are told, word for word
    assert getattr(polygon_streaming, name) is there["promised"]


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        polygon_streaming.Nothing  # noqa: B018


def test_the_door_loads_nothing_by_itself() -> None:
    code = """if True:
    import sys, polygon_streaming
    assert "confluent_kafka" not in sys.modules
    from polygon_streaming import StreamError, reasons, raw
    assert reasons.OTHER == "other" and raw.REST == "rest"
    assert "clickhouse_connect" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

from pathlib import Path

import pytest
from click.testing import CliRunner
from polygon_sandbox.cli import main
from polygon_sandbox.directory import NotOurs, empty


def test_what_a_demo_made_is_emptied_and_nothing_else(tmp_path: Path) -> None:
    ours, kept = tmp_path / "deep" / "demo", tmp_path / "kept"
    kept.mkdir()
    (kept / "precious").write_text("x")
    for _ in range(2):
        empty(ours)
        assert [path.name for path in ours.iterdir()] == [".made-by-a-demo"]
        (ours / "logs").mkdir()
        (ours / "logs" / "log").write_text("x")
        (ours / "table").write_text("x")
        (ours / "elsewhere").symlink_to(kept)
    empty(ours)
    assert (kept / "precious").read_text() == "x", "behind a link"


def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    empty(tmp_path)
    empty(tmp_path)


@pytest.mark.parametrize("name", ["precious", ".git", ".hidden/precious"])
def test_what_is_not_a_demo_s_is_left_alone(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    with pytest.raises(NotOurs, match="is not empty, and no demo has made it"):
        empty(tmp_path)
    assert path.read_text() == "x"
    with pytest.raises(NotOurs, match="is not a directory"):
        empty(path)


@pytest.mark.parametrize("command", ["demo", "demo-stream"])
def test_both_demos_ask_first(tmp_path: Path, command: str) -> None:
    (tmp_path / "precious").write_text("x")
    result = CliRunner().invoke(main, [command, "--directory", str(tmp_path)])
    assert result.exit_code == 2
    assert "no demo has made it" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]

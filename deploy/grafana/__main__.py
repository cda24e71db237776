"""Write the boards where Grafana's provisioning finds them."""

import json
from pathlib import Path

from deploy.grafana import market, operator
from deploy.grafana.board import Board

WRITTEN = Path(__file__).parents[1] / "compose" / "grafana" / "dashboards"


def boards() -> dict[str, Board]:
    """Return each board by the name of its file."""
    return {"market.json": market.board(), "operator.json": operator.board()}


def text(board: Board) -> str:
    """Return a board as its file has it."""
    return json.dumps(board, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, board in boards().items():
        (WRITTEN / name).write_text(text(board), encoding="utf-8")

"""A board: its panels row by row, in sections, and what is marked on them."""

from typing import Any

from deploy.grafana.panels import Panel
from deploy.grafana.sources import GRAFANA, PROMETHEUS, metric, sql

Board = dict[str, Any]
Sized = tuple[int, int, Panel]
"""Width, of the 24 columns that a board has, height and panel."""

_COLUMNS = 24


def make(
    uid: str, title: str, says: str, sections: dict[str, list[Sized]], variables: list[Any]
) -> Board:
    """Return a board.

    Args:
        uid: its name in addresses.
        title: what is above it.
        says: for whom it is.
        sections: the panels under each heading.
        variables: what its user chooses.
    """
    return {
        "uid": uid,
        "title": title,
        "description": says,
        "tags": ["polygon-stream"],
        "schemaVersion": 41,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,  # one crosshair over all panels
        "timezone": "utc",
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "links": [
            {
                "title": "Boards",
                "type": "dashboards",
                "tags": ["polygon-stream"],
                "asDropdown": False,
                "includeVars": False,
                "keepTime": True,
                "targetBlank": False,
                "icon": "",
                "tooltip": "",
                "url": "",
            }
        ],
        "templating": {"list": variables},
        "annotations": {"list": _marks()},
        "panels": _placed(sections),
    }


def _placed(sections: dict[str, list[Sized]]) -> list[Panel]:
    placed: list[Panel] = []
    y = 0
    for heading, panels in sections.items():
        row = {"type": "row", "title": heading, "collapsed": False, "panels": []}
        placed.append(_at(row, len(placed) + 1, 0, y, _COLUMNS, 1))
        x, y, tallest = 0, y + 1, 0
        for width, height, panel in panels:
            if x + width > _COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            placed.append(_at(panel, len(placed) + 1, x, y, width, height))
            x, tallest = x + width, max(tallest, height)
        y += tallest
    return placed


def _at(panel: Panel, number: int, x: int, y: int, w: int, h: int) -> Panel:
    return {"id": number, "gridPos": {"x": x, "y": y, "w": w, "h": h}, **panel}


def _marks() -> list[dict[str, Any]]:
    """Return what is marked on panels over time: gaps as areas, alerts and restarts as lines."""
    gaps = sql(
        """
        SELECT `from` AS time, `to` AS timeEnd, concat(market, ' ', reason, ' ', feed) AS text,
            ['gap'] AS tags
        FROM market.gaps FINAL
        WHERE certain AND `from` <= $__toTime AND `to` >= $__fromTime
        ORDER BY time LIMIT 500
        """
    )
    restarts = 'changes(process_start_time_seconds{job=~"feed|filter|sink"}[1m]) > 0'
    return [
        {
            "name": "Gaps",
            "datasource": gaps["datasource"],
            "enable": True,
            "iconColor": "orange",
            "target": gaps,
        },
        {
            "name": "Critical alerts",
            "datasource": PROMETHEUS,
            "enable": True,
            "iconColor": "red",
            **_prometheus('ALERTS{alertstate="firing", severity="critical"}', "{{alertname}}"),
        },
        {
            "name": "Restarts",
            "datasource": PROMETHEUS,
            "enable": True,
            "iconColor": "blue",
            **_prometheus(restarts, "{{job}} was started anew"),
        },
        {
            "name": "Notes",
            "datasource": GRAFANA,
            "enable": True,
            "hide": True,
            "builtIn": 1,
            "iconColor": "rgba(0, 211, 255, 1)",
            "type": "dashboard",
        },
    ]


def _prometheus(expression: str, title: str) -> dict[str, Any]:
    # Grafana's data source of Prometheus reads the fields beside the target.
    return {
        "expr": expression,
        "step": "10s",
        "titleFormat": title,
        "textFormat": "{{instance}}",
        "tagKeys": "job,market",
        "useValueForTime": False,
        "target": metric(expression),
    }

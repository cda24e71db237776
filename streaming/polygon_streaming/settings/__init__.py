"""The settings of each command, from flags, the environment and a YAML file."""

from polygon_streaming.settings.commands import (
    COMMANDS,
    NAMES,
    ClientName,
    DoctorSettings,
    FeedSettings,
    FilterSettings,
    HealSettings,
    Served,
    Settings,
    SinkSettings,
)
from polygon_streaming.settings.load import load

__all__ = [
    "COMMANDS",
    "NAMES",
    "ClientName",
    "DoctorSettings",
    "FeedSettings",
    "FilterSettings",
    "HealSettings",
    "Served",
    "Settings",
    "SinkSettings",
    "load",
]

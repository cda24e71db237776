"""The settings of each command, from flags, the environment and a YAML file."""

from polygon_streaming.settings.commands import (
    COMMANDS,
    NAMES,
    ClientName,
    DoctorSettings,
    FeedSettings,
    FilterSettings,
    HealSettings,
    SinkSettings,
)
from polygon_streaming.settings.files import BackfillSettings, VerifySettings
from polygon_streaming.settings.load import load
from polygon_streaming.settings.parts import FlatFiles, KafkaSettings, Served, Settings

__all__ = [
    "COMMANDS",
    "NAMES",
    "BackfillSettings",
    "ClientName",
    "DoctorSettings",
    "FeedSettings",
    "FilterSettings",
    "FlatFiles",
    "HealSettings",
    "KafkaSettings",
    "Served",
    "Settings",
    "SinkSettings",
    "VerifySettings",
    "load",
]

"""A local look-alike of the Polygon.io / Massive APIs, REST and WebSocket, for tests and demos."""

from polygon_sandbox.datasets import Dataset, DatasetSize
from polygon_sandbox.faults import Fault, Faults
from polygon_sandbox.options import OptionsSize
from polygon_sandbox.plan import Plan
from polygon_sandbox.server import Sandbox
from polygon_sandbox.service import Request
from polygon_sandbox.stream import StreamSandbox
from polygon_sandbox.stream_faults import StreamFault, StreamFaults
from polygon_sandbox.world import World

__all__ = [
    "Dataset",
    "DatasetSize",
    "Fault",
    "Faults",
    "OptionsSize",
    "Plan",
    "Request",
    "Sandbox",
    "StreamFault",
    "StreamFaults",
    "StreamSandbox",
    "World",
]

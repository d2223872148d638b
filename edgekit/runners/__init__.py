"""Runners: what executes a model file, in this process or in a guarded child."""

from edgekit.runners.base import ALL_INTERMEDIATES, Array, Payload, Port, Ports, Runner
from edgekit.runners.table import runner_for

__all__ = ["ALL_INTERMEDIATES", "Array", "Payload", "Port", "Ports", "Runner", "runner_for"]

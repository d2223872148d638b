"""EKT, the trace format: a device's tensors, written by a few hundred bytes of C, read whole or cut."""

from edgekit.trace.reader import End, TraceFile, read_chunks, read_trace
from edgekit.trace.record import Damage, Header, Level, Record, Stats
from edgekit.trace.sketch import sqnr_db
from edgekit.trace.writer import TraceWriter

__all__ = [
    "Damage",
    "End",
    "Header",
    "Level",
    "Record",
    "Stats",
    "TraceFile",
    "TraceWriter",
    "read_chunks",
    "read_trace",
    "sqnr_db",
]

"""Largest resident memory of this process, in MB.

Not `ru_maxrss`: that of a child starts at the memory of the process that forked it.
"""

from pathlib import Path


def peak_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024

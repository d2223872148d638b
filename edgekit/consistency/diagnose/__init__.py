"""Diagnosis: which fault of which stage makes a device differ, proved by injecting it into the reference."""

from edgekit.consistency.diagnose.engine import Diagnosis, Verdict, diagnose, names
from edgekit.consistency.diagnose.fault import Aspect, Fault, families
from edgekit.consistency.diagnose.search import Case

__all__ = ["Aspect", "Case", "Diagnosis", "Fault", "Verdict", "diagnose", "families", "names"]

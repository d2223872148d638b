"""The families of faults, one file for each kind; importing this fills the table."""

from edgekit.consistency.diagnose.families import (
    channels,
    codes,
    geometry,
    layout,
    normalise,
    outputs,
    resize,
)

__all__ = ["channels", "codes", "geometry", "layout", "normalise", "outputs", "resize"]

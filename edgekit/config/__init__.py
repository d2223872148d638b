"""Configuration: `edgekit.toml`, or `[tool.edgekit]` in `pyproject.toml`, from this folder upwards.

The command line wins over `EDGEKIT_*` variables, these over the file, the file over the defaults.
"""

from __future__ import annotations

from edgekit.config.load import Config, find, load

__all__ = ["Config", "find", "load"]

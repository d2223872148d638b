"""Options that only the TVM backend has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from edgekit.diagnostics import error

DEVICES = ("llvm", "c", "cuda", "metal", "opencl", "vulkan")
"""Kinds of targets; all but `llvm` are compiled only."""


@dataclass(frozen=True, slots=True)
class TvmOptions:
    """What to generate code for.

    Attributes:
        triple: LLVM's target triple; `None` for this machine.
        cpu: LLVM's name of the CPU; `None` for this machine's, or the triple's baseline.
        device: Kind of target that computes; the host part is always LLVM's.
        opt_level: TVM's optimisation level, 0 to 3.
        require_full_integer: Refuse a model of which an op would stay in float.
        ndk: The folder of Android's NDK, which links for its triples.
        tuning_log: A file of measured schedules.
        tune: Minutes to measure schedules for, on this machine; `tuning_log` keeps them.
    """

    triple: str | None = None
    cpu: str | None = None
    device: str = "llvm"
    opt_level: int = 3
    require_full_integer: bool = False
    ndk: str | None = None
    tuning_log: str | None = None
    tune: float | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> TvmOptions:
        """Reads options given by name.

        Raises:
            EdgekitError: EK204 for an option or a value that does not exist, naming those that do.
        """
        known = [f.name for f in fields(cls)]
        for name in options:
            if name not in known:
                raise error(
                    "EK204",
                    f"the backend `tvm` has no option `{name}`",
                    notes=(f"options: {', '.join(f'`{k}`' for k in known)}",),
                )
        read = cls(**options)
        for name in ("triple", "cpu", "ndk", "tuning_log"):
            value = getattr(read, name)
            if value is not None and (not isinstance(value, str) or not value):
                raise error("EK204", f"the option `{name}` of `tvm` is not a text: {value!r}")
        if read.device not in DEVICES:
            raise error(
                "EK204",
                f"the backend `tvm` has no device `{read.device}`",
                notes=(f"devices: {', '.join(f'`{d}`' for d in DEVICES)}",),
            )
        if read.opt_level not in range(4) or isinstance(read.opt_level, bool):
            raise error("EK204", f"the option `opt_level` of `tvm` is {read.opt_level!r}, not 0 to 3")
        if not isinstance(read.require_full_integer, bool):
            raise error("EK204", "the option `require_full_integer` of `tvm` is not true or false")
        _check_tuning(read)
        return read

    @property
    def is_host(self) -> bool:
        """Tells whether the library is meant for this machine."""
        return self.triple is None and self.device == "llvm"


def _check_tuning(options: TvmOptions) -> None:
    minutes = options.tune
    if minutes is None:
        return
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not 0 < minutes < math.inf:
        raise error("EK204", f"the option `tune` of `tvm` is {minutes!r}, not a number of minutes above 0")
    if options.tuning_log is None:
        raise error(
            "EK204",
            "the option `tune` of `tvm` needs `tuning_log`",
            help="name a file; measurements are added to it, and a later conversion uses them again",
        )

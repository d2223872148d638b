"""What a schedule needs to know of a CPU; all of it comes from the target's attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgekit.diagnostics import error
from edgekit.lowering.tvm.adapter import tvm
from edgekit.lowering.tvm.features import runs_here


@dataclass(frozen=True)
class Cpu:
    """A CPU as the rules see it.

    Attributes:
        vector_bits: Width of a vector register.
        registers: Number of vector registers.
        folds_broadcast: Whether a multiply-add reads a repeated scalar (memory or lane) without a register.
        pair_lanes: Vectors of int32, by their lanes, to which products of int16 are added by twos.
    """

    vector_bits: int
    registers: int
    folds_broadcast: bool
    pair_lanes: tuple[int, ...] = ()

    def lanes(self, dtype: str) -> int:
        """Returns how many elements of a dtype one register holds."""
        return max(1, self.vector_bits // max(8, int(tvm.DataType(dtype).bits)))

    @classmethod
    def of(cls, target: Any) -> Cpu:
        """Reads vector width and register count from a target of the kind `llvm`."""
        pairs = tuple(n for n, feature in _PAIRS.items() if _has(target, feature))
        if _has(target, "avx512f"):
            return cls(512, 32, True, pairs)
        if _has(target, "avx"):
            return cls(256, 16, False, pairs)
        aarch64 = "aarch64" in str(target.attrs.get("mtriple", "")) or bool(
            target.attrs.get("feature.is_aarch64", False)
        )
        return cls(128, 32, True) if aarch64 else cls(128, 16, False, pairs)


_PAIRS = {4: "sse2", 8: "avx2", 16: "avx512bw"}
"""Which feature of x86 multiplies int16 by twos, for so many lanes of int32."""


def _has(target: Any, feature: str) -> bool:
    return bool(tvm.target.codegen.target_has_features(feature, target))


def require_host(target: Any) -> None:
    """Checks that code for a target runs on this machine.

    Raises:
        EdgekitError: EK204 if it does not.
    """
    if not runs_here(target):
        raise error(
            "EK204",
            f"code for `{target}` does not run on this machine, so it cannot be measured here",
            help="tune on the device, and copy the log",
        )

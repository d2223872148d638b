"""Which features of a CPU the code of a library may use, in the words of Linux's `/proc/cpuinfo`.

Only features are listed that a compiler makes use of by itself: a virtual machine often hides others that
LLVM counts to a CPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgekit.lowering.tvm.adapter import tvm

_X86 = {
    **{
        name: name for name in ("adx", "aes", "avx", "avx2", "bmi2", "f16c", "fma", "gfni", "movbe", "popcnt")
    },
    **{name: name for name in ("rdpid", "sse4a", "ssse3", "vaes", "vpclmulqdq")},
    **{name: name for name in ("avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512ifma", "avx512vbmi")},
    **{name: name.replace("avx512", "avx512_") for name in ("avx512bf16", "avx512bitalg", "avx512fp16")},
    **{name: name.replace("avx512", "avx512_") for name in ("avx512vbmi2", "avx512vnni", "avx512vpopcntdq")},
    "amx-int8": "amx_int8",
    "amx-tile": "amx_tile",
    "avx512vl": "avx512vl",
    "avxvnni": "avx_vnni",
    "bmi": "bmi1",
    "lzcnt": "abm",
    "pclmul": "pclmulqdq",
    "sha": "sha_ni",
    "sse3": "pni",
    "sse4.1": "sse4_1",
    "sse4.2": "sse4_2",
}
_AARCH64 = {
    "aes": "aes",
    "bf16": "bf16",
    "complxnum": "fcma",
    "crc": "crc32",
    "dotprod": "asimddp",
    "fp16fml": "asimdfhm",
    "fullfp16": "asimdhp",
    "i8mm": "i8mm",
    "jsconv": "jscvt",
    "lse": "atomics",
    "neon": "asimd",
    "rcpc": "lrcpc",
    "rdm": "asimdrdm",
    "sha2": "sha2",
    "sme": "sme",
    "sve": "sve",
    "sve2": "sve2",
}
"""LLVM's names and those of Linux."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a CPU must have.

    Attributes:
        line: The line of `/proc/cpuinfo` that lists features on this architecture.
        features: The features, sorted.
    """

    line: str
    features: tuple[str, ...]


def needs(target: Any) -> Needs | None:
    """Returns what the code for a target may use; `None` where Linux's names are not known.

    Args:
        target: TVM's target; one of another kind than `llvm` has a host of this kind.
    """
    cpu = target if target.kind.name == "llvm" else target.host
    codegen = tvm.target.codegen
    triple = str(cpu.attrs.get("mtriple", codegen.llvm_get_system_triple()))
    known = {"x86_64": ("flags", _X86), "aarch64": ("Features", _AARCH64)}.get(triple.partition("-")[0])
    if known is None:
        return None
    line, names = known
    used = {str(feature) for feature in codegen.llvm_get_cpu_features(cpu)}
    return Needs(line, tuple(sorted(names[feature] for feature in used & names.keys())))


def runs_here(target: Any) -> bool:
    """Tells whether this machine's CPU, as LLVM knows it, has all that the code for a target may use."""
    if target.kind.name != "llvm":
        return False
    codegen = tvm.target.codegen
    host = tvm.target.Target({"kind": "llvm", "mcpu": codegen.llvm_get_system_cpu()})
    wanted, own = needs(target), needs(host)
    if wanted is None or own is None:
        return str(target.attrs.get("mtriple", "")) == "" and target.attrs.get("mcpu") == host.attrs["mcpu"]
    return wanted.line == own.line and set(wanted.features) <= set(own.features)

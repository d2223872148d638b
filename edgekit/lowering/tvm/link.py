"""Links what TVM compiled to a shared library: the compilers of this machine, of others, and of Android."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgekit.diagnostics import error
from edgekit.lowering.tvm.options import TvmOptions


def link(built: Any, options: TvmOptions) -> bytes:
    """Links an executable to a shared library.

    Returns:
        The library's bytes.

    Raises:
        EdgekitError: EK501 if there is no compiler that links for the triple; EK503 if it fails.
    """
    command = linker(options.triple, options.ndk)
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        path = Path(folder, "model.so")

        def run(output: str, objects: Sequence[str], **_: Any) -> None:
            call = [*command, "-shared", "-fPIC", "-o", output, *objects, "-lm", *_open_symbols(command)]
            done = subprocess.run(call, capture_output=True, text=True, check=False)
            if done.returncode:
                last = done.stderr.strip().splitlines()[-5:]
                raise error("EK503", f"`{command[0]}` cannot link the library", notes=tuple(last))

        run.object_format = "o"  # type: ignore[attr-defined] # read by export_library
        built.export_library(str(path), fcompile=run)
        return path.read_bytes()


def _open_symbols(command: Sequence[str]) -> list[str]:
    """Lets zig leave symbols to the loader, as other linkers do; TVM's runtime has them."""
    return ["-Wl,-z,undefs"] if "ziglang" in command else []


def linker(triple: str | None, ndk: str | None = None) -> list[str]:
    """Returns the command that links for a triple.

    Args:
        triple: LLVM's triple; `None` for this machine.
        ndk: The folder of Android's NDK, for its triples.

    Raises:
        EdgekitError: EK501 if there is none; EK204 if the folder holds no NDK for the triple.
    """
    if triple is not None and "android" in triple:
        return [_ndk_clang(triple, ndk)]
    if triple is None:
        found = next((c for c in ("c++", "g++", "clang++", "cc") if shutil.which(c)), None)
        if found is not None:
            return [found]
    else:
        found = next((c for c in _cross(triple) if shutil.which(c)), None)
        if found is not None:
            return [found]
        if find_spec("ziglang") is not None:
            return [sys.executable, "-m", "ziglang", "cc", "-target", _zig(triple)]
    named = f"for `{triple}`" if triple else "for this machine"
    raise error(
        "EK501",
        f"linking a library {named} needs a C compiler, and none is found",
        help="pip install ziglang" if triple else "install g++ or clang",
    )


def _cross(triple: str) -> tuple[str, ...]:
    parts = triple.split("-")
    short = "-".join(p for p in parts if p not in ("unknown", "pc", "none"))
    return (f"{triple}-gcc", f"{short}-gcc", f"{triple}-clang", f"{short}-clang")


def _zig(triple: str) -> str:
    arch, *rest = [p for p in triple.split("-") if p not in ("unknown", "pc", "none")]
    return "-".join([arch, *(rest or ["linux"])])


ANDROID_API = "24"
"""Level of Android's API that a triple without one gets."""


def _ndk_clang(triple: str, ndk: str | None) -> str:
    if ndk is None:
        raise error(
            "EK501",
            f"linking a library for `{triple}` needs Android's NDK, and none is named",
            help="install the NDK and name its folder with `--ndk`",
        )
    leveled = triple if triple[-1].isdigit() else triple + ANDROID_API
    found = sorted(Path(ndk).glob(f"toolchains/llvm/prebuilt/*/bin/{leveled}-clang"))
    if not found:
        raise error(
            "EK204",
            f"`{ndk}` holds no NDK with a compiler for `{leveled}`",
            notes=("looked for toolchains/llvm/prebuilt/*/bin/" + leveled + "-clang",),
        )
    return str(found[0])

"""Compiles a module of Relax and links it to a shared library."""

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
from edgekit.lowering.tvm.adapter import has_codegen, relax, tvm
from edgekit.lowering.tvm.options import TvmOptions


def target_of(options: TvmOptions) -> Any:
    """Makes TVM's target of the options.

    Raises:
        EdgekitError: EK501 if this build of TVM has no code generator for the kind; EK204 if it does not
            know the triple or the CPU.
    """
    if not has_codegen(options.device):
        raise error(
            "EK501",
            f"this build of TVM generates no code for `{options.device}`",
            help=f"build TVM with the code generator of {options.device}, or choose `llvm`",
        )
    host: dict[str, Any] = {"kind": "llvm"}
    if options.triple is not None:
        _require_architecture(options.triple)
        host["mtriple"] = options.triple
    if options.cpu is not None:
        _require_cpu(options.cpu, host)
    cpu = options.cpu or (None if options.triple else str(tvm.target.codegen.llvm_get_system_cpu()))
    if cpu is not None:
        host["mcpu"] = cpu
    try:
        if options.device == "llvm":
            return tvm.target.Target(host)
        return tvm.target.Target({"kind": options.device}, host=host)
    except (ValueError, RuntimeError, TypeError) as problem:
        raise error(
            "EK204",
            "TVM does not know the target",
            notes=(" ".join(str(problem).split())[:500],),
            help="see `llc --version` for triples and `llc -mcpu=help` for CPUs",
        ) from problem


_ALIASES = {"arm64": "aarch64", "amd64": "x86_64", **dict.fromkeys(("i486", "i586", "i686"), "i386")}


def _require_architecture(triple: str) -> None:
    """Refuses a triple of an architecture that LLVM does not have: TVM ends the process on it.

    Raises:
        EdgekitError: EK204.
    """
    first = triple.partition("-")[0]
    name = _ALIASES.get(first, first)
    known = [str(n) for n in tvm.target.codegen.llvm_get_targets()]
    if name not in known and not name.startswith(("armv", "thumbv")):
        raise error("EK204", f"LLVM has no architecture `{first}`", notes=(f"known: {', '.join(known)}",))


def _require_cpu(cpu: str, host: dict[str, Any]) -> None:
    """Refuses a CPU that LLVM does not know: it would take a generic one and say nothing.

    Raises:
        EdgekitError: EK204.
    """
    known = [str(n) for n in tvm.target.codegen.llvm_get_cpu_archlist(tvm.target.Target(host))]
    if cpu not in known:
        raise error("EK204", f"LLVM has no CPU `{cpu}` here", notes=(f"known: {', '.join(known)}"[:1000],))


def fused(module: Any, target: Any, options: TvmOptions) -> Any:
    """Legalises a module of Relax and fuses its functions; their loops are not scheduled yet."""
    passes = relax.transform
    with target, tvm.transform.PassContext(opt_level=options.opt_level):
        return tvm.transform.Sequential(
            [
                passes.DeadCodeElimination(),
                passes.LegalizeOps(),
                passes.AnnotateTIROpPattern(),
                passes.FuseOps(),
                passes.FuseTIR(),
            ]
        )(module)


def executable(module: Any, target: Any, options: TvmOptions) -> Any:
    """Compiles an optimised module to an executable of TVM's virtual machine."""
    passes = relax.transform
    pipeline = tvm.transform.Sequential(
        [
            passes.RewriteDataflowReshape(),
            passes.ToNonDataflow(),
            passes.RemovePurityChecking(),
            passes.CallTIRRewrite(),
            passes.StaticPlanBlockMemory(),
            passes.LowerAllocTensor(),
            passes.KillAfterLastUse(),
            passes.LowerRuntimeBuiltin(),
            passes.ComputePrimValue(),
            passes.VMShapeLower(),
            passes.AttachGlobalSymbol(),
        ]
    )
    # LLVM shares common subexpressions itself; TVM's own pass takes minutes on large expressions. Storage is
    # not rewritten, since the last tile of a loop overlaps the one before (`schedule/nest.py`): computed in
    # place, the overlap would read what it has written.
    config = {"tirx.disable_cse_tir": True, "tirx.disable_storage_rewrite": True}
    with target, tvm.transform.PassContext(opt_level=options.opt_level, config=config):
        return relax.build(module, target=target, relax_pipeline=pipeline, exec_mode="bytecode")


def link(built: Any, options: TvmOptions) -> bytes:
    """Links an executable to a shared library.

    Returns:
        The library's bytes.

    Raises:
        EdgekitError: EK501 if there is no compiler that links for the triple; EK503 if it fails.
    """
    command = linker(options.triple)
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


def linker(triple: str | None) -> list[str]:
    """Returns the command that links for a triple.

    Raises:
        EdgekitError: EK501 if there is none.
    """
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

"""Compiles a module of Relax; `link` makes the library of it."""

from __future__ import annotations

from typing import Any

from edgekit.diagnostics import EdgekitError, error
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
    """Compiles an optimised module to an executable of TVM's virtual machine.

    Raises:
        EdgekitError: EK503 if TVM cannot generate the code of a device that is not the CPU.
    """
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
        try:
            return relax.build(module, target=target, relax_pipeline=pipeline, exec_mode="bytecode")
        except (RuntimeError, ValueError, TypeError) as problem:
            if options.device == "llvm":
                raise  # a fault of ours
            raise no_code(options.device, problem) from problem


def no_code(device: str, problem: Exception) -> EdgekitError:
    """Makes the error for a model that TVM compiles for a CPU but not for a device."""
    words = next((line.strip() for line in str(problem).splitlines() if line.strip()), "")
    return error(
        "EK503",
        f"TVM generates no `{device}` code of this model",
        notes=(f"{type(problem).__name__}: {words}"[:500],),
        help="fix open sizes with `--input-shape`, or compile for the CPU",
    )

"""The ONNX backend: the prepared graph at a chosen opset, optionally in float16."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import onnx
import onnx_ir as ir

from edgekit import __version__
from edgekit.diagnostics import Diagnostic, EdgekitError, error
from edgekit.ir import Model, Origin, origin_of, set_origin
from edgekit.passes import dead_code, downgrade, half, unique_names
from edgekit.passes.decompose import expand
from edgekit.passes.edit import all_graphs
from edgekit.passes.splice import splice
from edgekit.passes.upgrade import target_opset

RUNTIME_OPSET = 27
"""The newest opset that ONNX Runtime 1.32 executes."""

OLDEST_OPSET = 7
"""The oldest opset that ONNX Runtime executes."""

OLDEST_IR_VERSION = 4
"""Before, every initializer had to be an input as well."""

NO_KERNEL = frozenset({("", "Swish"), ("", "SwiGLU"), ("ai.onnx.preview", "FlexAttention")})
"""Ops that ONNX Runtime 1.32 has no kernel for at `RUNTIME_OPSET`, but for those of their function bodies."""

LAST_KERNEL = dict.fromkeys(
    (
        *("RoiAlign", "MaxRoiPool", "GlobalLpPool", "Multinomial", "Bernoulli"),
        *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    ),
    21,
)
"""Newest opset in which ONNX Runtime 1.32 has a kernel of an op, where that is below `RUNTIME_OPSET`."""


@dataclass(frozen=True, slots=True)
class EmittedOnnx:
    """An ONNX model ready to be written.

    Attributes:
        ir: The model; weights are shared with the source. It holds no origins and no other metadata of
            nodes, so that no path of this machine goes into the file.
        opset: The version of the default domain.
        origins: Where each value comes from, by its name.
        diagnostics: Warnings, such as values kept in float32.
    """

    ir: ir.Model
    opset: int
    origins: Mapping[str, Origin] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()


def executable(model: Model, opset: int | None = None) -> Model:
    """Returns a prepared model in an opset that ONNX Runtime executes; no longer a user's file.

    Args:
        model: The model that `passes.prepare` returned.
        opset: The opset; by default the newest.

    Raises:
        EdgekitError: EK306 naming the op that has no equivalent form at `opset`.
    """
    emitted = emit_onnx(model, opset=opset)
    for node in emitted.ir.graph:
        set_origin(node, emitted.origins.get(node.outputs[0].name or "", Origin()))
    return replace(model, ir=emitted.ir, source="onnx", sha256=None)


def emit_onnx(model: Model, *, opset: int | None = None, fp16: bool = False) -> EmittedOnnx:
    """Writes a prepared model as ONNX at a chosen opset.

    Args:
        model: The model that `passes.prepare` returned; not changed.
        opset: The opset of the artifact; by default the newest in which ONNX Runtime executes its ops.
        fp16: Convert float32 weights and values to float16; inputs and outputs stay float32.

    Returns:
        The model and the warnings found on the way.

    Raises:
        EdgekitError: EK306 naming the op that has no equivalent form at `opset`.
    """
    target = _newest_executed(model.ir) if opset is None else opset
    if not OLDEST_OPSET <= target <= target_opset():
        raise error(
            "EK306",
            f"opset {target} cannot be written; {OLDEST_OPSET} to {target_opset()} can",
            help="choose another `--opset`, or none",
        )
    work = model.ir.clone()
    _decompose_without_kernel(work)
    diagnostics = half.call(work) if fp16 else ()
    downgrade.call(work, target)
    dead_code.call(work)
    unique_names.call(work)
    origins = {v.name: origin_of(node) for node in work.graph for v in node.outputs if v.name}
    _finish(work)
    return EmittedOnnx(work, target, origins, diagnostics)


def _newest_executed(model: ir.Model) -> int:
    ops = {node.op_type for graph in all_graphs(model.graph) for node in graph if not node.domain}
    return min(RUNTIME_OPSET, target_opset(), *(LAST_KERNEL[op] for op in ops if op in LAST_KERNEL))


def _decompose_without_kernel(model: ir.Model) -> None:
    for graph in tuple(all_graphs(model.graph)):
        queue = [n for n in graph if (n.domain, n.op_type) in NO_KERNEL]
        while queue:
            node = queue.pop()
            fragment = expand(node)
            if fragment is not None:
                queue += [n for n in splice(node, fragment) if (n.domain, n.op_type) in NO_KERNEL]


def _finish(model: ir.Model) -> None:
    """States versions and producer, and drops what only we need to know of nodes and values."""
    used = {"", *(node.domain for graph in all_graphs(model.graph) for node in graph)}
    for domain in set(model.graph.opset_imports) - used:
        del model.graph.opset_imports[domain]
    imports = [onnx.helper.make_opsetid(d, v) for d, v in model.graph.opset_imports.items()]
    known = {"", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training"}
    standard = [i for i in imports if i.domain in known]
    model.ir_version = max(OLDEST_IR_VERSION, _ir_version(standard), _needed_by_dtypes(model))
    model.producer_name, model.producer_version = "edgekit", __version__
    for graph in all_graphs(model.graph):
        for node in graph:
            node.metadata_props.clear()
            node.doc_string = None
            for value in node.outputs:
                value.metadata_props.clear()


def _ir_version(imports: list[onnx.OperatorSetIdProto]) -> int:
    return int(onnx.helper.find_min_ir_version_for(imports, ignore_unknown=True))


def _needed_by_dtypes(model: ir.Model) -> int:
    """Small dtypes came with later versions of the format."""
    needed = 0
    for graph in all_graphs(model.graph):
        for value in (*graph.inputs, *graph.initializers.values(), *(v for n in graph for v in n.outputs)):
            name = "" if value.dtype is None else value.dtype.name
            needed = max(needed, next((v for prefix, v in _SMALL if name.startswith(prefix)), 0))
    return needed


_SMALL = (
    ("FLOAT8E8M0", 12),
    ("FLOAT8", 9),
    ("INT4", 10),
    ("UINT4", 10),
    ("FLOAT4", 11),
    ("INT2", 13),
    ("UINT2", 13),
)
"""Dtypes by the first IR version of the format that has them."""

__all__ = ["EdgekitError", "EmittedOnnx", "emit_onnx"]

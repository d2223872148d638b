"""The Core ML backend: lowers, writes the `.mlpackage`, describes the artifact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgekit.artifact import Artifact, ArtifactFile, Binding
from edgekit.diagnostics import EdgekitError, Severity, error
from edgekit.ir import Model, Origin
from edgekit.lowering.backends import Recipe, file_stem, source_of, versions
from edgekit.lowering.coreml import package
from edgekit.lowering.coreml.bindings import Bindings
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.classes import classes_of, scores_note
from edgekit.lowering.coreml.codes import PAIR
from edgekit.lowering.coreml.emit import Emission, emit
from edgekit.lowering.coreml.fuse import fuse
from edgekit.lowering.coreml.infer import Inference
from edgekit.lowering.coreml.option_types import CoreMlOptions
from edgekit.lowering.coreml.options import parse
from edgekit.lowering.coreml.ports import Ported, check_ports, with_ports
from edgekit.lowering.coreml.ranks import check_ranks
from edgekit.lowering.coreml.requests import check_requests
from edgekit.lowering.coreml.shapes import input_types
from edgekit.lowering.coreml.table import load_ops
from edgekit.lowering.coreml.tools import coremltools, quiet
from edgekit.lowering.driver import lower
from edgekit.lowering.ledger import Lowered, Subgraph, Value
from edgekit.lowering.op import LowerOptions
from edgekit.passes.decompose import expand
from edgekit.passes.pipeline import Prepared


def build(source: Model, prepared: Prepared, recipe: Recipe) -> Artifact:
    """Makes the unverified Core ML artifact of a prepared model.

    Args:
        source: The model as imported.
        prepared: The same after `passes.prepare`.
        recipe: The options.

    Returns:
        The artifact, with the map of its tensors and their origins.

    Raises:
        EdgekitError: EK202, EK204 for bad options; EK3xx with every refused node.
    """
    options = parse(recipe.options)
    if recipe.io_layout != "source":
        raise error("EK204", f"the Core ML backend has no `io_layout` `{recipe.io_layout}`, only `source`")
    check_requests(source, options)
    classes = classes_of(source, options, recipe.labels)
    check_ports(source)
    with quiet():  # coremltools logs what it refuses before it raises
        main, diagnostics = _lowered(prepared.model, options, recipe)
        names = [s.name for s in source.inputs], [s.name for s in source.outputs]
        ported = with_ports(main, *names, options)
        emission = emit(ported.main, getattr(coremltools().target, options.opset), ported.states)
    origins = _origins(ported.main, emission)
    scores = _scores(source, ported, options)
    written = package.write(
        emission.program,
        options,
        inputs=input_types(source, ported.inputs, emission.names, options),
        keep=_kept(ported.main, emission, options),
        origins={name: _origin(o) for name, o in origins.items()},
        labels=recipe.labels,
        classifier=None if classes is None or scores is None else (emission.names[scores], classes),
    )
    stem = file_stem(source)
    bindings = Bindings(source, ported, emission.names, options, classes)
    noted = () if scores is None else scores_note(ported.main, scores, options.classifier.output)  # type: ignore[union-attr]
    return Artifact(
        backend="coreml",
        files=tuple(ArtifactFile.of(f"{stem}.mlpackage/{p}", data) for p, data in written.files.items()),
        source=source_of(source),
        inputs=source.inputs,
        outputs=source.outputs,
        input_bindings=bindings.inputs(),
        output_bindings=bindings.outputs(),
        tensor_map=_tensor_map(ported, emission, written),
        origins={actual: o for name, o in origins.items() for actual in written.every(name)},
        recipe={
            **recipe.to_dict(),
            "fp16": options.precision != "fp32" or bool(options.states),
            "integer": any(op.op == PAIR for op in ported.main.ops),
        },
        versions=versions("onnx", "onnx-ir", "coremltools"),
        diagnostics=(*diagnostics, *noted),
    )


def _scores(source: Model, ported: Ported, options: CoreMlOptions) -> Value | None:
    """Returns the port whose numbers get labels."""
    if options.classifier is None:
        return None
    names = [spec.name for spec in source.outputs]
    return ported.outputs[names.index(options.classifier.output)]


def lower_coreml(model: Model, options: CoreMlOptions, allowed: LowerOptions) -> Lowered:
    """Lowers a prepared model to MIL ops, before ports and precision.

    Args:
        model: A model in the newest opset, shapes inferred.
        options: Whose op set counts.
        allowed: What the user allows and wants.

    Returns:
        The ledger; its diagnostics hold the refusals.
    """
    load_ops()
    builder = CoreMlBuilder(Inference(getattr(coremltools().target, options.opset)))
    return lower(model, builder, expand, allowed)


def _lowered(model: Model, options: CoreMlOptions, recipe: Recipe) -> tuple[Subgraph, tuple[Any, ...]]:
    lowered = lower_coreml(model, options, LowerOptions(recipe.allow_approximate, recipe.io_layout))
    if any(d.severity is Severity.ERROR for d in lowered.diagnostics):
        raise EdgekitError(*lowered.diagnostics)
    main = fuse(lowered.main)
    check_ranks(main)
    return main, lowered.diagnostics


def _tensor_map(ported: Ported, emission: Emission, written: package.Package) -> Mapping[str, Binding]:
    found = {}
    for value, source in ported.main.names.items():
        name = written.actual(emission.names.get(value, ""))
        if name is not None:
            found[source] = Binding(name, value.dtype if value.dtype.kind in "fb" else np.dtype(np.int32))
    return found


def _origins(main: Subgraph, emission: Emission) -> dict[str, Origin]:
    return {emission.names[v]: op.origin for op in main.ops for v in op.outputs if v in emission.names}


def _origin(origin: Origin) -> dict[str, Any]:
    place = {"scope": origin.scope, "file": origin.file, "line": origin.line}
    return {"nodes": list(origin.nodes), **{k: v for k, v in place.items() if v is not None}}


def _kept(main: Subgraph, emission: Emission, options: CoreMlOptions) -> frozenset[str]:
    """Returns the names of tensors that stay in fp32.

    Raises:
        EdgekitError: EK204 for a name that is neither a tensor nor a type of op.
    """
    types = {op.op for op in main.ops}
    by_source: dict[str, list[str]] = {}
    for value, source in main.names.items():
        by_source.setdefault(source, []).append(emission.names.get(value, ""))
    for op in main.ops:
        for node in op.origin.nodes:
            by_source.setdefault(node, []).extend(emission.names.get(v, "") for v in op.outputs)
    for name in options.keep_fp32:
        if name not in types and name not in by_source:
            notes = [f"ops: {', '.join(f'`{t}`' for t in sorted(types))}"]
            raise error(
                "EK204", f"`{name}` is neither an op nor a tensor nor a node of the model", notes=notes
            )
    return frozenset(n for name in options.keep_fp32 for n in by_source.get(name, ()) if n)

"""The user's own TFLite file in its own runtime: the reference for what was imported from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir

from edgekit.artifact import hash_file
from edgekit.consistency.samples import Sample
from edgekit.ir import ROUNDED_AT_RUN_TIME, Model, Quant
from edgekit.passes.edit import constant
from edgekit.runners import Array, Runner


@dataclass(frozen=True, slots=True)
class Original:
    """A source file that LiteRT runs, in the names of the hub.

    Attributes:
        path: The file.
        inputs: The hub's names of its inputs, in order.
        outputs: The hub's names of its outputs, in order.
        reals: The tensor and the quantisation behind a value of reals, which the file does not store.
    """

    path: Path
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    reals: Mapping[str, tuple[str, Quant]]

    @classmethod
    def of(cls, model: Model) -> Original | None:
        """Returns the original of a model, `None` where there is none or it must not be the reference.

        Args:
            model: A model as imported.
        """
        path = model.path
        if model.source != "tflite" or path is None or not path.is_file() or hash_file(path) != model.sha256:
            return None
        if any(ROUNDED_AT_RUN_TIME in d.data for d in model.diagnostics):
            return None
        names = [tuple(s.name for s in specs) for specs in (model.inputs, model.outputs)]
        return cls(path, names[0], names[1], _reals(model))

    def run(self, runner: Runner, sample: Sample, intermediates: Sequence[str]) -> dict[str, Array]:
        """Runs the file.

        Args:
            runner: LiteRT.
            sample: One array per input, by the hub's names.
            intermediates: Further tensors, by the hub's names.

        Returns:
            Outputs and those intermediates that can be observed, by the hub's names.

        Raises:
            EdgekitError: As `Runner.run`.
        """
        ports = runner.ports(self.path)
        feed = {port.name: sample[name] for port, name in zip(ports.inputs, self.inputs, strict=True)}
        wanted = [self.reals[n][0] if n in self.reals else n for n in intermediates]
        found = runner.run(self.path, feed, intermediates=list(dict.fromkeys(wanted)))
        results = {name: found[port.name] for port, name in zip(ports.outputs, self.outputs, strict=True)}
        for name in intermediates:
            if name in self.reals and self.reals[name][0] in found:
                tensor, quant = self.reals[name]
                results.setdefault(name, dequantised(found[tensor], quant))
            elif name in found:
                results.setdefault(name, found[name])
        return results


def dequantised(codes: Array, quant: Quant) -> Array:
    """Returns the reals of integers that have one scale, as DequantizeLinear computes them."""
    whole = codes.astype(np.int32) - np.int32(quant.zero_point[0])
    return np.asarray(whole.astype(np.float32) * np.float32(quant.scale[0]))


def _reals(model: Model) -> dict[str, tuple[str, Quant]]:
    found: dict[str, tuple[str, Quant]] = {}
    for node in model.ir.graph:
        if node.op_type != "DequantizeLinear" or node.domain or constant(node.inputs[0]) is not None:
            continue
        quant = quant_of(node)
        codes = node.inputs[0]
        if quant is not None and codes is not None and codes.name and node.outputs[0].name:
            found[node.outputs[0].name] = (codes.name, quant)
    return found


def quant_of(node: ir.Node) -> Quant | None:
    """Returns the quantisation of QuantizeLinear or DequantizeLinear if it is one constant scale."""
    scale = constant(node.inputs[1])
    zero = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    given = len(node.inputs) > 2 and node.inputs[2] is not None
    if scale is None or scale.size != 1 or (given and (zero is None or zero.size != 1)):
        return None
    return Quant((float(scale.reshape(())),), (0 if zero is None else int(zero.reshape(())),))

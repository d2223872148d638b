"""Integer kernels for quantised models: markers of quantisation around ops become int8 tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from edgekit.diagnostics import Diagnostic
from edgekit.lowering.ledger import Subgraph, TensorMap, Value
from edgekit.lowering.tflite.integer.edges import integer_io
from edgekit.lowering.tflite.integer.exact import write_out
from edgekit.lowering.tflite.integer.fuse import Fusion
from edgekit.lowering.tflite.integer.hoist import SHIFT, as_int8, hoist
from edgekit.lowering.tflite.integer.islands import Island, diagnostics, islands, nothing_quantised
from edgekit.lowering.tflite.integer.rules import INT8, UINT8, takes_uint8


@dataclass(frozen=True, slots=True)
class Integers:
    """A graph after the search for integer forms.

    Attributes:
        graph: The graph, without markers.
        fused: How many ops compute in integers.
        islands: What stays in float, with the reasons; empty where nothing computes in integers.
        now: What a value of the former graph became, where it is another.
        shifted: What became of values that were uint8, before `now`.
    """

    graph: Subgraph
    fused: int = 0
    islands: tuple[Island, ...] = ()
    now: Mapping[Value, Value] = field(default_factory=dict)
    shifted: Mapping[Value, Value] = field(default_factory=dict)

    def place(self, tensor: TensorMap) -> TensorMap:
        """Returns where a tensor of the source model is found now."""
        value = self.shifted.get(tensor.value, tensor.value)
        shift = SHIFT if tensor.value in self.shifted else 0
        return replace(tensor, value=self.now.get(value, value), shift=shift)

    def diagnostics(self, *, required: bool) -> tuple[Diagnostic, ...]:
        """Returns what stays in float as warnings, or as errors where full integers are required."""
        if required and not self.fused:
            return (nothing_quantised(),)
        return diagnostics(self.islands, required)


def to_integers(graph: Subgraph, *, public: bool = False, exact: bool = False) -> Integers:
    """Gives every op between DEQUANTIZE and QUANTIZE its integer kernel where it has one.

    Args:
        graph: A graph in its final layout, activations fused, with markers.
        public: Whether quantised public inputs and outputs are integers.
        exact: Whether functions are looked up where their kernels are not exact.

    Returns:
        The graph. If no op has an integer form, each marker is written out in exact arithmetic.
    """
    if not any("quant" in op.attrs for op in graph.ops):
        return Integers(write_out(graph))
    dtype = UINT8 if takes_uint8(graph) else INT8
    signed, shifted = (graph, {}) if dtype == UINT8 else as_int8(graph)
    fusion = Fusion(hoist(signed, dtype), exact, dtype)
    made = fusion.run()
    if not (fusion.fused and fusion.is_sound):
        return Integers(write_out(graph))
    now = dict(fusion.now)
    if public:
        made, edges = integer_io(made)
        now |= edges
    made = write_out(made)
    return Integers(made, fusion.fused, islands(made, fusion.reasons), now, shifted)


__all__ = ["Integers", "Island", "to_integers"]

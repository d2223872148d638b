"""The ledger: the backend ops that a lowering emits, with their values and origins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.diagnostics import Diagnostic
from edgekit.ir.origin import Origin
from edgekit.ir.spec import Quant

Shape = tuple[int | None, ...]
"""Sizes of a backend tensor; `None` is a size known only at run time."""


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A tensor of the backend graph, compared by identity.

    Attributes:
        dtype: The dtype that the backend stores.
        shape: Sizes; `None` where known only at run time.
        data: The elements of a constant, else `None`.
        quant: Quantisation of an integer tensor that stands for reals.
        codes: The int32 that a float32 constant was dequantised from: it has bits that float32 has not.
    """

    dtype: np.dtype[Any]
    shape: Shape
    data: NDArray[Any] | None = None
    quant: Quant | None = None
    codes: NDArray[Any] | None = None

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def static_shape(self) -> tuple[int, ...] | None:
        """The shape when every size is known, else `None`."""
        sizes = tuple(d for d in self.shape if d is not None)
        return sizes if len(sizes) == len(self.shape) else None


@dataclass(frozen=True, slots=True, eq=False)
class Emitted:
    """One backend op.

    Attributes:
        op: The backend's name of the op (`CONV_2D`).
        inputs: Operands in the backend's order; `None` where an optional one is left out.
        outputs: Results in the backend's order.
        attrs: Options under the backend's names; a `Subgraph` is allowed as a value.
        origin: The source nodes that it computes.
    """

    op: str
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    origin: Origin = field(default_factory=Origin)


@dataclass(frozen=True, slots=True, eq=False)
class Subgraph:
    """Ops in execution order between inputs and outputs.

    Attributes:
        name: Its name in the artifact.
        inputs: Values that the caller gives.
        outputs: Values that the caller gets; may repeat, may be inputs or constants.
        ops: In an order in which every value is made before it is used.
        names: The source model's name of a value, where it has one.
    """

    name: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    ops: tuple[Emitted, ...]
    names: Mapping[Value, str]


@dataclass(frozen=True, slots=True, eq=False)
class TensorMap:
    """How to find a tensor of the source model in the artifact.

    Attributes:
        value: The backend's value.
        perm: `artifact_tensor = source_tensor.transpose(perm)`; `None` where nothing is permuted.
        shift: What the source's integers are more than the backend's.
    """

    value: Value
    perm: tuple[int, ...] | None = None
    shift: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Lowered:
    """What a lowering made of a model.

    Attributes:
        backend: Name of the backend.
        main: The ops of the main graph; nested graphs hang at their ops' attributes.
        inputs: Where each public input is found, in the source's order.
        outputs: Where each public output is found, in the source's order.
        diagnostics: What was refused (errors) or approximated (warnings).
        tensors: Where each tensor of the source model is found, by its name.
        certificate: What is proved of the layout, in one sentence; empty if not applicable.
    """

    backend: str
    main: Subgraph
    inputs: tuple[TensorMap, ...]
    outputs: tuple[TensorMap, ...]
    diagnostics: tuple[Diagnostic, ...] = ()
    tensors: Mapping[str, TensorMap] = field(default_factory=dict)
    certificate: str = ""

"""`Op`: what a lowering function sees of a source node; `Unlowerable`: how it refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.ir import numpy_dtype
from edgekit.lowering.ledger import Shape, Subgraph, Value


class Unlowerable(Exception):  # noqa: N818 - a verdict, not a failure of the program
    """A node cannot be expressed; the driver turns it into a located diagnostic.

    Attributes:
        reason: What cannot be expressed, with the offending value.
        code: The EK3xx code.
        help: What the user can do.
        final: Whether a decomposition of the node would suffer from the same and is not tried.
    """

    def __init__(
        self, reason: str, *, code: str = "EK302", help: str | None = None, final: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.help = help
        self.final = final


@dataclass(frozen=True, slots=True)
class LowerOptions:
    """What the user allows and wants of a lowering.

    Attributes:
        allow_approximate: Accept forms that are not exact; each is reported.
        io_layout: `source` keeps the layout of public inputs and outputs, `nhwc` changes it.
        require_full_integer: Refuse what leaves an op of a quantised model in float.
        integer_io: Give quantised public inputs and outputs as integers.
        exact_functions: Look quantised functions up in tables where their kernels are not exact.
        unsigned: Compute on uint8 as it is; else it becomes int8.
        weights: How constant weights of ops in float are stored, where the backend has a choice.
        keep_refused: Leave an op in the place of a refused node, so that what follows is lowered too; such
            a ledger can be judged and never be written.
    """

    allow_approximate: bool = False
    io_layout: str = "source"
    require_full_integer: bool = False
    integer_io: bool = False
    exact_functions: bool = False
    unsigned: bool = False
    weights: str = "plain"
    keep_refused: bool = False


@dataclass(frozen=True, slots=True)
class OutSpec:
    """What shape inference says of an output of the node.

    Attributes:
        dtype: The dtype; `object` where unknown.
        shape: Sizes, `None` where unknown; `None` in all: unknown rank.
    """

    dtype: np.dtype[Any]
    shape: Shape | None


class Op:
    """A source node with its operands already lowered.

    Attributes:
        node: The node of the hub IR, in the newest form of its op.
        inputs: The lowered operands; `None` where an optional one is left out.
    """

    def __init__(
        self,
        node: ir.Node,
        inputs: Sequence[Value | None],
        *,
        lower_subgraph: Callable[[ir.Graph, Sequence[Value], str], tuple[Subgraph, tuple[Value, ...]]],
        approximate: Callable[[str, bool], None],
    ) -> None:
        self.node = node
        self.inputs = tuple(inputs)
        self._lower_subgraph = lower_subgraph
        self._approximate = approximate

    @property
    def type(self) -> str:
        """The ONNX op type."""
        return self.node.op_type

    @property
    def attrs(self) -> Mapping[str, Any]:
        """Attributes that are present, as Python values (graphs and tensors as onnx_ir objects)."""
        return {name: attr.value for name, attr in self.node.attributes.items()}

    def attr(self, name: str, default: Any = None) -> Any:
        """Returns an attribute as int, float, str, tuple or onnx_ir object, or the default."""
        attr = self.node.attributes.get(name)
        return default if attr is None else attr.value

    def input(self, index: int) -> Value | None:
        """Returns an operand, or `None` where it is left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def operand(self, index: int) -> Value:
        """Returns an operand that the op requires.

        Raises:
            Unlowerable: If it is left out.
        """
        value = self.input(index)
        if value is None:
            raise Unlowerable(f"required input {index} is left out")
        return value

    def const(self, index: int) -> NDArray[Any] | None:
        """Returns the elements of an operand that is a constant, else `None`."""
        value = self.input(index)
        return None if value is None else value.data

    def known(self, index: int, what: str) -> NDArray[Any]:
        """Returns the elements of an operand that the backend must know when converting.

        Args:
            index: Position of the operand.
            what: Name of the operand for the message.

        Raises:
            Unlowerable: If it is left out or computed at run time.
        """
        data = self.const(index)
        if data is None:
            raise Unlowerable(f"`{what}` is computed at run time; it must be a constant")
        return data

    def has_output(self, index: int) -> bool:
        """Tells whether the node declares this output and something may use it."""
        return index < len(self.node.outputs) and bool(self.node.outputs[index].name)

    def is_used(self, index: int) -> bool:
        """Tells whether this output is consumed or is an output of the graph."""
        if not self.has_output(index):
            return False
        value = self.node.outputs[index]
        return bool(value.uses()) or value.is_graph_output()

    def out(self, index: int = 0) -> OutSpec:
        """Returns what shape inference says of an output."""
        value = self.node.outputs[index]
        shape = value.shape
        sizes = None if shape is None else tuple(d if isinstance(d, int) else None for d in shape)
        return OutSpec(numpy_dtype(value.dtype), sizes)

    def out_shape(self, index: int = 0) -> Shape:
        """Returns the inferred shape of an output.

        Raises:
            Unlowerable: If its rank is unknown.
        """
        shape = self.out(index).shape
        if shape is None:
            raise Unlowerable("the rank of the output is unknown", code="EK305")
        return shape

    def subgraph(self, name: str, inputs: Sequence[Value]) -> tuple[Subgraph, tuple[Value, ...]]:
        """Lowers a graph attribute.

        Args:
            name: The attribute (`then_branch`, `body`).
            inputs: One value for each formal input of the graph; only dtype and shape matter.

        Returns:
            The subgraph, whose inputs are the formal ones followed by the captured ones, and the
            values of the outer graph that it captures, in the same order.
        """
        return self._lower_subgraph(self.attr(name), inputs, name)

    def refuse(self, reason: str, *, code: str = "EK302", help: str | None = None) -> NoReturn:
        """Refuses the node.

        Raises:
            Unlowerable: Always.
        """
        raise Unlowerable(reason, code=code, help=help)

    def approximate(self, reason: str, *, final: bool = False) -> None:
        """Declares that what follows is not exact.

        Args:
            reason: What differs, and by how much where it is known.
            final: Whether a decomposition of the node would be no more exact.

        Raises:
            Unlowerable: Unless the user allowed approximations.
        """
        self._approximate(reason, final)

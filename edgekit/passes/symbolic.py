"""Values of small integer tensors where some elements are sizes that only run time knows.

`Shape -> Gather -> Concat -> Reshape` on a model with a symbolic batch is the common case. An element is
an int, a product of symbolic sizes, or `None` (unknown). Every rule is exact: an element is only stated
when it holds for each value of the symbols (sizes are integers >= 0).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.ir.model import dims_of
from edgekit.ir.spec import Dim
from edgekit.passes.edit import attribute, constant, operand, size_of

ELEMENT_LIMIT = 64
"""Tensors of up to this many elements are followed; shapes are far smaller."""


@dataclass(frozen=True, slots=True)
class Product:
    """A positive multiple of symbolic sizes, `2*n*h`.

    Attributes:
        factor: The integer factor, at least 1.
        symbols: Names of sizes, sorted; not empty.
    """

    factor: int
    symbols: tuple[str, ...]

    def __str__(self) -> str:
        parts = ([str(self.factor)] if self.factor != 1 else []) + list(self.symbols)
        return "*".join(parts)


Element = int | Product | None
Elements = NDArray[np.object_]
"""An object array of `Element`; rank 0 or 1 in practice."""


@dataclass(slots=True)
class Symbols:
    """What is known of the elements of values, and what generated size names stand for."""

    elements: dict[ir.Value, Elements] = field(default_factory=dict)
    products: dict[str, Product] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)

    def fresh(self) -> str:
        """Returns a new name for a size about which nothing is known."""
        name = f"?{len(self.made)}"
        self.made.add(name)
        return name

    def known(self, value: ir.Value | None) -> Elements | None:
        """Returns the elements of an integer value, or `None` when nothing is known of it."""
        if value is None:
            return None
        if value in self.elements:
            return self.elements[value]
        if value.dtype not in _INTEGERS or (size_of(value) or 0) > ELEMENT_LIMIT:
            return None
        array = constant(value)
        return None if array is None else objects(array)

    def element(self, dim: Dim) -> Element:
        """Returns what a size of a shape stands for."""
        if isinstance(dim, str):
            return self.products.get(dim, Product(1, (dim,)))
        return dim

    def dim(self, element: Element) -> Dim:
        """Returns the size of a shape that states an element; a fresh name for an unknown one."""
        if element is None:
            return self.fresh()
        if isinstance(element, int):
            return element
        if element.factor == 1 and len(element.symbols) == 1:
            return element.symbols[0]
        name = str(element)
        self.products[name] = element
        self.made.add(name)
        return name

    def shape(self, value: ir.Value | None) -> Elements | None:
        """Returns the sizes of a value as elements, or `None` for unknown rank."""
        sizes = None if value is None else dims_of(value.shape)
        return None if sizes is None else objects([self.element(d) for d in sizes])


_INTEGERS = (ir.DataType.INT64, ir.DataType.INT32)


def objects(items: Any) -> Elements:
    """Returns items as an object array with Python ints."""
    array = np.asarray(items)
    result = np.empty(array.shape, object)
    flat = [x.item() if isinstance(x, np.generic) else x for x in array.reshape(-1)]
    for index, item in enumerate(flat):
        result.reshape(-1)[index] = item
    return result


def multiply(a: Element, b: Element) -> Element:
    """Returns the product, or `None` when it is not a product of sizes."""
    if a == 0 or b == 0:
        return 0
    if a is None or b is None:
        return None
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    left = Product(a, ()) if isinstance(a, int) else a
    right = Product(b, ()) if isinstance(b, int) else b
    factor = left.factor * right.factor
    return Product(factor, tuple(sorted(left.symbols + right.symbols))) if factor > 0 else None


def divide(a: Element, b: Element) -> Element:
    """Returns the quotient when it is exact for every value of the symbols, else `None`.

    Dividing by a symbol that may be 0 is undefined at run time as well.
    """
    if a is None or b is None or b == 0:
        return None
    if isinstance(a, int) and isinstance(b, int):
        return a // b if a % b == 0 else None
    if isinstance(a, int):
        return None
    right = Product(b, ()) if isinstance(b, int) else b
    rest = list(a.symbols)
    for symbol in right.symbols:
        if symbol not in rest:
            return None
        rest.remove(symbol)
    if right.factor <= 0 or a.factor % right.factor:
        return None
    factor = a.factor // right.factor
    return Product(factor, tuple(rest)) if rest else factor


def product(elements: Elements) -> Element:
    """Returns the product of all elements."""
    total: Element = 1
    for element in elements.reshape(-1):
        total = multiply(total, element)
    return total


Rule = Callable[[ir.Node, Symbols], Elements | None]
RULES: dict[str, Rule] = {}


def rule(*op_types: str) -> Callable[[Rule], Rule]:
    """Registers the decorated function as the rule of ops."""

    def register(function: Rule) -> Rule:
        for op_type in op_types:
            RULES[op_type] = function
        return function

    return register


def follow(node: ir.Node, symbols: Symbols) -> Elements | None:
    """Returns what is known of the elements of a node's only output, or `None` for nothing."""
    function = None if node.domain or len(node.outputs) != 1 else RULES.get(node.op_type)
    result = None if function is None else function(node, symbols)
    if result is None or result.size > ELEMENT_LIMIT:
        return None
    result = objects([_within(e, node.outputs[0]) for e in result.reshape(-1)]).reshape(result.shape)
    return None if all(e is None for e in result.reshape(-1)) else result


def _within(element: Any, value: ir.Value) -> Any:
    """Returns an element, or unknown for an integer that the dtype of the value does not hold."""
    if isinstance(element, bool) or not isinstance(element, int) or value.dtype not in _INTEGERS:
        return element
    info = np.iinfo(value.dtype.numpy())
    return element if info.min <= element <= info.max else None


@rule("Shape")
def _shape(node: ir.Node, symbols: Symbols) -> Elements | None:
    sizes = symbols.shape(node.inputs[0])
    if sizes is None:
        return None
    return sizes[attribute(node, "start", 0) : attribute(node, "end")]


@rule("Size")
def _size(node: ir.Node, symbols: Symbols) -> Elements | None:
    sizes = symbols.shape(node.inputs[0])
    return None if sizes is None else _scalar(product(sizes))


@rule("Identity")
def _identity(node: ir.Node, symbols: Symbols) -> Elements | None:
    return symbols.known(node.inputs[0])


@rule("Cast")
def _cast(node: ir.Node, symbols: Symbols) -> Elements | None:
    # A size that does not fit into int32 fails long before, so int64 -> int32 keeps it.
    return symbols.known(node.inputs[0]) if ir.DataType(attribute(node, "to")) in _INTEGERS else None


@rule("Gather")
def _gather(node: ir.Node, symbols: Symbols) -> Elements | None:
    data, indices = symbols.known(node.inputs[0]), constant(node.inputs[1])
    if data is None or indices is None or data.ndim != 1:
        return None
    if np.any(indices >= data.size) or np.any(indices < -data.size):
        return None
    return objects(data[indices])


@rule("Slice")
def _slice(node: ir.Node, symbols: Symbols) -> Elements | None:
    data = symbols.known(node.inputs[0])
    bounds = [constant(operand(node, i)) for i in (1, 2)]
    steps = constant(operand(node, 4)) if operand(node, 4) is not None else np.ones(1, np.int64)
    if data is None or data.ndim != 1 or steps is None or any(b is None or b.size != 1 for b in bounds):
        return None
    start, end = (int(b.reshape(-1)[0]) for b in bounds if b is not None)
    step = int(steps.reshape(-1)[0])
    if step < 0 and end < -data.size:
        return data[start::step]
    return data[start:end:step] if step else None


@rule("Squeeze", "Unsqueeze", "Reshape", "Flatten")
def _relabel(node: ir.Node, symbols: Symbols) -> Elements | None:
    data, sizes = symbols.known(node.inputs[0]), dims_of(node.outputs[0].shape)
    if data is None or sizes is None or not all(isinstance(d, int) for d in sizes):
        return None
    return data.reshape([int(d) for d in sizes if isinstance(d, int)])


@rule("Concat")
def _concat(node: ir.Node, symbols: Symbols) -> Elements | None:
    parts = []
    for value in node.inputs:
        part = symbols.known(value)
        if part is None:
            count = None if value is None or value.dtype not in _INTEGERS else size_of(value)
            if count is None or count > ELEMENT_LIMIT or value is None or len(value.shape or ()) != 1:
                return None
            part = np.full(count, None, object)
        if part.ndim != 1:
            return None
        parts.append(part)
    return np.concatenate(parts)


@rule("Mul", "Div", "Add", "Sub")
def _arithmetic(node: ir.Node, symbols: Symbols) -> Elements | None:
    left, right = (symbols.known(v) for v in node.inputs)
    if left is None or right is None or not _broadcastable(left, right):
        return None
    function = {"Mul": multiply, "Div": divide, "Add": _add, "Sub": _subtract}[node.op_type]
    return objects(np.frompyfunc(function, 2, 1)(left, right))


@rule("ReduceProd")
def _reduce_prod(node: ir.Node, symbols: Symbols) -> Elements | None:
    data = symbols.known(node.inputs[0])
    if data is None or data.ndim != 1:
        return None
    axes = constant(operand(node, 1))
    if axes is None and (operand(node, 1) is not None or attribute(node, "noop_with_empty_axes", 0)):
        return None
    if axes is not None and axes.size == 0:
        return None
    total = _scalar(product(data))
    return total.reshape(1) if attribute(node, "keepdims", 1) else total


@rule("Equal")
def _equal(node: ir.Node, symbols: Symbols) -> Elements | None:
    left, right = (symbols.known(v) for v in node.inputs)
    if left is None or right is None or not _broadcastable(left, right):
        return None
    return _flags(np.frompyfunc(_same, 2, 1)(left, right))


@rule("Where")
def _where(node: ir.Node, symbols: Symbols) -> Elements | None:
    flags = _condition(node.inputs[0], symbols)
    left, right = (symbols.known(v) for v in node.inputs[1:])
    if flags is None or left is None or right is None or not _broadcastable(left, right, flags):
        return None

    def choose(flag: bool | None, a: Element, b: Element) -> Element:
        if flag is None:
            return a if a == b else None
        return a if flag else b

    return objects(np.frompyfunc(choose, 3, 1)(flags, left, right))


def _condition(value: ir.Value | None, symbols: Symbols) -> Elements | None:
    if value in symbols.elements and value is not None:
        return symbols.elements[value]
    array = constant(value)
    if array is None or array.size > ELEMENT_LIMIT:
        return None
    return _flags(array)


def _flags(array: Any) -> Elements:
    result = np.empty(np.shape(array), object)
    for index, item in enumerate(np.asarray(array).reshape(-1)):
        result.reshape(-1)[index] = None if item is None else bool(item)
    return result


def _same(a: Element, b: Element) -> bool | None:
    if a is None or b is None:
        return None
    if isinstance(a, int) and isinstance(b, int):
        return a == b
    for x, y in ((a, b), (b, a)):
        if isinstance(x, int) and x < 0 and isinstance(y, Product):
            return False  # a product of sizes is never negative
    return True if a == b else None


def _add(a: Element, b: Element) -> Element:
    if a is None or b is None:
        return None
    if a == 0 or b == 0:
        return b if a == 0 else a
    return a + b if isinstance(a, int) and isinstance(b, int) else None


def _subtract(a: Element, b: Element) -> Element:
    if a is None or b is None:
        return None
    if b == 0:
        return a
    if a == b:
        return 0
    return a - b if isinstance(a, int) and isinstance(b, int) else None


def _scalar(element: Element) -> Elements:
    result = np.empty((), object)
    result[()] = element
    return result


def _broadcastable(*arrays: Elements) -> bool:
    try:
        return int(np.prod(np.broadcast_shapes(*(a.shape for a in arrays)), dtype=np.int64)) <= ELEMENT_LIMIT
    except ValueError:
        return False

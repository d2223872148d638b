"""Einsum: pairwise matrix products of operands whose axes are grouped by what becomes of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.lowering.coreml import sizes as sz
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.movement import take
from edgekit.lowering.coreml.ops.matmul import product
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op


@dataclass(frozen=True, slots=True)
class Labelled:
    """A value with one label per axis, all different.

    Attributes:
        term: The value.
        labels: The labels; an axis of the ellipsis is called by its distance from the ellipsis' end.
    """

    term: Term
    labels: tuple[str, ...]

    def ordered(self, labels: Sequence[str]) -> Term:
        """Permutes the axes into an order that holds the same labels."""
        b = self.term.b
        return Term(b, b.transpose(self.term.value, [self.labels.index(label) for label in labels]))

    def summed(self, keep: Sequence[str]) -> Labelled:
        """Sums over the axes whose labels are not kept."""
        axes = [i for i, label in enumerate(self.labels) if label not in keep]
        if not axes:
            return self
        rest = tuple(label for label in self.labels if label in keep)
        return Labelled(self.term.reduce("reduce_sum", axes, keep=False), rest)

    def spread(self, labels: Sequence[str]) -> Term:
        """Puts the axes at their place among more labels; the others get size 1."""
        own = [label for label in labels if label in self.labels]
        b, x = self.term.b, self.ordered(own).value
        sizes = sz.sizes_of(b, x)
        placed = [sizes[own.index(label)] if label in own else 1 for label in labels]
        return Term(b, sz.reshape(b, x, placed))


@lowers("Einsum", since=28)
def einsum(b: CoreMlBuilder, n: Op) -> Value:
    """Einsum -> transpose, reshape, matmul, one pair after the other."""
    operands = [n.operand(i) for i in range(len(n.inputs))]
    inputs, output = _parse(n, n.attr("equation"), [x.rank for x in operands])
    computes = len(operands) > 1 or set(output) != set(inputs[0])
    if computes and operands[0].dtype.name not in ("float32", "float16", "int32", "uint32"):
        n.refuse(f"{operands[0].dtype.name} sums may leave int32, in which Core ML computes", code="EK303")
    parts = [_diagonal(n, Term(b, x), labels) for x, labels in zip(operands, inputs, strict=True)]
    while len(parts) > 1:
        left, right, *rest = parts
        later = {label for part in rest for label in part.labels} | set(output)
        parts = [_contract(left, right, later), *rest]
    return parts[0].summed(output).ordered(output).value


def _parse(n: Op, equation: str, ranks: Sequence[int]) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """Returns the labels of each operand and of the result."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        n.refuse(f"an equation of {len(terms)} terms for {len(ranks)} operands")
    inputs = [_labels(n, term, rank) for term, rank in zip(terms, ranks, strict=True)]
    broadcast = max((labels for labels in map(_ellipsis, inputs)), key=len)
    if arrow:
        head, dots, tail = right.partition("...")
        return inputs, (*head, *(broadcast if dots else ()), *tail)
    letters = re.sub(r"[^A-Za-z]", "", left)
    return inputs, (*broadcast, *sorted(c for c in set(letters) if letters.count(c) == 1))


def _labels(n: Op, term: str, rank: int) -> tuple[str, ...]:
    head, dots, tail = term.partition("...")
    hidden = rank - len(head) - len(tail)
    if hidden < 0 or (hidden > 0 and not dots):
        n.refuse(f"the term `{term}` for an operand of rank {rank}")
    return (*head, *(str(i) for i in reversed(range(hidden))), *tail)


def _ellipsis(labels: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(label for label in labels if label.isdigit())


def _diagonal(n: Op, x: Term, labels: tuple[str, ...]) -> Labelled:
    """Takes the diagonal of axes with the same label."""
    for label in sorted(set(labels)):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            size = x.shape[first]
            if size is None or size != x.shape[second]:
                n.refuse(f"the diagonal of `{label}` of sizes {size} and {x.shape[second]}", code="EK305")
            rest = [i for i in range(len(labels)) if i not in (first, second)]
            moved = Term(x.b, x.b.transpose(x.value, [*rest, first, second]))
            sizes = sz.sizes_of(x.b, moved.value)
            flat = Term(x.b, sz.reshape(x.b, moved.value, [*sizes[:-2], size * size]))
            x = Term(x.b, take(x.b, flat.value, np.arange(size) * (size + 1), len(rest)))
            labels = (*(labels[i] for i in rest), label)
    return Labelled(x, labels)


def _contract(left: Labelled, right: Labelled, later: set[str]) -> Labelled:
    """Multiplies two operands and sums what neither the result nor a later operand needs."""
    left = left.summed([*later, *right.labels])
    right = right.summed([*later, *left.labels])
    shared = [label for label in left.labels if label in right.labels]
    batch = [label for label in shared if label in later]
    inner = [label for label in shared if label not in later]
    rows = [label for label in left.labels if label not in shared]
    columns = [label for label in right.labels if label not in shared]
    labels = (*batch, *rows, *columns)
    if not inner:
        return Labelled(left.spread(labels) * right.spread(labels), labels)
    b = left.term.b
    x, y = left.ordered([*batch, *rows, *inner]).value, right.ordered([*batch, *inner, *columns]).value
    xs, ys, k = sz.sizes_of(b, x), sz.sizes_of(b, y), len(batch)
    split, cut = k + len(rows), k + len(inner)
    matrix_x = _grouped(b, x, [xs[:k], xs[k:split], xs[split:]])
    matrix_y = _grouped(b, y, [ys[:k], ys[k:cut], ys[cut:]])
    z = product(b, matrix_x, matrix_y)
    sizes = [*sz.sizes_of(b, z)[:k], *xs[k:split], *ys[cut:]]
    return Labelled(Term(b, sz.reshape(b, z, sizes)), labels)


def _grouped(b: CoreMlBuilder, x: Value, groups: Sequence[Sequence[sz.Size]]) -> Value:
    """Keeps the axes of the first group and makes one axis of each other group."""
    batch, *others = groups
    return sz.reshape(b, x, [*batch, *(sz.product(b, group) for group in others)])

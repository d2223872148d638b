"""Kernels that move elements without computing with them."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.lowering.tvm.adapter import Expr, Tensor, dtype_of, is_int, relax, same, tir
from edgekit.lowering.tvm.kernels import sizes as sz
from edgekit.lowering.tvm.kernels.common import broadcast, compute, const, element, product
from edgekit.lowering.tvm.kernels.table import kernel


@kernel("reshape", sizes=(1,), relax=True)
def reshape(x: Expr, sizes: Sequence[Expr], *, allowzero: bool = False) -> Expr:
    """Reshapes; -1 takes what is left, 0 copies the size of the same axis unless `allowzero`."""
    old = list(x.ty.shape.values)
    wanted = [sz.number(s) for s in sizes]
    if not allowzero:
        wanted = [
            s if isinstance(s, int) and s != 0 else old[i] if i < len(old) and isinstance(s, int) else
            sz.choose(s == 0, old[i], s) if i < len(old) else s
            for i, s in enumerate(wanted)
        ]  # fmt: skip
    if 0 in [s for s in wanted if isinstance(s, int)]:
        return relax.op.zeros(wanted, dtype_of(x.ty))  # Relax reads 0 as "the same size as before"
    known = [s for s in wanted if not (isinstance(s, int) and s == -1)]
    open_ones = [s for s in known if not is_int(s) and not any(same(s, o) for o in old)]
    if len(known) < len(wanted):
        rest = _without_common(old, known)
        return relax.op.reshape(x, [rest if isinstance(s, int) and s == -1 else s for s in wanted])
    if open_ones:  # one of them may turn out to be -1
        absolute = [sz.choose(s == -1, 1, s) if not is_int(s) else s for s in wanted]
        rest = sz.quotient(product(old), product(absolute))
        wanted = [sz.choose(s == -1, rest, s) if not is_int(s) else s for s in wanted]
    return relax.op.reshape(x, wanted)


def _without_common(old: Sequence[Expr], known: Sequence[Expr]) -> Expr:
    """Divides the sizes; those on both sides cancel, so that a batch stays what it is called."""
    above, below = list(old), []
    for size in known:
        twin = next((i for i, o in enumerate(above) if same(o, size)), None)
        if twin is None:
            below.append(size)
        else:
            del above[twin]
    return sz.quotient(product(above), product(below))


@kernel("transpose", relax=True)
def transpose(x: Expr, *, perm: Sequence[int]) -> Expr:
    """Permutes the axes."""
    return relax.op.permute_dims(x, list(perm))


@kernel("unsqueeze", relax=True)
def unsqueeze(x: Expr, *, axes: Sequence[int]) -> Expr:
    """Inserts axes of size 1 at positions of the result."""
    return relax.op.expand_dims(x, list(axes))


@kernel("squeeze")
def squeeze(x: Tensor, *, axes: Sequence[int]) -> Tensor:
    """Removes axes of size 1."""
    kept = [i for i in range(len(x.shape)) if i not in axes]

    def read(*i: Expr) -> Expr:
        full: list[Expr] = [0] * len(x.shape)
        for axis, index in zip(kept, i, strict=True):
            full[axis] = index
        return x(*full)

    return compute([x.shape[i] for i in kept], read, "squeeze")


@kernel("broadcast_to", sizes=(1,))
def broadcast_to(x: Tensor, sizes: Sequence[Expr]) -> Tensor:
    """Broadcasts both ways, as ONNX's Expand."""
    shape = broadcast(x.shape, sizes)
    return compute(shape, lambda *i: element(x, i, shape), "broadcast_to")


@kernel("cut")
def cut(x: Tensor, *, axis: int, begin: int, end: int) -> Tensor:
    """Takes elements [begin, end) of an axis."""
    shape = [end - begin if i == axis else d for i, d in enumerate(x.shape)]
    return compute(shape, lambda *i: x(*i[:axis], i[axis] + begin, *i[axis + 1 :]), "cut")


@kernel("slice", sizes=(1, 2, 3))
def slice_(
    x: Tensor, begins: Sequence[Expr], ends: Sequence[Expr], steps: Sequence[Expr], *, axes: Sequence[int]
) -> Tensor:
    """Takes every `step`-th element from a begin to an end of some axes."""
    starts: list[Expr] = [0] * len(x.shape)
    strides: list[Expr] = [1] * len(x.shape)
    shape = list(x.shape)
    for axis, begin, end, step in zip(axes, begins, ends, steps, strict=True):
        starts[axis], shape[axis] = sz.slice_bounds(begin, end, step, x.shape[axis])
        strides[axis] = sz.number(step)
    return compute(
        shape,
        lambda *i: x(*(s + k * t for s, k, t in zip(starts, i, strides, strict=True))),
        "slice",
    )


@kernel("concat")
def concat(*parts: Tensor, axis: int) -> Tensor:
    """Joins tensors along an axis."""
    shape = list(parts[0].shape)
    for part in parts[1:]:
        shape = [
            a + b if i == axis else (a if is_int(a) else b)
            for i, (a, b) in enumerate(zip(shape, part.shape, strict=True))
        ]

    def read(*i: Expr) -> Expr:
        offsets: list[Expr] = [0]
        for part in parts[:-1]:
            offsets.append(offsets[-1] + part.shape[axis])
        values = [
            part(*i[:axis], i[axis] - offset, *i[axis + 1 :])
            for part, offset in zip(parts, offsets, strict=True)
        ]
        result = values[-1]
        for value, end in zip(reversed(values[:-1]), reversed(offsets[1:]), strict=True):
            result = tir.if_then_else(i[axis] < end, value, result)
        return result

    return compute(shape, read, "concat")


@kernel("tile", sizes=(1,))
def tile(x: Tensor, repeats: Sequence[Expr]) -> Tensor:
    """Repeats along every axis."""
    shape = [d * r for d, r in zip(x.shape, repeats, strict=True)]
    return compute(shape, lambda *i: x(*(k % d for k, d in zip(i, x.shape, strict=True))), "tile")


@kernel("pad", sizes=(1,))
def pad(x: Tensor, pads: Sequence[Expr], fill: Tensor | None, *, mode: str, axes: Sequence[int]) -> Tensor:
    """Pads or crops; `constant`, `edge`, `reflect` or `wrap` beyond the ends."""
    count = len(axes)
    before: list[Expr] = [0] * len(x.shape)
    after: list[Expr] = [0] * len(x.shape)
    for i, axis in enumerate(axes):
        before[axis], after[axis] = sz.number(pads[i]), sz.number(pads[i + count])
    shape = [d + b + a for d, b, a in zip(x.shape, before, after, strict=True)]
    moved = [a for a in range(len(x.shape)) if not (_is_zero(before[a]) and _is_zero(after[a]))]

    def read(*i: Expr) -> Expr:
        at = list(i)
        inside: list[Expr] = []
        for axis in moved:
            first = _positive(-before[axis])  # what is cut off counts for nothing beyond the ends
            place = i[axis] - _positive(before[axis])
            size = x.shape[axis] - first - _positive(-after[axis])
            inside += [place >= 0, place < size]
            at[axis] = first + _beyond(place, size, mode)
        if mode != "constant" or not inside:
            return x(*at)
        value = const(0, dtype_of(x)) if fill is None else fill(*[0] * len(fill.shape))
        return tir.if_then_else(tir.all(*inside), x(*at), value)

    return compute(shape, read, "pad")


def _positive(amount: Expr) -> Expr:
    return max(amount, 0) if isinstance(amount, int) else tir.max(amount, 0)


def _is_zero(amount: Expr) -> bool:
    return isinstance(amount, int) and amount == 0


def _beyond(place: Expr, size: Expr, mode: str) -> Expr:
    if mode == "edge":
        return tir.max(tir.min(place, size - 1), 0)
    if mode == "wrap":
        return tir.floormod(place, size)
    if mode == "reflect":
        period = tir.max(2 * (size - 1), 1)
        folded = tir.floormod(place, period)
        return tir.Select(folded < size, folded, period - folded)
    return place


@kernel("gather")
def gather(x: Tensor, indices: Tensor, *, axis: int) -> Tensor:
    """Takes slices of an axis; indices may count from the end, those beyond it are clamped."""
    rank = len(indices.shape)
    shape = [*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]]

    def read(*i: Expr) -> Expr:
        index = sz.within(indices(*i[axis : axis + rank]), x.shape[axis])
        return x(*i[:axis], index, *i[axis + rank :])

    return compute(shape, read, "gather")


@kernel("gather_elements")
def gather_elements(x: Tensor, indices: Tensor, *, axis: int) -> Tensor:
    """Takes the element of an axis that the index at the same place names."""

    def read(*i: Expr) -> Expr:
        index = sz.within(indices(*i), x.shape[axis])
        return x(*i[:axis], index, *i[axis + 1 :])

    return compute(indices.shape, read, "gather_elements")


@kernel("gather_nd")
def gather_nd(x: Tensor, indices: Tensor, *, batch_dims: int) -> Tensor:
    """Takes what coordinates along the last axis of `indices` name, after common batch axes."""
    depth = int(indices.shape[-1])
    outer = len(indices.shape) - 1
    shape = [*indices.shape[:-1], *x.shape[batch_dims + depth :]]

    def read(*i: Expr) -> Expr:
        at = [sz.within(indices(*i[:outer], k), x.shape[batch_dims + k]) for k in range(depth)]
        return x(*i[:batch_dims], *at, *i[outer:])

    return compute(shape, read, "gather_nd")


@kernel("depth_to_space")
def depth_to_space(x: Tensor, *, block: int, columns_first: bool) -> Tensor:
    """Moves channels (N, C, H, W) into blocks of space; `columns_first` is the mode CRD."""
    n, c, h, w = x.shape
    depth = c // (block * block)

    def read(b: Expr, d: Expr, y: Expr, z: Expr) -> Expr:
        corner = (y % block) * block + z % block
        channel = d * block * block + corner if columns_first else corner * depth + d
        return x(b, channel, y // block, z // block)

    return compute([n, depth, h * block, w * block], read, "depth_to_space")


@kernel("space_to_depth")
def space_to_depth(x: Tensor, *, block: int, columns_first: bool) -> Tensor:
    """Moves blocks of space of (N, C, H, W) into channels; `columns_first` is the mode CRD."""
    n, c, h, w = x.shape

    def read(b: Expr, d: Expr, y: Expr, z: Expr) -> Expr:
        area = block * block
        corner, channel = (d % area, d // area) if columns_first else (d // c, d % c)
        return x(b, channel, y * block + corner // block, z * block + corner % block)

    return compute([n, c * block * block, h // block, w // block], read, "space_to_depth")


@kernel("triangle")
def triangle(x: Tensor, k: Tensor | None, *, upper: bool) -> Tensor:
    """Keeps the upper or lower triangle of the last two axes, from the k-th diagonal on."""
    zero = tir.const(False, "bool") if dtype_of(x) == "bool" else const(0, dtype_of(x))

    def read(*i: Expr) -> Expr:
        diagonal = 0 if k is None else k(*[0] * len(k.shape))
        ahead = i[-1] - i[-2]
        return tir.Select(ahead >= diagonal if upper else ahead <= diagonal, x(*i), zero)

    return compute(x.shape, read, "triangle")


@kernel("reverse_sequence")
def reverse_sequence(x: Tensor, lengths: Tensor, *, batch_axis: int, time_axis: int) -> Tensor:
    """Reverses the first elements of each sequence, as many as its length says."""

    def read(*i: Expr) -> Expr:
        length, t = lengths(i[batch_axis]), i[time_axis]
        at = list(i)
        at[time_axis] = sz.within(tir.Select(t < length, length - 1 - t, t), x.shape[time_axis])
        return x(*at)

    return compute(x.shape, read, "reverse_sequence")


@kernel("fill", sizes=(0,))
def fill(sizes: Sequence[Expr], value: Tensor) -> Tensor:
    """Makes a tensor of one value."""
    return compute(sizes, lambda *_: value(*[0] * len(value.shape)), "fill")


@kernel("one_hot")
def one_hot(indices: Tensor, values: Tensor, *, depth: int, axis: int) -> Tensor:
    """Puts the second value where an index says, else the first; indices out of range hit nothing."""
    shape = [*indices.shape[:axis], depth, *indices.shape[axis:]]

    def read(*i: Expr) -> Expr:
        index = indices(*i[:axis], *i[axis + 1 :])
        place = tir.Select(index < 0, index + const(depth, dtype_of(index)), index)
        return tir.Select(place == i[axis].astype(dtype_of(index)), values(1), values(0))

    return compute(shape, read, "one_hot")


@kernel("diagonal_matrix")
def diagonal_matrix(x: Tensor, *, k: int, dtype: str) -> Tensor:
    """Makes ones on the k-th diagonal of a matrix of the size of `x`."""
    one, zero = (tir.const(v, dtype) for v in (True, False)) if dtype == "bool" else (
        const(v, dtype) for v in (1, 0)
    )  # fmt: skip
    return compute(x.shape, lambda i, j: tir.Select(j - i == k, one, zero), "diagonal_matrix")


@kernel("shape_of")
def shape_of(x: Tensor, *, start: int, end: int) -> Tensor:
    """Returns sizes as int64."""
    sizes = list(x.shape)[start:end]

    def read(i: Expr) -> Expr:
        result = tir.const(0, "int64")
        for k, size in enumerate(sizes):
            result = tir.Select(i == k, tir.const(int(size), "int64") if is_int(size) else size, result)
        return result

    return compute([len(sizes)], read, "shape_of")


@kernel("range", sizes=(2,))
def range_(start: Tensor, delta: Tensor, count: Sequence[Expr]) -> Tensor:
    """start, start + delta, ..."""
    dtype = dtype_of(start)
    return compute([count[0]], lambda i: start() + i.astype(dtype) * delta(), "range")


@kernel("range_count")
def range_count(start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    """Returns how many elements a range has, as int64 of shape (1,)."""

    def count(_: Expr) -> Expr:
        if dtype_of(start).startswith("float"):
            steps = tir.ceil((limit() - start()) / delta()).astype("int64")
        else:
            a, b, d = (v().astype("int64") for v in (start, limit, delta))
            one = tir.const(1, "int64")
            toward = tir.Select(d > 0, d - one, d + one)
            steps = tir.truncdiv(b - a + toward, d)
        return tir.max(steps, tir.const(0, "int64"))

    return compute([1], count, "range_count")


@kernel("set_row")
def set_row(whole: Tensor, row: Tensor, at: Tensor) -> Tensor:
    """Replaces one entry of the first axis."""

    def read(*i: Expr) -> Expr:
        return tir.if_then_else(i[0].astype("int64") == at(), row(0, *i[1:]), whole(*i))

    return compute(whole.shape, read, "set_row")


@kernel("split_axis")
def split_axis(x: Tensor, *, axis: int, inner: int) -> Tensor:
    """Splits an axis into two, the second one of a given size."""
    shape = [*x.shape[:axis], x.shape[axis] // inner, inner, *x.shape[axis + 1 :]]
    return compute(
        shape, lambda *i: x(*i[:axis], i[axis] * inner + i[axis + 1], *i[axis + 2 :]), "split_axis"
    )


@kernel("merge_axes")
def merge_axes(x: Tensor, *, axis: int) -> Tensor:
    """Joins an axis and the next one."""
    inner = x.shape[axis + 1]
    shape = [*x.shape[:axis], x.shape[axis] * inner, *x.shape[axis + 2 :]]
    return compute(
        shape, lambda *i: x(*i[:axis], i[axis] // inner, i[axis] % inner, *i[axis + 1 :]), "merge_axes"
    )


@kernel("write_rows")
def write_rows(cache: Tensor, update: Tensor, starts: Tensor | None, *, axis: int, circular: bool) -> Tensor:
    """Replaces entries of an axis of each cache of a batch from a start on, around the end if circular."""
    size, count = cache.shape[axis], update.shape[axis]

    def read(*i: Expr) -> Expr:
        place = i[axis].astype("int64")
        ahead = place if starts is None else place - starts(i[0]).astype("int64")
        ahead = tir.floormod(ahead, size) if circular else ahead
        inside = tir.all(ahead >= 0, ahead < count)
        return tir.if_then_else(inside, update(*i[:axis], ahead, *i[axis + 1 :]), cache(*i))

    return compute(cache.shape, read, "write_rows")

"""Non-maximum suppression, and counting of n-grams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.lowering.tvm.adapter import Expr, Tensor, script, tir
from edgekit.lowering.tvm.kernels.common import const
from edgekit.lowering.tvm.kernels.sequential import loops
from edgekit.lowering.tvm.kernels.table import kernel

_REAL = "float32"


@kernel("non_max_suppression")
def non_max_suppression(
    boxes: Tensor, scores: Tensor, limit: Tensor, overlap: Tensor, least: Tensor | None, *, centred: bool
) -> Any:
    """Takes the best boxes of each class that overlap no better one by more than a threshold.

    Returns:
        Triples of batch, class and box in a tensor that has room for all, and their number of shape (1,).
    """
    batch, classes, count = scores.shape
    operands = [boxes, scores, limit, overlap, *([] if least is None else [least])]
    whole = [([batch * classes * count, 3], "int64"), ([1], "int64"), ([count], "bool"), ([3], "int64")]

    def body(ins: list[Any], outs: list[Any]) -> None:
        box, score, most, threshold, *floor = ins
        out, total, gone, state = outs  # state: the best box, how many were taken, whether one was found
        total[0] = tir.const(0, "int64")
        with script.serial(0, batch * classes) as pair:
            corners = pair // classes * count
            state[1] = tir.const(0, "int64")
            with script.serial(0, count) as i:
                gone[i] = (
                    tir.Not(score[pair * count + i] > floor[0][0]) if floor else tir.const(False, "bool")
                )
            with script.serial(0, count):
                state[0] = tir.const(-1, "int64")
                with script.If(state[1] < most[0].astype("int64")), script.Then():
                    with script.serial(0, count) as i:
                        best = tir.max(state[0], tir.const(0, "int64"))
                        ahead = score[pair * count + i] > score[pair * count + best]
                        with script.If(tir.all(tir.Not(gone[i]), tir.any(state[0] < 0, ahead))):
                            with script.Then():
                                state[0] = i.astype("int64")
                with script.If(state[0] >= 0), script.Then():
                    out[total[0] * 3] = (pair // classes).astype("int64")
                    out[total[0] * 3 + 1] = (pair % classes).astype("int64")
                    out[total[0] * 3 + 2] = state[0]
                    total[0] = total[0] + 1
                    state[1] = state[1] + 1
                    taken = _corners(box, corners + state[0], centred)
                    with script.serial(0, count) as i:
                        other = _corners(box, corners + i, centred)
                        near = _overlaps(taken, other, threshold[0])
                        gone[i] = tir.any(gone[i], near, i.astype("int64") == state[0])

    results = loops(whole, operands, body, "non_max_suppression")
    return [results[0], results[1]]


def _corners(box: Any, at: Expr, centred: bool) -> list[Expr]:
    """Returns top, left, bottom, right."""
    a, b, c, d = (box[at * 4 + k] for k in range(4))
    if centred:
        half = const(0.5, _REAL)
        return [b - d * half, a - c * half, b + d * half, a + c * half]
    return [tir.min(a, c), tir.min(b, d), tir.max(a, c), tir.max(b, d)]


def _overlaps(p: list[Expr], q: list[Expr], threshold: Expr) -> Expr:
    zero = const(0, _REAL)
    tall = tir.max(tir.min(p[2], q[2]) - tir.max(p[0], q[0]), zero)
    wide = tir.max(tir.min(p[3], q[3]) - tir.max(p[1], q[1]), zero)
    common = tall * wide
    union = (p[2] - p[0]) * (p[3] - p[1]) + (q[2] - q[0]) * (q[3] - q[1]) - common
    return tir.all(common > zero, union > zero, common / union > threshold)


@kernel("ngrams")
def ngrams(
    tokens: Tensor,
    *,
    pool: Sequence[int],
    starts: Sequence[int],
    columns: Sequence[int],
    shortest: int,
    longest: int,
    skips: int,
) -> Tensor:
    """Counts n-grams of the last axis of (rows, length) tokens, at every distance between their tokens.

    Source: ONNX operator TfIdfVectorizer. The result has one column more than `columns` names, unused.
    """
    rows, length = tokens.shape
    width = max(columns) + 1

    def body(ins: list[Any], outs: list[Any]) -> None:
        (source,), (out,) = ins, outs
        with script.serial(0, rows * width) as i:
            out[i] = const(0, _REAL)
        with script.serial(0, rows) as r:
            gram = 0
            for size, (begin, end) in enumerate(zip(starts, [*starts[1:], len(pool)], strict=True), 1):
                for at in range(begin, end, size):
                    place = r * width + columns[gram]
                    gram += 1
                    if not shortest <= size <= longest:
                        continue
                    for distance in range(1, 2 if size == 1 else skips + 2):
                        span = (size - 1) * distance
                        with script.serial(0, tir.max(length - span, 0)) as t:
                            same = tir.const(True, "bool")
                            for k in range(size):
                                token = source[r * length + t + k * distance]
                                same = tir.all(same, token == tir.const(pool[at + k], "int64"))
                            out[place] = out[place] + tir.Select(same, const(1, _REAL), const(0, _REAL))

    return loops([([rows, width], _REAL)], [tokens], body, "ngrams")

"""TfIdfVectorizer on tokens that are integers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import sizes as sz
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.table import lowers


@lowers("TfIdfVectorizer", since=9)
def tf_idf(b: TFLiteBuilder, n: Op) -> Value:
    """TfIdfVectorizer -> EQUAL of all windows with all n-grams, counted by SUM."""
    tokens = n.operand(0)
    length = tokens.shape[-1]
    if length is None:
        n.refuse("the number of tokens is known only at run time", code="EK305")
    if n.attr("pool_int64s") is None:
        n.refuse("TFLite has no kernels that compute with text", code="EK303")
    rows = b.reshape(tokens, (*tokens.shape[:-1], 1, length))
    counts = b.concat([_counted(b, n, rows, grams, size) for size, grams in _pools(n)], rows.rank - 2)
    columns = b.op("GATHER", [counts, b.ints(_columns(n))], {"axis": rows.rank - 2}, dtype=np.int32,
                   shape=(*counts.shape[:-1], max(n.attr("ngram_indexes")) + 1))  # fmt: skip
    return _weighted(b, n, columns)


def _pools(n: Op) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yields the n-grams of each length, shape (count, length)."""
    pool, starts = np.asarray(n.attr("pool_int64s"), np.int64), [*n.attr("ngram_counts"), None]
    for size, (start, end) in enumerate(itertools.pairwise(starts), 1):
        yield size, pool[start:end].reshape(-1, size)


def _counted(b: TFLiteBuilder, n: Op, rows: Value, grams: NDArray[np.int64], size: int) -> Value:
    """Counts the n-grams of one length, at every distance between their tokens; shape (..., grams)."""
    length = rows.shape[-1]
    assert length is not None
    shape = (*rows.shape[:-2], len(grams))
    distances = range(1, 2 if size == 1 else n.attr("max_skip_count") + 2)
    places = [
        start + distance * np.arange(size)
        for distance in distances
        for start in range(length - (size - 1) * distance)
    ]
    wanted = n.attr("min_gram_length") <= size <= n.attr("max_gram_length")
    if not wanted or not places or not len(grams):
        dims = sz.pack(b, [*sz.sizes_of(b, rows)[:-2], len(grams)])
        return b.op("FILL", [dims, b.const(0, np.int32)], dtype=np.int32, shape=shape)
    attrs, at = {"axis": rows.rank - 1}, b.const(np.stack(places), np.int32)
    window_shape = (*rows.shape[:-1], len(places), size)
    windows = b.op("GATHER", [rows, at], attrs, dtype=rows.dtype, shape=window_shape)
    same = b.binary("EQUAL", windows, b.const(grams[:, None], windows.dtype))
    return _total(b, same, shape)


def _total(b: TFLiteBuilder, same: Value, shape: tuple[int | None, ...]) -> Value:
    """All tokens of a window are equal, in how many windows; (..., grams, windows, tokens)."""
    matches = b.op("REDUCE_ALL", [same, b.ints([same.rank - 1])], {"keep_dims": False})
    number = b.cast(matches, np.int32)
    return b.op("SUM", [number, b.ints([number.rank - 1])], {"keep_dims": False}, shape=shape)


def _columns(n: Op) -> list[int]:
    """Which n-gram of the pool each column counts."""
    indices = list(n.attr("ngram_indexes"))
    if sorted(indices) != list(range(len(indices))):
        n.refuse("`ngram_indexes` is not a permutation of the columns")
    return [int(i) for i in np.argsort(indices)]


def _weighted(b: TFLiteBuilder, n: Op, counts: Value) -> Value:
    mode, weights = n.attr("mode"), n.attr("weights")
    if weights is not None and list(n.attr("ngram_indexes")) != list(range(len(weights))):
        n.refuse(
            "`weights` of n-grams that are not in the order of the columns: runtimes read them differently"
        )
    if mode == "IDF":
        counts = b.binary("MINIMUM", counts, b.const(1, np.int32))
    number = b.cast(counts, np.float32)
    if mode == "TF" or weights is None:
        return number
    return b.binary("MUL", number, b.const(weights, np.float32))

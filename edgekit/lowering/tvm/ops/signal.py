"""Fourier transforms of known length as products with constant matrices; mel filters; n-grams."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tvm.builder import TVMBuilder, computed
from edgekit.lowering.tvm.table import lowers

_MAX_ELEMENTS = 2**24
"""Of a matrix."""


@lowers("DFT", since=20)
def dft(b: TVMBuilder, n: Op) -> Value:
    """A product with the matrix of the transform, which pads, cuts and mirrors as well."""
    x = n.operand(0)
    axis = (-2 if n.input(2) is None else int(n.known(2, "axis").reshape(()))) % x.rank
    given = None if n.input(1) is None else int(n.known(1, "dft_length").reshape(()))
    matrix = _transform(n, x.shape[axis], x.shape[-1], given)
    # Letters: the axes of x as a, b, c, ...; p is the part of the input, q that of the result.
    letters = "".join(chr(ord("a") + i) for i in range(x.rank - 1))
    source, result = letters + "p", letters[:axis] + "z" + letters[axis + 1 :] + "q"
    terms = {"terms": [source, f"{letters[axis]}pzq"], "result": result}
    return computed(b, [x], lambda v: b.op("einsum", [v, b.const(matrix, v.dtype)], terms, dtype=v.dtype,
                                           shape=n.out_shape()))  # fmt: skip


def _transform(n: Op, size: int | None, parts: int | None, length: int | None) -> NDArray[np.float64]:
    """The transform of each unit vector: (size, parts, bins, parts of the result)."""
    if size is None or parts is None:
        n.refuse("the transformed axis has a length known only at run time", code="EK305")
    one_sided, inverse = bool(n.attr("onesided", 0)), bool(n.attr("inverse", 0))
    if length is None:
        length = 2 * (size - 1) if one_sided and inverse else size
    if size * parts * length * 2 > _MAX_ELEMENTS:
        n.refuse(f"a transform of {size} to {length} elements takes a matrix that is too large")
    units = np.stack([np.eye(size), 1j * np.eye(size)][:parts], 1)
    if one_sided and inverse:
        return np.asarray(np.fft.irfft(units, length))[..., None]
    if one_sided:
        return _parts(np.fft.rfft(units.real, length))
    return _parts((np.fft.ifft if inverse else np.fft.fft)(units, length))


def _parts(values: NDArray[np.complex128]) -> NDArray[np.float64]:
    return np.stack([values.real, values.imag], -1)


@lowers("STFT", since=17)
def stft(b: TVMBuilder, n: Op) -> Value:
    """Frames of the signal times the windowed matrix of the transform."""
    signal = n.operand(0)
    step = int(n.known(1, "frame_step").reshape(()))
    window = None if n.input(2) is None else n.known(2, "window").astype(np.float64)
    length = _frame_length(n, signal, window)
    parts, size = signal.shape[2], signal.shape[1]
    if parts is None or size is None:
        n.refuse("a signal of a length known only at run time", code="EK305")
    vectors = np.eye(length) * (1 if window is None else window)
    spectrum = np.fft.rfft(vectors) if n.attr("onesided", 1) else np.fft.fft(vectors)
    matrix = np.stack([_parts(spectrum), _parts(1j * spectrum)][:parts], 1)
    if matrix.size > _MAX_ELEMENTS:
        n.refuse(f"frames of {length} elements take a matrix that is too large")
    count = (size - length) // step + 1
    places = b.const(np.arange(count)[:, None] * step + np.arange(length), np.int32)

    def transform(v: Value) -> Value:
        shape = (v.shape[0], count, length, parts)
        frames = b.op("gather", [v, places], {"axis": 1}, dtype=v.dtype, shape=shape)
        terms = {"terms": ["nftp", "tpbq"], "result": "nfbq"}
        return b.op("einsum", [frames, b.const(matrix, v.dtype)], terms, dtype=v.dtype, shape=n.out_shape())

    return computed(b, [signal], transform)


def _frame_length(n: Op, signal: Value, window: NDArray[np.float64] | None) -> int:
    if n.input(3) is not None:
        return int(n.known(3, "frame_length").reshape(()))
    if window is not None:
        return len(window)
    if signal.shape[1] is None:
        n.refuse("the frame is as long as the signal, which is known only at run time", code="EK305")
    return signal.shape[1]


@lowers("MelWeightMatrix", since=17)
def mel_weight_matrix(b: TVMBuilder, n: Op) -> Value:
    """A constant: triangles between neighbouring bins, shape (bins, bands).

    Source: ONNX operator MelWeightMatrix; mel = 2595 log10(1 + f / 700).
    """
    names = ("num_mel_bins", "dft_length", "sample_rate", "lower_edge_hertz", "upper_edge_hertz")
    bands, length, rate, low, high = (n.known(i, name).reshape(()).item() for i, name in enumerate(names))
    limits = 2595 * np.log10(1 + np.asarray([low, high]) / 700)
    mels = limits[0] + np.arange(bands + 2) * (limits[1] - limits[0]) / (bands + 2)
    edges = ((length + 1) * (700 * (10 ** (mels / 2595) - 1)) // rate).astype(int)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    bins = np.arange(length // 2 + 1)[:, None]
    rising = np.where(centre > left, (bins - left) / np.maximum(centre - left, 1), bins == centre)
    falling = (right - bins) / np.maximum(right - centre, 1)
    weights = np.where(bins <= centre, rising, 0)
    weights = np.where((bins >= centre) & (bins < right) & (right > centre), falling, weights)
    return b.const(np.clip(np.where(bins < left, 0, weights), 0, None), n.out().dtype)


@lowers("TfIdfVectorizer", since=9)
def tf_idf(b: TVMBuilder, n: Op) -> Value:
    """Counts n-grams of integer tokens."""
    tokens, pool = n.operand(0), n.attr("pool_int64s")
    if pool is None or tokens.dtype.kind == "O":
        n.refuse("there are no kernels that compute with text", code="EK303")
    columns = [int(c) for c in n.attr("ngram_indexes")]
    weights, mode = n.attr("weights"), n.attr("mode")
    if weights is not None and columns != list(range(len(weights))):
        n.refuse(
            "`weights` of n-grams that are not in the order of the columns: runtimes read them differently"
        )
    attrs = {
        "pool": [int(t) for t in pool],
        "starts": [int(s) for s in n.attr("ngram_counts")],
        "columns": columns,
        "shortest": n.attr("min_gram_length"),
        "longest": n.attr("max_gram_length"),
        "skips": n.attr("max_skip_count"),
    }
    rows = b.unsqueeze(tokens, [0]) if tokens.rank == 1 else tokens
    shape = (rows.shape[0], max(columns) + 1)
    counts = b.op("ngrams", [b.cast(rows, np.int64)], attrs, dtype=np.float32, shape=shape)
    if mode in ("IDF",):
        counts = b.map("minimum", counts, b.scalar(1, counts))
    if mode != "TF" and weights is not None:
        counts = b.map("multiply", counts, b.const(weights, np.float32))
    return b.squeeze(counts, [0]) if tokens.rank == 1 else counts

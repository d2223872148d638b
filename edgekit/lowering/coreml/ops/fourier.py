"""Fourier transforms of known length, as products with a constant matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.lowering.coreml import sizes as sz
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op

_MAX_ELEMENTS = 2**24
"""Of the matrix: 64 MB in float32."""


@lowers("DFT", since=20)
def dft(b: CoreMlBuilder, n: Op) -> Value:
    """DFT -> linear with the matrix of the transform, which pads, cuts and mirrors as well."""
    x = n.operand(0)
    axis = -2 if n.input(2) is None else int(n.known(2, "axis").reshape(()))
    axis %= x.rank
    given = None if n.input(1) is None else int(n.known(1, "dft_length").reshape(()))
    matrix = _matrix(n, x.shape[axis], x.shape[-1], given)
    last = [i for i in range(x.rank) if i not in (axis, x.rank - 1)]
    order = [*last, axis, x.rank - 1]

    rows = b.transpose(b.cast(x, np.float32), order)
    sizes = sz.sizes_of(b, rows)[:-2]
    inputs, bins, parts = matrix.shape[0], *matrix.shape[1:]
    flat = sz.reshape(b, rows, [sz.product(b, sizes), inputs])
    weights = b.const(np.ascontiguousarray(matrix.reshape(inputs, -1).T), np.float32)
    made = sz.reshape(b, b.op("linear", x=flat, weight=weights), [*sizes, bins, parts])
    return b.cast(b.transpose(made, [int(p) for p in np.argsort(order)]), x.dtype)


def _matrix(n: Op, size: int | None, parts: int | None, length: int | None) -> NDArray[np.float64]:
    """The transform of each unit vector; shape (size * parts, bins, parts of the result)."""
    if size is None or parts is None:
        n.refuse("the transformed axis has a length known only at run time", code="EK305")
    one_sided, inverse = bool(n.attr("onesided", 0)), bool(n.attr("inverse", 0))
    if length is None:
        length = 2 * (size - 1) if one_sided and inverse else size
    if size * parts * length * 2 > _MAX_ELEMENTS:
        n.refuse(f"a transform of {size} to {length} elements takes a matrix that is too large")
    units = [np.eye(size)] if parts == 1 else [np.eye(size), 1j * np.eye(size)]
    vectors = np.stack(units, 1).reshape(size * parts, size)
    if one_sided and inverse:
        return np.fft.irfft(vectors, length)[..., None]
    if one_sided:
        return _parts(np.fft.rfft(vectors.real, length))
    return _parts((np.fft.ifft if inverse else np.fft.fft)(vectors, length))


def _parts(values: NDArray[np.complex128]) -> NDArray[np.float64]:
    return np.stack([values.real, values.imag], -1)


@lowers("STFT", since=17)
def stft(b: CoreMlBuilder, n: Op) -> Value:
    """STFT -> conv with the windowed rows of the transform as filters, one step per frame."""
    signal = n.operand(0)
    step = int(n.known(1, "frame_step").reshape(()))
    window = None if n.input(2) is None else n.known(2, "window").astype(np.float64)
    length = _frame_length(n, signal, window)
    parts = signal.shape[2]
    if parts is None:
        n.refuse("whether the signal is complex is known only at run time", code="EK305")
    one_sided = bool(n.attr("onesided", 1))
    vectors = np.eye(length) * (1 if window is None else window)
    spectrum = np.fft.rfft(vectors) if one_sided else np.fft.fft(vectors)
    if parts == 1:
        filters = _parts(spectrum)[:, None]
    else:
        filters = np.stack([_parts(spectrum), _parts(1j * spectrum)], 1)
    bins = spectrum.shape[1]
    if filters.size > _MAX_ELEMENTS:
        n.refuse(f"frames of {length} elements take a matrix that is too large")
    weights = filters.reshape(length, parts, 2 * bins).transpose(2, 1, 0)
    kernel = b.const(np.ascontiguousarray(weights), np.float32)
    rows = b.transpose(b.cast(signal, np.float32), (0, 2, 1))
    out = b.transpose(b.op("conv", x=rows, weight=kernel, strides=[step], pad_type="valid"), (0, 2, 1))
    sizes = sz.sizes_of(b, out)[:2]
    return b.cast(sz.reshape(b, out, [*sizes, bins, 2]), signal.dtype)


def _frame_length(n: Op, signal: Value, window: NDArray[np.float64] | None) -> int:
    if n.input(3) is not None:
        return int(n.known(3, "frame_length").reshape(()))
    if window is not None:
        return len(window)
    if signal.shape[1] is None:
        n.refuse("the frame is as long as the signal, which is known only at run time", code="EK305")
    return signal.shape[1]


@lowers("MelWeightMatrix", since=17)
def mel_weight_matrix(b: CoreMlBuilder, n: Op) -> Value:
    """MelWeightMatrix -> a constant."""
    names = ("num_mel_bins", "dft_length", "sample_rate", "lower_edge_hertz", "upper_edge_hertz")
    bands, length, rate, low, high = (n.known(i, name).reshape(()).item() for i, name in enumerate(names))
    return b.const(_mel_filters(bands, length, rate, low, high), n.out().dtype)


def _mel_filters(bands: int, length: int, rate: int, low: float, high: float) -> NDArray[np.float64]:
    """Triangles between neighbouring bins; shape (bins, bands).

    Source: ONNX operator MelWeightMatrix; mel = 2595 log10(1 + f / 700).
    """
    limits = 2595 * np.log10(1 + np.asarray([low, high]) / 700)
    mels = limits[0] + np.arange(bands + 2) * (limits[1] - limits[0]) / (bands + 2)
    edges = ((length + 1) * (700 * (10 ** (mels / 2595) - 1)) // rate).astype(int)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    bins = np.arange(length // 2 + 1)[:, None]
    rising = np.where(centre > left, (bins - left) / np.maximum(centre - left, 1), bins == centre)
    falling = (right - bins) / np.maximum(right - centre, 1)
    weights = np.where(bins <= centre, rising, 0)
    weights = np.where((bins >= centre) & (bins < right) & (right > centre), falling, weights)
    return np.clip(np.where(bins < left, 0, weights), 0, None)

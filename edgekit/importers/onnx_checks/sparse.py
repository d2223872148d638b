"""A `SparseTensorProto`: what it needs to be written out densely."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx_ir as ir

from edgekit.importers.onnx_checks.findings import shown
from edgekit.importers.onnx_checks.tensor import Problem, check_tensor, dtype_of, nbytes

MAX_DENSE_BYTES = 64 * 2**20
"""Largest dense tensor that a sparse one is expanded to."""


def check_sparse(sparse: Any) -> Problem | None:
    """Checks one `onnx.SparseTensorProto`.

    Returns:
        The first problem, or `None`: EK103 or EK104 when the parts do not fit together, EK115 when the
        dense form is larger than `MAX_DENSE_BYTES`.
    """
    name = f"the sparse tensor {shown(sparse.values.name)}"
    for part in (sparse.values, sparse.indices):
        if problem := check_tensor(part):
            return problem
        if part.data_location:
            return "EK115", f"{name} keeps its data outside of the file"
    dtype = dtype_of(sparse.values.data_type)
    if dtype is None or dtype == ir.DataType.STRING or sparse.indices.data_type != ir.DataType.INT64:
        return "EK104", f"{name} has elements or indices of a wrong dtype"
    shape = list(sparse.dims)
    if not shape or any(d <= 0 for d in shape):
        return "EK104", f"{name} has the shape {shape}"
    if nbytes(dtype, math.prod(shape)) > MAX_DENSE_BYTES:
        limit = MAX_DENSE_BYTES // 2**20
        return "EK115", f"{name} of shape {shape} takes more than {limit} MiB as a dense tensor"
    return _check_indices(sparse, name, shape)


def densify(sparse: Any) -> Any:
    """Returns the dense `onnx.TensorProto` of a checked sparse tensor.

    Source: onnx.proto, `SparseTensorProto`: indices of shape `[NNZ]` count elements in row-major order,
    those of shape `[NNZ, rank]` are coordinates.
    """
    values = ir.serde.TensorProtoTensor(sparse.values).numpy().reshape(-1)
    dense = np.zeros(tuple(sparse.dims), dtype=values.dtype)
    dense.reshape(-1)[_linear(sparse)] = values
    return ir.serde.serialize_tensor(ir.tensor(dense, name=sparse.values.name))


def _check_indices(sparse: Any, name: str, shape: list[int]) -> Problem | None:
    count = math.prod(sparse.values.dims)
    if list(sparse.indices.dims) not in ([count], [count, len(shape)]):
        return "EK104", f"{name} has {count} values and indices of shape {list(sparse.indices.dims)}"
    indices = ir.serde.TensorProtoTensor(sparse.indices).numpy()
    limit = np.array(shape) if indices.ndim == 2 else math.prod(shape)
    if bool(np.any(indices < 0)) or bool(np.any(indices >= limit)):
        return "EK104", f"{name} has an index outside of its shape {shape}"
    return None


def _linear(sparse: Any) -> np.ndarray:
    indices: np.ndarray = ir.serde.TensorProtoTensor(sparse.indices).numpy()
    if indices.ndim == 1:
        return indices
    linear: np.ndarray = np.ravel_multi_index(tuple(indices.T), tuple(sparse.dims))
    return linear

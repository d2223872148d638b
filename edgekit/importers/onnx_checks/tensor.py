"""A `TensorProto`: its dtype, its sizes, and that its data has exactly as many bytes as they say."""

from __future__ import annotations

import math
from typing import Any

import onnx_ir as ir

from edgekit.importers.onnx_checks.findings import shown

MAX_RANK = 64
"""Most axes of a tensor; numpy's limit."""

_EXTERNAL = 1
_FIELDS = ("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")
_D = ir.DataType
_FIELD_OF = {
    _D.FLOAT: "float_data",
    _D.COMPLEX64: "float_data",
    _D.DOUBLE: "double_data",
    _D.COMPLEX128: "double_data",
    _D.INT64: "int64_data",
    _D.UINT32: "uint64_data",
    _D.UINT64: "uint64_data",
    _D.STRING: "string_data",
}
"""Where the values of a dtype lie when not in `raw_data`; `int32_data` for every other dtype."""

Problem = tuple[str, str]
"""A code and a message."""


def check_tensor(tensor: Any) -> Problem | None:
    """Checks one `onnx.TensorProto` without reading its values.

    Returns:
        The first problem, or `None`: EK103 when size and data do not fit, EK104 when the dtype, the
        sizes or the reference to external data are not valid.
    """
    problem = _problem(tensor)
    return problem and (problem[0], f"the tensor {shown(tensor.name)} {problem[1]}")


def _problem(tensor: Any) -> Problem | None:
    """Returns the code and what the message says of the tensor."""
    if any(isinstance(text, bytes) for text in _texts(tensor)):
        return "EK103", "has a text that is not UTF-8"
    dtype = dtype_of(tensor.data_type)
    dims = list(tensor.dims)
    if dtype is None:
        return "EK104", f"has the unknown element type {tensor.data_type}"
    if len(dims) > MAX_RANK:
        return "EK107", f"has {len(dims)} axes, more than {MAX_RANK}"
    if dims and min(dims) < 0:
        return "EK104", f"has a negative size in {dims}"
    if tensor.HasField("segment"):
        return "EK115", "is stored in segments"
    if tensor.data_location == _EXTERNAL:
        return _check_external(tensor, dtype)
    return _check_inline(tensor, dtype, dims)


def dtype_of(number: int) -> ir.DataType | None:
    """Returns the dtype of an ONNX type number, or `None` when it is undefined or not known."""
    try:
        return ir.DataType(number) or None
    except ValueError:
        return None


def nbytes(dtype: ir.DataType, count: int) -> int:
    """Returns the size of `count` packed elements in bytes."""
    return (count * dtype.bitwidth + 7) // 8


def external_entries(tensor: Any) -> dict[str, str]:
    """Returns the keys and values of the reference of a tensor to external data."""
    return {entry.key: entry.value for entry in tensor.external_data}


def _texts(tensor: Any) -> list[str | bytes]:
    entries = [t for e in (*tensor.external_data, *tensor.metadata_props) for t in (e.key, e.value)]
    return [tensor.name, tensor.doc_string, *entries]


def _check_external(tensor: Any, dtype: ir.DataType) -> Problem | None:
    if dtype == _D.STRING:
        return "EK104", "keeps strings as external data, which the format forbids"
    if any(len(getattr(tensor, field)) for field in (*_FIELDS, "raw_data")):
        return "EK103", "has its data both inside and outside of the file"
    entries = external_entries(tensor)
    if not entries.get("location"):
        return "EK105", "does not say in which file its external data lies"
    for key in ("offset", "length"):
        text = entries.get(key, "0")
        if not (text.isascii() and text.isdecimal() and len(text) < 20):
            return "EK105", f"has the external data {key} {shown(text)}, not a size"
    return None


def _check_inline(tensor: Any, dtype: ir.DataType, dims: list[int]) -> Problem | None:
    field = _FIELD_OF.get(dtype, "int32_data")
    raw = tensor.HasField("raw_data")
    used = [f for f in _FIELDS if len(getattr(tensor, f))]
    if (raw and used) or any(f != field for f in used):
        stored = ", ".join(f"`{f}`" for f in (["raw_data"] if raw else []) + used)
        return "EK103", f"of dtype `{dtype.name.lower()}` has its data in {stored}"
    count = math.prod(dims)
    if dtype == _D.STRING:
        if raw:
            return "EK103", "keeps strings in `raw_data`, which the format forbids"
        want, have, unit = count, len(tensor.string_data), "strings"
    elif raw:
        want, have, unit = nbytes(dtype, count), len(tensor.raw_data), "bytes"
    else:
        want, have, unit = _entries(dtype, count), len(getattr(tensor, field)), "values"
    if want != have:
        return "EK103", f"of shape {dims} needs {want} {unit} and has {have}"
    return None


def _entries(dtype: ir.DataType, count: int) -> int:
    """Returns how many entries of its typed field `count` elements take.

    Source: onnx.proto, `TensorProto`: complex numbers take two entries; elements of 2 and 4 bits are
    packed into bytes, one byte per entry; those of 6 bits are not packed.
    """
    if dtype in (_D.COMPLEX64, _D.COMPLEX128):
        return 2 * count
    return nbytes(dtype, count) if dtype.bitwidth in (2, 4) else count

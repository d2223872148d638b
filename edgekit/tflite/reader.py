"""Reads a `.tflite` file back into a ledger: the ops, tensors and quantisation that it holds.

Files come from anywhere. Flatbuffers in Python are not verified, so every access is guarded and the
number of objects is bounded by the size of the file: offsets that share one table many times over
cannot make the reader run away.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from edgekit.diagnostics import EdgekitError, Where, error
from edgekit.ir import Quant
from edgekit.ir.ledger import Emitted, Lowered, Subgraph, TensorMap, Value
from edgekit.tflite.schema import FILE_IDENTIFIER, tflite_schema

_BYTES_PER_OBJECT = 4
"""An object takes at least the four bytes of the offset that points to it."""
_NARROW = {"INT4": ml_dtypes.int4, "UINT4": ml_dtypes.uint4, "INT2": ml_dtypes.int2}
_OTHER = {
    "BFLOAT16": ml_dtypes.bfloat16,
    "FLOAT8_E4M3FN": ml_dtypes.float8_e4m3fn,
    "FLOAT8_E5M2": ml_dtypes.float8_e5m2,
}
_OPAQUE = ("STRING", "RESOURCE", "VARIANT")
_BROKEN = (struct.error, IndexError, ValueError, TypeError, KeyError, OverflowError, AttributeError)
"""What Python's flatbuffers raise on offsets and lengths that lie outside the file."""


def read_tflite(source: Path | bytes) -> Lowered:
    """Reads a `.tflite` file.

    Args:
        source: The file or its bytes.

    Returns:
        The ledger of the first subgraph; those that ops call hang at their attributes. Options have the
        schema's names in snake_case. A custom op is called `CUSTOM:<its code>`.

    Raises:
        EdgekitError: EK101 if the file cannot be read, EK102 if it is not TFLite, EK113 if it is damaged,
            EK501 without LiteRT.
    """
    where = Where(file=str(source)) if isinstance(source, Path) else Where()
    data = _bytes(source, where)
    if data[4:8] != FILE_IDENTIFIER:
        raise error("EK102", "the file is not TFLite: the identifier `TFL3` is missing", where=where)
    with damage(where):
        return _Reader(data).read()


def _bytes(source: Path | bytes, where: Where) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return source.read_bytes()
    except OSError as failure:
        reason = (failure.strerror or str(failure)).lower()
        raise error("EK101", f"`{source}` cannot be read: {reason}", where=where) from failure


@contextmanager
def damage(where: Where) -> Iterator[None]:
    """Turns what a damaged file makes the flatbuffer classes raise into a diagnostic."""
    try:
        yield
    except EdgekitError:
        raise
    except (*_BROKEN, RecursionError, MemoryError) as failure:
        raise error(
            "EK113",
            "the TFLite file is damaged: a table or a vector lies outside of it",
            where=where,
            notes=[f"{type(failure).__name__}: {failure}"],
            help="copy or export the file again",
        ) from failure


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.s = tflite_schema()
        self.data = data
        self.model = self.s.Model.GetRootAs(data, 0)
        self.budget = len(data) // _BYTES_PER_OBJECT
        self.graphs: dict[int, Subgraph | None] = {}
        self.types = _names(self.s.TensorType)
        codes = self.count(self.model.OperatorCodesLength())
        self.codes = [self.code(self.model.OperatorCodes(i)) for i in codes]

    def read(self) -> Lowered:
        main = self.graph(0)
        tensors = {name: TensorMap(value) for value, name in main.names.items()}
        inputs, outputs = tuple(map(TensorMap, main.inputs)), tuple(map(TensorMap, main.outputs))
        return Lowered("tflite", main, inputs, outputs, (), tensors)

    def count(self, length: int) -> range:
        """Returns the indices of a vector, within what a file of this size can hold."""
        self.budget -= length
        if length < 0 or self.budget < 0:
            raise ValueError("more objects than the file can hold")
        return range(length)

    def code(self, table: Any) -> str:
        builtin = max(table.BuiltinCode(), table.DeprecatedBuiltinCode())
        names = _names(self.s.BuiltinOperator)
        if names.get(builtin) == "CUSTOM":
            return f"CUSTOM:{(table.CustomCode() or b'').decode(errors='replace')}"
        return names.get(builtin, f"BUILTIN_{builtin}")

    def graph(self, index: int) -> Subgraph:
        if index in self.graphs:
            known = self.graphs[index]
            if known is None:
                raise ValueError(f"subgraph {index} contains itself")
            return known
        if not 0 <= index < self.model.SubgraphsLength():
            raise ValueError(f"there is no subgraph {index}")
        self.graphs[index] = None
        table = self.model.Subgraphs(index)
        names: dict[Value, str] = {}
        values = [self.tensor(table.Tensors(i), names) for i in self.count(table.TensorsLength())]
        ops = [self.op(table.Operators(i), values) for i in self.count(table.OperatorsLength())]
        name = (table.Name() or b"").decode(errors="replace")
        inputs = tuple(values[i] for i in _indices(table.InputsAsNumpy(), len(values)))
        outputs = tuple(values[i] for i in _indices(table.OutputsAsNumpy(), len(values)))
        graph = Subgraph(name, inputs, outputs, tuple(ops), names)
        self.graphs[index] = graph
        return graph

    def tensor(self, table: Any, names: dict[Value, str]) -> Value:
        kind = self.types.get(table.Type(), "?")
        shape = [int(d) for d in _vector(table.ShapeAsNumpy())]
        signature = [int(d) for d in _vector(table.ShapeSignatureAsNumpy())] or shape
        if any(d < 0 for d in shape) or len(signature) != len(shape):
            raise ValueError(f"a tensor has the shape {shape} and the signature {signature}")
        data = self.buffer(table.Buffer(), kind, shape)
        sizes = tuple(shape) if data is not None else tuple(None if d < 0 else d for d in signature)
        value = Value(_dtype(kind), sizes, data, self.quant(table.Quantization()))
        names[value] = (table.Name() or b"").decode(errors="replace")
        return value

    def buffer(self, index: int, kind: str, shape: list[int]) -> NDArray[Any] | None:
        if not 0 <= index < self.model.BuffersLength():
            raise ValueError(f"there is no buffer {index}")
        table = self.model.Buffers(index)
        raw = self.bytes_of(table)
        if raw is None or kind in _OPAQUE:
            return None
        elements = int(np.prod(shape, dtype=object)) if shape else 1
        if kind in _NARROW:
            return _unpacked(raw, kind, elements).reshape(shape)
        dtype = _dtype(kind)
        if raw.size != elements * dtype.itemsize:
            raise ValueError(f"a buffer of {raw.size} bytes for {elements} elements of {dtype}")
        return raw.view(dtype).reshape(shape) if elements else np.zeros(shape, dtype)

    def bytes_of(self, table: Any) -> NDArray[np.uint8] | None:
        """Returns a buffer's bytes; those of large files lie behind the flatbuffer."""
        if table.Offset() > 1:
            start, size = table.Offset(), table.Size()
            if start + size > len(self.data):
                raise ValueError("a buffer ends behind the file")
            return np.frombuffer(self.data, np.uint8, size, start)
        return None if table.DataIsNone() or not table.DataLength() else table.DataAsNumpy().view(np.uint8)

    def quant(self, table: Any) -> Quant | None:
        if table is None or table.ScaleIsNone() or not table.ScaleLength():
            return None
        scale = tuple(float(s) for s in table.ScaleAsNumpy())
        zero = tuple(int(z) for z in _vector(table.ZeroPointAsNumpy())) or (0,) * len(scale)
        if len(zero) == 1:
            zero = zero * len(scale)
        return Quant(scale, zero, table.QuantizedDimension() if len(scale) > 1 else None)

    def op(self, table: Any, values: list[Value]) -> Emitted:
        name = self.codes[_one(table.OpcodeIndex(), len(self.codes))]
        given = _vector(table.InputsAsNumpy())
        inputs = [None if i == -1 else values[_one(int(i), len(values))] for i in given]
        outputs = [values[i] for i in _indices(table.OutputsAsNumpy(), len(values))]
        if name.startswith("CUSTOM:"):
            raw = b"" if table.CustomOptionsIsNone() else table.CustomOptionsAsNumpy().tobytes()
            return Emitted(name, tuple(inputs), tuple(outputs), {"custom_options": raw})
        attrs = {
            **self.options(table.BuiltinOptionsType(), table.BuiltinOptions(), self.s.BuiltinOptions),
            **self.options(table.BuiltinOptions2Type(), table.BuiltinOptions2(), self.s.BuiltinOptions2),
        }
        return Emitted(name, tuple(inputs), tuple(outputs), attrs)

    def options(self, kind: int, union: Any, enum: Any) -> dict[str, Any]:
        name = _names(enum).get(kind, "NONE")
        if union is None or name == "NONE":
            return {}
        table = getattr(self.s, name)()
        table.Init(union.Bytes, union.Pos)
        fields = vars(getattr(self.s, name + "T").InitFromObj(table))
        return {_snake(k): self.option(k, v) for k, v in fields.items() if v is not None}

    def option(self, name: str, value: Any) -> Any:
        if name.endswith("SubgraphIndex"):
            return self.graph(int(value))
        if name in ("inDataType", "outDataType", "outputType", "outType", "idxOutType"):
            return _dtype(self.types.get(value, "?"))
        if name == "fusedActivationFunction":
            return _names(self.s.ActivationFunctionType).get(value, value)
        if name == "padding" and isinstance(value, int):
            return _names(self.s.Padding).get(value, value)
        if name == "mode":
            return _names(self.s.MirrorPadMode).get(value, value)
        return value.tolist() if isinstance(value, np.ndarray) else value


def _names(enum: Any) -> dict[int, str]:
    return {v: k for k, v in vars(enum).items() if not k.startswith("_")}


def _vector(array: Any) -> Any:
    """The generated accessors answer 0 for a vector that is not there."""
    return [] if isinstance(array, int) else array


def _one(index: int, count: int) -> int:
    if not 0 <= index < count:
        raise ValueError(f"index {index} of {count}")
    return index


def _indices(array: Any, count: int) -> list[int]:
    return [_one(int(i), count) for i in _vector(array)]


def _dtype(kind: str) -> np.dtype[Any]:
    if kind in _OPAQUE:
        return np.dtype(object)
    return np.dtype(_NARROW.get(kind) or _OTHER.get(kind) or kind.lower())


def _unpacked(raw: NDArray[np.uint8], kind: str, elements: int) -> NDArray[Any]:
    """Sub-byte elements share a byte, the first in the lowest bits."""
    bits = 2 if kind == "INT2" else 4
    per_byte = 8 // bits
    if raw.size != -(-elements // per_byte):
        raise ValueError(f"a buffer of {raw.size} bytes for {elements} elements of {kind}")
    shifts = np.arange(per_byte, dtype=np.uint8) * bits
    parts = ((raw[:, None] >> shifts) & (2**bits - 1)).reshape(-1)[:elements].astype(np.int8)
    if kind != "UINT4":
        parts = np.where(parts >= 2 ** (bits - 1), parts - 2**bits, parts).astype(np.int8)
    elements_of_kind: NDArray[Any] = parts.astype(_NARROW[kind])
    return elements_of_kind


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()

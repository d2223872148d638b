"""Writes a ledger as a `.tflite` flatbuffer, with the schema that ships with LiteRT."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.diagnostics import error
from edgekit.ir import Origin
from edgekit.lowering.ledger import Emitted, Shape, Subgraph, Value
from edgekit.lowering.tflite.dialect import DIALECT
from edgekit.lowering.tflite.storage import stored, stored_data
from edgekit.tflite.schema import FILE_IDENTIFIER, tflite_schema

MAX_BYTES = 2**31 - 1
"""A flatbuffer's offsets are 32-bit signed."""
ALIGNMENT = 16
"""The schema forces this alignment on buffer data."""


@dataclass(frozen=True, slots=True)
class Signature:
    """The public face of the file.

    Attributes:
        inputs: Names of the main graph's inputs, in order.
        outputs: Names of the main graph's outputs, in order.
        key: Name of the signature.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    key: str = "serving_default"


def emit(
    main: Subgraph, signature: Signature, metadata: Mapping[str, bytes] | None = None
) -> tuple[dict[Value, str], bytes]:
    """Writes the `.tflite` file of a graph.

    Args:
        main: The graph; nested graphs hang at the attributes of its ops.
        signature: Names of its inputs and outputs.
        metadata: Buffers to store under a name.

    Returns:
        The name that each value of the main graph has in the file, and the file's bytes.

    Raises:
        EdgekitError: EK307 if the file would exceed 2 GiB; EK501 without LiteRT.
    """
    return _Writer(tflite_schema()).write(main, signature, dict(metadata or {}))


def origins_metadata(main: Subgraph) -> bytes:
    """Returns the origins of the main graph's ops as JSON: one entry per op, in order."""
    return json.dumps([_origin(op.origin) for op in main.ops], separators=(",", ":")).encode()


def _origin(origin: Origin) -> dict[str, Any]:
    place = {"scope": origin.scope, "file": origin.file, "line": origin.line}
    return {"nodes": list(origin.nodes), **{k: v for k, v in place.items() if v is not None}}


@dataclass(slots=True)
class _Tensors:
    """Tensors of one subgraph, in order of first use."""

    index: dict[Value, int] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


class _Writer:
    def __init__(self, schema: Any) -> None:
        self.s = schema
        self.codes: dict[tuple[str, int], int] = {}
        self.buffers: list[NDArray[np.uint8] | None] = [None]  # buffer 0 is empty by convention
        self.shared: dict[tuple[Any, str, int], int] = {}
        self.keep: list[NDArray[Any]] = []
        self.subgraphs: list[Any] = []
        self.main_names: dict[Value, str] = {}

    def write(
        self, main: Subgraph, signature: Signature, metadata: Mapping[str, bytes]
    ) -> tuple[dict[Value, str], bytes]:
        public = zip(main.inputs + main.outputs, signature.inputs + signature.outputs, strict=True)
        index = self.subgraph(main, dict(public))
        assert index == 0
        entries = [(name, self.buffer(np.frombuffer(data, np.uint8))) for name, data in metadata.items()]
        size = sum(b.nbytes for b in self.buffers if b is not None)
        if size > MAX_BYTES - (1 << 20):
            raise error(
                "EK307",
                f"the weights take {size} bytes and a TFLite file cannot exceed {MAX_BYTES}",
                help="quantise the weights, or split the model",
            )
        return self.main_names, self.pack(size, signature, entries)

    # -- graphs ---------------------------------------------------------------------------------

    def subgraph(self, graph: Subgraph, public: Mapping[Value, str]) -> int:
        """Adds a graph and those below it; returns its index. The main one must come first."""
        table = self.s.SubGraphT()
        index = len(self.subgraphs)
        self.subgraphs.append(table)
        tensors = _Tensors()
        table.tensors = []
        names = {**graph.names, **public}

        def tensor(value: Value) -> int:
            if value not in tensors.index:
                tensors.index[value] = len(table.tensors)
                table.tensors.append(self.tensor(value, _unique(names.get(value), tensors)))
            return tensors.index[value]

        table.inputs = np.asarray([tensor(v) for v in graph.inputs], np.int32)
        table.operators = [self.operator(op, tensor) for op in graph.ops]
        table.outputs = np.asarray([tensor(v) for v in graph.outputs], np.int32)
        table.name = graph.name.encode()
        if index == 0:
            self.main_names = {v: table.tensors[i].name.decode() for v, i in tensors.index.items()}
        return index

    def tensor(self, value: Value, name: str) -> Any:
        table = self.s.TensorT()
        table.name = name.encode()
        table.type = self.tensor_type(value.dtype, packed=_is_quantised(value))
        table.shape = np.asarray([1 if d is None else d for d in value.shape], np.int32)
        table.hasRank = True
        if None in value.shape:
            table.shapeSignature = _signature(value.shape)
        table.buffer = 0 if value.data is None else self.buffer(_wire_data(value))
        table.quantization = self.quantization(value)
        return table

    def quantization(self, value: Value) -> Any:
        if value.quant is None or not _is_quantised(value):
            return None
        table = self.s.QuantizationParametersT()
        table.scale = np.asarray(value.quant.scale, np.float32)
        table.zeroPoint = np.asarray(value.quant.zero_point, np.int64)
        table.quantizedDimension = value.quant.axis or 0
        return table

    def operator(self, op: Emitted, tensor: Any) -> Any:
        row = DIALECT[op.op]
        table = self.s.OperatorT()
        table.opcodeIndex = self.code(op.op, row.version_of(op.inputs, op.attrs))
        table.inputs = np.asarray([-1 if v is None else tensor(v) for v in op.inputs], np.int32)
        table.outputs = np.asarray([tensor(v) for v in op.outputs], np.int32)
        if row.options is not None:
            second = hasattr(self.s.BuiltinOptions2, row.options)
            union = self.s.BuiltinOptions2 if second else self.s.BuiltinOptions
            options = self.options(row.options, op.attrs)
            if second:
                table.builtinOptions2Type, table.builtinOptions2 = getattr(union, row.options), options
            else:
                table.builtinOptionsType, table.builtinOptions = getattr(union, row.options), options
        elif op.attrs:
            raise ValueError(f"`{op.op}` has no options, but got {sorted(op.attrs)}")
        return table

    def options(self, kind: str, attrs: Mapping[str, Any]) -> Any:
        table = getattr(self.s, kind + "T")()
        for key, value in attrs.items():
            name = _camel(key)
            if not hasattr(table, name):
                raise ValueError(f"`{kind}` has no field `{name}`")
            setattr(table, name, self.option(name, value))
        return table

    def option(self, name: str, value: Any) -> Any:
        if isinstance(value, Subgraph):
            return self.subgraph(value, {})
        if isinstance(value, np.dtype):
            return self.tensor_type(value)
        if name == "fusedActivationFunction":
            return getattr(self.s.ActivationFunctionType, value)
        if name == "padding":
            return getattr(self.s.Padding, value)
        if name == "mode":
            return getattr(self.s.MirrorPadMode, value)
        if isinstance(value, list | tuple):
            return np.asarray(value, np.int32)
        return value

    # -- tables ---------------------------------------------------------------------------------

    def code(self, op: str, version: int) -> int:
        return self.codes.setdefault((op, version), len(self.codes))

    def tensor_type(self, dtype: np.dtype[Any], *, packed: bool = False) -> int:
        wire = dtype if packed else stored(dtype)
        name = "STRING" if wire.kind == "O" else wire.name.upper()
        kind = getattr(self.s.TensorType, name, None)
        if kind is None:
            raise error("EK303", f"TFLite has no tensors of dtype {dtype.name}")
        return int(kind)

    def buffer(self, data: NDArray[Any]) -> int:
        """Returns the buffer for an array; the same memory is stored once."""
        array = np.ascontiguousarray(data)
        key = (array.__array_interface__["data"][0], array.dtype.str, array.nbytes)
        if array.nbytes == 0 or key not in self.shared:
            self.keep.append(array)  # keeps the address taken, so that keys stay unique
            self.shared[key] = len(self.buffers)
            self.buffers.append(_packed(array).view(np.uint8).reshape(-1))
        return self.shared[key]

    # -- flatbuffer -----------------------------------------------------------------------------

    def pack(self, size: int, signature: Signature, entries: Sequence[tuple[str, int]]) -> bytes:
        import flatbuffers

        s, fb = self.s, flatbuffers.Builder(size + (1 << 16))
        buffers = _offsets(fb, s.ModelStartBuffersVector, [self.pack_buffer(fb, b) for b in self.buffers])
        codes = _offsets(
            fb, s.ModelStartOperatorCodesVector, [self.operator_code(k).Pack(fb) for k in self.codes]
        )
        graphs = _offsets(fb, s.ModelStartSubgraphsVector, [g.Pack(fb) for g in self.subgraphs])
        records = [self.metadata(name, index).Pack(fb) for name, index in entries]
        metadata = _offsets(fb, s.ModelStartMetadataVector, records)
        signatures = _offsets(fb, s.ModelStartSignatureDefsVector, [self.signature(signature).Pack(fb)])
        description = fb.CreateString("edgekit")
        s.ModelStart(fb)
        s.ModelAddVersion(fb, 3)
        s.ModelAddOperatorCodes(fb, codes)
        s.ModelAddSubgraphs(fb, graphs)
        s.ModelAddDescription(fb, description)
        s.ModelAddBuffers(fb, buffers)
        s.ModelAddMetadata(fb, metadata)
        s.ModelAddSignatureDefs(fb, signatures)
        fb.Finish(s.ModelEnd(fb), FILE_IDENTIFIER)
        return bytes(memoryview(fb.Bytes)[fb.Head() :])  # `Output` would copy once more

    def pack_buffer(self, fb: Any, data: NDArray[np.uint8] | None) -> int:
        # The generated packer ignores the schema's force_align, which XNNPACK relies on.
        offset = 0
        if data is not None:
            fb.StartVector(1, data.size, ALIGNMENT)
            fb.head = fb.head - data.size
            np.frombuffer(fb.Bytes, np.uint8)[fb.head : fb.head + data.size] = data  # one copy
            offset = fb.EndVector()
        self.s.BufferStart(fb)
        if data is not None:
            self.s.BufferAddData(fb, offset)
        return int(self.s.BufferEnd(fb))

    def operator_code(self, key: tuple[str, int]) -> Any:
        name, version = key
        table = self.s.OperatorCodeT()
        code = getattr(self.s.BuiltinOperator, name)
        table.builtinCode = code
        table.deprecatedBuiltinCode = min(code, 127)  # readers before schema 3a look only here
        table.version = version
        return table

    def metadata(self, name: str, index: int) -> Any:
        table = self.s.MetadataT()
        table.name, table.buffer = name.encode(), index
        return table

    def signature(self, signature: Signature) -> Any:
        table = self.s.SignatureDefT()
        table.signatureKey, table.subgraphIndex = signature.key.encode(), 0
        main = self.subgraphs[0]
        table.inputs = [self.tensor_map(n, i) for n, i in zip(signature.inputs, main.inputs, strict=True)]
        table.outputs = [self.tensor_map(n, i) for n, i in zip(signature.outputs, main.outputs, strict=True)]
        return table

    def tensor_map(self, name: str, index: int) -> Any:
        table = self.s.TensorMapT()
        table.name, table.tensorIndex = name.encode(), int(index)
        return table


def _offsets(fb: Any, start: Any, offsets: Iterable[int]) -> int:
    items = list(offsets)
    start(fb, len(items))
    for offset in reversed(items):
        fb.PrependUOffsetTRelative(offset)
    return int(fb.EndVector())


def _unique(name: str | None, tensors: _Tensors) -> str:
    stem = name or f"tensor_{len(tensors.names)}"
    unique, n = stem, 1
    while unique in tensors.names:
        unique, n = f"{stem}_{n}", n + 1
    tensors.names.add(unique)
    return unique


def _signature(shape: Shape) -> NDArray[np.int32]:
    return np.asarray([-1 if d is None else d for d in shape], np.int32)


def _wire_data(value: Value) -> NDArray[Any]:
    assert value.data is not None
    return value.data if _is_quantised(value) else stored_data(value.data)


def _is_quantised(value: Value) -> bool:
    """Tells whether a tensor's integers stand for reals; of a float32 constant `quant` is only its grid."""
    return value.quant is not None and value.dtype != np.float32


def _packed(array: NDArray[Any]) -> NDArray[Any]:
    """Two 4-bit elements share a byte, the first in the low half; a bool takes a byte."""
    if array.dtype.name not in ("int4", "uint4"):
        return array.reshape(-1)
    nibbles = array.reshape(-1).astype(np.int8).view(np.uint8) & 0x0F
    if nibbles.size % 2:
        nibbles = np.append(nibbles, np.uint8(0))
    return nibbles[0::2] | (nibbles[1::2] << 4)


def _camel(key: str) -> str:
    head, *tail = key.split("_")
    return head + "".join(part.capitalize() for part in tail)

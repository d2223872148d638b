"""Runs ONNX models with ONNX Runtime on the CPU, graph optimisations off: the reference."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from edgekit.diagnostics import EdgekitError, Where, error
from edgekit.runners.base import (
    ALL_INTERMEDIATES,
    Array,
    Held,
    Payload,
    Port,
    Ports,
    RunnerBase,
    check_inputs,
    missing_runtime,
)
from edgekit.runners.ort_exact import exact_form, products_saturate

_NATIVE = {
    **{f"tensor({n})": n for n in ("bool", "int8", "int16", "int32", "int64", "float16")},
    **{f"tensor({n})": n for n in ("uint8", "uint16", "uint32", "uint64")},
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(complex64)": "complex64",
    "tensor(complex128)": "complex128",
    "tensor(string)": "object",
}
"""Types that ONNX Runtime exchanges with numpy by itself."""

_EXOTIC = {
    "tensor(bfloat16)": ("bfloat16", 8),
    "tensor(float8e4m3fn)": ("float8_e4m3fn", 8),
    "tensor(float8e4m3fnuz)": ("float8_e4m3fnuz", 8),
    "tensor(float8e5m2)": ("float8_e5m2", 8),
    "tensor(float8e5m2fnuz)": ("float8_e5m2fnuz", 8),
    "tensor(float8e8m0)": ("float8_e8m0fnu", 8),
    "tensor(float4e2m1)": ("float4_e2m1fn", 4),
    "tensor(int4)": ("int4", 4),
    "tensor(uint4)": ("uint4", 4),
    "tensor(int2)": ("int2", 2),
    "tensor(uint2)": ("uint2", 2),
}
"""Types that are exchanged as raw memory, and how many bits of a byte one element takes (8: all its
bytes). ONNX Runtime's own conversion from numpy reads unpacked 4-bit arrays as if they were packed."""


class OrtRunner(RunnerBase):
    """Runs ONNX models; keeps the last one loaded."""

    name = "onnxruntime"
    package = "onnxruntime"

    def __init__(self, *, threads: int = 1) -> None:
        self._threads = threads
        self._loaded: _Loaded | None = None

    def ports(self, payload: Payload) -> Ports:
        """Loads a model and returns what it takes and gives; see `Runner`."""
        return self._load(payload, ()).ports

    def run(
        self, payload: Payload, inputs: Mapping[str, Array], *, intermediates: Sequence[str] = ()
    ) -> dict[str, Array]:
        """Runs a model once; see `Runner`. Values inside subgraphs cannot be observed."""
        loaded = self._load(payload, tuple(intermediates))
        arrays = check_inputs(loaded.ports.inputs, inputs)
        try:
            return loaded.run(arrays)
        except _failures() as problem:
            raise _refusal(problem, payload) from problem

    def close(self) -> None:
        """Releases the session."""
        self._loaded = None

    def _load(self, payload: Payload, intermediates: tuple[str, ...]) -> _Loaded:
        loaded = self._loaded
        if loaded is not None and loaded.held.is_still(payload) and loaded.intermediates == intermediates:
            return loaded
        self.close()
        try:
            self._loaded = _Loaded(payload, intermediates, self._threads)
        except _failures() as problem:
            raise _refusal(problem, payload) from problem
        return self._loaded


class _Loaded:
    """A session with a model in it."""

    def __init__(self, payload: Payload, intermediates: tuple[str, ...], threads: int) -> None:
        self.held = Held.of(payload)
        self.intermediates = intermediates
        folder = payload.parent if isinstance(payload, Path) else None
        exposed, own = _exposed(payload, intermediates) if intermediates else (payload, None)
        _onnxruntime()  # says what to install where it is missing
        exposed = exact_form(exposed, products_saturate)
        self._session = _session(exposed, threads, folder if exposed is not payload else None)
        outputs = self._session.get_outputs()
        own = len(outputs) if own is None else own
        self.ports = Ports(
            tuple(_port(i) for i in self._session.get_inputs()),
            tuple(_port(o) for o in outputs[:own]),
        )
        # An intermediate that is no tensor cannot be observed; an output that is none is refused above.
        extra = [o for o in outputs[own:] if o.type in _NATIVE or o.type in _EXOTIC]
        self._types = {o.name: o.type for o in [*outputs[:own], *extra]}
        input_types = [i.type for i in self._session.get_inputs()]
        self._is_native = all(t in _NATIVE for t in [*input_types, *self._types.values()])

    def run(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        names = list(self._types)
        if self._is_native:
            return dict(zip(names, self._session.run(names, dict(arrays)), strict=True))
        types = {i.name: i.type for i in self._session.get_inputs()}
        feed = {name: _to_ort(array, types[name]) for name, array in arrays.items()}
        results = self._session.run_with_ort_values(names, feed)
        return {name: _from_ort(value) for name, value in zip(names, results, strict=True)}


def _session(model: Payload, threads: int, folder: Path | None) -> Any:
    ort = _onnxruntime()
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    if folder is not None:
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", str(folder.absolute())
        )
    source = model if isinstance(model, bytes) else str(model)
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def _exposed(payload: Payload, intermediates: tuple[str, ...]) -> tuple[bytes, int]:
    """Returns the model with intermediates among its outputs, and how many outputs are its own."""
    import onnx

    if isinstance(payload, bytes):
        model = onnx.load_model_from_string(payload)
    else:
        model = onnx.load(payload, load_external_data=False)
    own = [o.name for o in model.graph.output]
    made = [name for node in model.graph.node for name in node.output if name]
    wanted = made if intermediates == ALL_INTERMEDIATES else [n for n in made if n in set(intermediates)]
    for name in dict.fromkeys(wanted):
        if name not in own:
            model.graph.output.append(onnx.ValueInfoProto(name=name))  # the session infers its type
    return model.SerializeToString(), len(own)


def _port(node: Any) -> Port:
    if node.type in _NATIVE:
        dtype = np.dtype(_NATIVE[node.type])
    elif node.type in _EXOTIC:
        dtype = np.dtype(getattr(ml_dtypes, _EXOTIC[node.type][0]))
    else:
        raise error("EK503", f"`{node.name}` is a {node.type}; only tensors can be exchanged")
    shape = None if node.shape is None else tuple(d if isinstance(d, int) else None for d in node.shape)
    return Port(node.name, dtype, shape)


def _to_ort(array: Array, kind: str) -> Any:
    ort = _onnxruntime()
    if kind not in _EXOTIC:
        return ort.OrtValue.ortvalue_from_numpy(np.asarray(array, order="C"))
    raw = _packed(array, _EXOTIC[kind][1])
    value = ort.OrtValue.ortvalue_from_shape_and_type(list(array.shape), _onnx_type(kind))
    _expect_size(value, raw.nbytes, kind)
    ctypes.memmove(value.data_ptr(), raw.ctypes.data, raw.nbytes)
    return value


def _from_ort(value: Any) -> Array:
    kind = value.data_type()
    if kind not in _EXOTIC:
        return np.array(value.numpy())
    name, bits = _EXOTIC[kind]
    shape = tuple(value.shape())
    dtype = np.dtype(getattr(ml_dtypes, name))
    count = int(np.prod(shape))
    size = -(-count * bits // 8) if bits < 8 else count * dtype.itemsize
    _expect_size(value, size, kind)
    raw = np.frombuffer(ctypes.string_at(value.data_ptr(), size), np.uint8)
    return _unpacked(raw, count, dtype, bits).reshape(shape)


def _expect_size(value: Any, size: int, kind: str) -> None:
    """Guards the raw copies: a different packing would read or write foreign memory."""
    if value.tensor_size_in_bytes() != size:
        raise error("EK503", f"ONNX Runtime packs {kind} in an unknown way")


def _packed(array: Array, bits: int) -> Array:
    """Returns the bytes of an array, several elements per byte below 8 bits, the first one lowest."""
    flat = np.asarray(array, order="C").reshape(-1).view(np.uint8)
    if bits == 8:
        return flat
    per_byte = 8 // bits
    padded = np.zeros(-(-len(flat) // per_byte) * per_byte, np.uint8)
    padded[: len(flat)] = flat & ((1 << bits) - 1)
    shifts = np.arange(per_byte, dtype=np.uint8) * bits
    packed: Array = np.bitwise_or.reduce(padded.reshape(-1, per_byte) << shifts, axis=1)
    return packed


def _unpacked(raw: Array, count: int, dtype: np.dtype[Any], bits: int) -> Array:
    if bits == 8:
        return raw.view(dtype)
    shifts = np.arange(8 // bits, dtype=np.uint8) * bits
    fields = ((raw[:, None] >> shifts) & ((1 << bits) - 1)).reshape(-1)[:count]
    if dtype.name.startswith("int"):
        sign = 1 << (bits - 1)
        return ((fields.astype(np.int8) ^ sign) - sign).astype(dtype)
    if dtype.name.startswith("uint"):
        return fields.astype(dtype)
    return fields.view(dtype)  # a float below 8 bits lies in the low bits of its byte


def _onnx_type(kind: str) -> int:
    from onnx import TensorProto

    name = kind.removeprefix("tensor(").removesuffix(")").upper()
    return int(getattr(TensorProto, name))


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as problem:
        raise missing_runtime("onnxruntime", "running an ONNX model") from problem
    return onnxruntime


def _failures() -> tuple[type[Exception], ...]:
    """Returns the exceptions of ONNX Runtime, which have no base class of their own."""
    _onnxruntime()
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    own = [v for v in vars(state).values() if isinstance(v, type) and issubclass(v, Exception)]
    return (*own, RuntimeError, ValueError, OSError)


def _refusal(problem: Exception, payload: Payload) -> EdgekitError:
    text = " ".join(str(problem).split())
    file = None if isinstance(payload, bytes) else str(payload)
    return error(
        "EK503",
        "ONNX Runtime refuses the model",
        where=Where(file=file),
        notes=(text[:2000],),
        data={"runtime": "onnxruntime", "kind": type(problem).__name__},
    )

"""Runs TFLite files with LiteRT, in this process: for files that are trusted not to abort it."""

from __future__ import annotations

import enum
import time
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgekit.diagnostics import EdgekitError, error
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


class Kernels(enum.StrEnum):
    """Which implementations of the ops LiteRT uses."""

    DEFAULT = "default"
    """What a device runs: optimised kernels with XNNPACK on top."""
    BUILTIN = "builtin"
    """Optimised kernels without XNNPACK, which can mask their faults."""
    REFERENCE = "reference"
    """Plain loops, slow."""


class LiteRtRunner(RunnerBase):
    """Runs TFLite files; keeps the last one loaded."""

    name = "litert"
    package = "ai-edge-litert"

    def __init__(self, *, threads: int = 1, kernels: Kernels = Kernels.DEFAULT) -> None:
        self._threads = threads
        self._kernels = Kernels(kernels)
        self._loaded: _Loaded | None = None

    def ports(self, payload: Payload) -> Ports:
        """Loads a file and returns what it takes and gives; see `Runner`."""
        return self._load(payload, observe=False).ports

    def run(
        self, payload: Payload, inputs: Mapping[str, Array], *, intermediates: Sequence[str] = ()
    ) -> dict[str, Array]:
        """Runs a file once; see `Runner`.

        Intermediates are observed without XNNPACK, which does not write what it fuses.
        """
        loaded = self._load(payload, observe=bool(intermediates))
        arrays = check_inputs(loaded.ports.inputs, inputs)
        try:
            return loaded.run(arrays, intermediates)
        except (ValueError, RuntimeError) as problem:
            self.close()  # an interpreter that failed may be in any state
            raise _refusal(problem) from problem

    def timed(self, payload: Payload, inputs: Mapping[str, Array]) -> float:
        """Runs a file once and returns the seconds of the inference alone, without copies of its tensors.

        Raises:
            EdgekitError: As `Runner.run`.
        """
        loaded = self._load(payload, observe=False)
        arrays = check_inputs(loaded.ports.inputs, inputs)
        try:
            return loaded.timed(arrays)
        except (ValueError, RuntimeError) as problem:
            self.close()
            raise _refusal(problem) from problem

    def close(self) -> None:
        """Releases the interpreter."""
        self._loaded = None

    def _load(self, payload: Payload, *, observe: bool) -> _Loaded:
        loaded = self._loaded
        if loaded is not None and loaded.held.is_still(payload) and loaded.observes == observe:
            return loaded
        self.close()
        try:
            self._loaded = _Loaded(payload, self._threads, self._kernels, observe)
        except (ValueError, RuntimeError) as problem:
            raise _refusal(problem) from problem
        return self._loaded


class _Loaded:
    """An interpreter with a file in it."""

    def __init__(self, payload: Payload, threads: int, kernels: Kernels, observe: bool) -> None:
        self.held = Held.of(payload)
        self.observes = observe
        if observe and kernels is Kernels.DEFAULT:
            kernels = Kernels.BUILTIN
        self._interpreter = _interpreter(payload, threads, kernels, observe)
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        aliases = _aliases(self._interpreter)
        input_keys, output_keys = _keys(inputs, "input"), _keys(outputs, "output")
        self._inputs = dict(zip(input_keys, inputs, strict=True))
        self._outputs = dict(zip(output_keys, outputs, strict=True))
        self.ports = Ports(
            tuple(_port(key, d, aliases["inputs"]) for key, d in self._inputs.items()),
            tuple(_port(key, d, aliases["outputs"]) for key, d in self._outputs.items()),
        )
        self._shapes: dict[str, tuple[int, ...]] | None = None

    def run(self, arrays: Mapping[str, Array], intermediates: Sequence[str]) -> dict[str, Array]:
        interpreter = self._interpreter
        self._fill(arrays)
        interpreter.invoke()
        details = interpreter.get_output_details()  # anew: sizes may be known only now
        results = {key: _read(interpreter, d) for key, d in zip(self._outputs, details, strict=True)}
        return results | self._observed(intermediates, set(results))

    def timed(self, arrays: Mapping[str, Array]) -> float:
        self._fill(arrays)
        start = time.perf_counter()
        self._interpreter.invoke()
        return time.perf_counter() - start

    def _fill(self, arrays: Mapping[str, Array]) -> None:
        self._allocate({key: array.shape for key, array in arrays.items()})
        for key, array in arrays.items():
            self._interpreter.set_tensor(self._inputs[key]["index"], _to_litert(array))
        self._interpreter.reset_all_variables()

    def _allocate(self, shapes: dict[str, tuple[int, ...]]) -> None:
        if shapes == self._shapes:
            return
        self._shapes = None
        for key, shape in shapes.items():
            detail = self._inputs[key]
            if tuple(detail["shape"]) != shape:
                self._interpreter.resize_tensor_input(detail["index"], list(shape), strict=False)
        self._interpreter.allocate_tensors()
        self._inputs = dict(zip(self._inputs, self._interpreter.get_input_details(), strict=True))
        self._shapes = shapes

    def _observed(self, wanted: Sequence[str], have: set[str]) -> dict[str, Array]:
        """Returns the results of ops that are wanted, without those that cannot be read."""
        if not wanted:
            return {}
        details = {d["index"]: d for d in self._interpreter.get_tensor_details()}
        # Private, and the only way to tell results of ops from weights.
        ops = self._interpreter._get_ops_details()
        results = [details[i] for op in ops for i in op["outputs"] if i in details]
        names = Counter(d["name"] for d in results)
        everything = tuple(wanted) == ALL_INTERMEDIATES
        observed = {}
        for detail in results:
            name = detail["name"]
            if name in have or names[name] > 1 or not (everything or name in wanted):
                continue
            try:
                observed[name] = _from_litert(self._interpreter.get_tensor(detail["index"]))
            except ValueError:
                continue  # no memory behind it: the caller sees that it is absent
        return observed


def _interpreter(payload: Payload, threads: int, kernels: Kernels, observe: bool) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ImportError as problem:
        raise missing_runtime("ai-edge-litert", "running a TFLite file") from problem
    resolver = {
        Kernels.DEFAULT: OpResolverType.AUTO,
        Kernels.BUILTIN: OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        Kernels.REFERENCE: OpResolverType.BUILTIN_REF,
    }[kernels]
    source = {"model_content": payload} if isinstance(payload, bytes) else {"model_path": str(payload)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # on memory, when tensors are kept
        interpreter = Interpreter(
            **source,
            num_threads=threads,
            experimental_op_resolver_type=resolver,
            experimental_preserve_all_tensors=observe,
        )
    signatures = [d["shape_signature"] for d in interpreter.get_input_details()]
    if all(size >= 0 for sizes in signatures for size in sizes):
        interpreter.allocate_tensors()  # with open sizes only the caller's are sure to fit
    return interpreter


def _aliases(interpreter: Any) -> dict[str, dict[int, str]]:
    """Returns the names of the first signature by tensor index, where the file has one."""
    # Private, and the only way from a signature's names to tensors.
    signatures = interpreter._get_full_signature_list()
    first: Mapping[str, Mapping[str, int]] = next(iter(signatures.values()), {})
    return {
        side: {index: name for name, index in first.get(side, {}).items()} for side in ("inputs", "outputs")
    }


def _keys(details: Sequence[Mapping[str, Any]], kind: str) -> list[str]:
    """Returns one name per tensor: its own, made distinct where it is empty or repeated."""
    names = [d["name"] or f"{kind}_{i}" for i, d in enumerate(details)]
    counts = Counter(names)
    return [name if counts[name] == 1 else f"{name}#{i}" for i, name in enumerate(names)]


def _port(key: str, detail: Mapping[str, Any], aliases: Mapping[int, str]) -> Port:
    dtype = np.dtype(detail["dtype"])
    signature = detail["shape_signature"] if len(detail["shape_signature"]) else detail["shape"]
    alias = aliases.get(detail["index"])
    return Port(
        key,
        np.dtype(object) if dtype.kind == "S" else dtype,
        tuple(None if size < 0 else int(size) for size in signature),
        alias if alias != key else None,
    )


def _read(interpreter: Any, detail: Mapping[str, Any]) -> Array:
    """Returns a copy of an output; LiteRT may keep no memory to read for one without elements."""
    if 0 in detail["shape"]:
        return np.empty(detail["shape"], detail["dtype"])
    return _from_litert(interpreter.get_tensor(detail["index"]))


def _to_litert(array: Array) -> Array:
    return array.astype(np.bytes_) if array.dtype.kind in "OU" else array


def _from_litert(array: Array) -> Array:
    if array.dtype.kind not in "OS":
        return array
    text = np.empty(array.shape, object)
    text.reshape(-1)[:] = [
        b.decode("utf-8", "surrogateescape") if isinstance(b, bytes) else b for b in array.reshape(-1)
    ]
    return text


def _refusal(problem: Exception) -> EdgekitError:
    text = " ".join(str(problem).split())
    return error("EK503", "LiteRT refuses the model", notes=(text[:2000],), data={"runtime": "litert"})

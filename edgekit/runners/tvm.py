"""Runs libraries that TVM compiled, with TVM's runtime alone: no compiler takes part."""

from __future__ import annotations

import ctypes
import functools
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.diagnostics import EdgekitError, error
from edgekit.runners.base import (
    Array,
    Held,
    Payload,
    Port,
    Ports,
    RunnerBase,
    check_inputs,
    missing_runtime,
)

ALIGNMENT = 64
"""What TVM's code expects of the address of a tensor, in bytes."""
_CPU, _POOLED = 1, 2
"""TVM's numbers of the device CPU and of the pooling allocator."""


class TvmRunner(RunnerBase):
    """Runs shared libraries; keeps the last one loaded.

    Intermediates cannot be observed: fused kernels keep them in registers.
    """

    name = "tvm"
    package = "apache-tvm"

    def __init__(self, *, threads: int = 1) -> None:
        self._threads = threads
        self._loaded: _Loaded | None = None

    def ports(self, payload: Payload) -> Ports:
        """Loads a library and returns what it takes and gives; see `Runner`."""
        return self._load(payload).ports

    def run(
        self, payload: Payload, inputs: Mapping[str, Array], *, intermediates: Sequence[str] = ()
    ) -> dict[str, Array]:
        """Runs a library once; see `Runner`."""
        loaded = self._load(payload)
        arrays = check_inputs(loaded.ports.inputs, inputs)
        try:
            return loaded.run(arrays)
        except _FAILURES as problem:
            self.close()
            raise _refusal(problem) from problem

    def close(self) -> None:
        """Releases the library."""
        self._loaded = None

    def _load(self, payload: Payload) -> _Loaded:
        if self._loaded is None or not self._loaded.held.is_still(payload):
            self.close()
            runtime = _runtime(self._threads)
            try:
                self._loaded = _Loaded(payload, runtime)
            except _FAILURES as problem:
                raise _refusal(problem) from problem
        return self._loaded


_FAILURES = (RuntimeError, ValueError, TypeError, AttributeError, OSError)
"""What `tvm_ffi` raises for errors of TVM; its own classes derive from these."""


class _Loaded:
    """A library in TVM's virtual machine."""

    def __init__(self, payload: Payload, runtime: Any) -> None:
        self.held = Held.of(payload)
        self._runtime = runtime
        with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
            # A copy under a new name: the loader gives the old library for a name that it knows.
            path = Path(folder, "model.so")
            if isinstance(payload, bytes):
                path.write_bytes(payload)
            else:
                shutil.copyfile(payload, path)
            module = runtime.load_module(str(path))
        self._machine = module["vm_load_executable"]()
        self._machine["vm_initialization"](_CPU, 0, _POOLED)
        described = json.loads(bytes(np.from_dlpack(self._machine["edgekit_ports"]())))
        _require(described.get("needs"))
        self.ports = Ports(_ports(described["inputs"]), _ports(described["outputs"]))

    def run(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        tensors = [self._runtime.from_dlpack(_aligned(a)) for a in arrays.values()]
        results = self._machine["main"](*tensors)
        return {
            port.name: np.array(np.from_dlpack(result))
            for port, result in zip(self.ports.outputs, results, strict=True)
        }


def _require(needs: Mapping[str, Any] | None) -> None:
    """Refuses a library whose code this CPU cannot run, before any of it is run.

    Raises:
        EdgekitError: EK525 naming the features of the CPU that are missing.
    """
    own = None if needs is None else _cpu_features(needs["line"])
    missing = [] if needs is None or own is None else [f for f in needs["features"] if f not in own]
    if missing:
        raise error(
            "EK525",
            "the library is compiled for a CPU that has more than this one",
            notes=(f"missing here: {', '.join(f'`{name}`' for name in missing)}",),
            help="convert with `--mcpu` of this machine's CPU, or with `--mcpu generic`",
            data={"missing": missing},
        )


CPUINFO = Path("/proc/cpuinfo")


def _cpu_features(line: str) -> frozenset[str] | None:
    """Returns what the system says that this CPU has; `None` if it does not say so in that line."""
    try:
        text = CPUINFO.read_text()
    except OSError:
        return None  # not Linux
    found = next((rest for rest in text.splitlines() if rest.partition(":")[0].strip() == line), None)
    return None if found is None else frozenset(found.partition(":")[2].split())


@functools.cache
def _library() -> Path:
    """Returns the folder of TVM's shared libraries, without importing TVM."""
    spec = find_spec("tvm")
    if spec is None or not spec.submodule_search_locations:
        raise missing_runtime("apache-tvm", "running a library of TVM")
    return Path(next(iter(spec.submodule_search_locations)), "lib")


def _runtime(threads: int) -> Any:
    """Loads TVM's runtime and returns its Python interface."""
    try:
        import tvm_ffi
    except ImportError as problem:
        raise missing_runtime("apache-tvm", "running a library of TVM") from problem
    name = {"darwin": "libtvm_runtime.dylib", "win32": "tvm_runtime.dll"}.get(
        sys.platform, "libtvm_runtime.so"
    )
    try:
        ctypes.CDLL(str(_library() / name), ctypes.RTLD_GLOBAL)
    except OSError as problem:
        raise missing_runtime("apache-tvm", "running a library of TVM") from problem
    tvm_ffi.get_global_func("runtime.config_threadpool")(1, threads)
    return tvm_ffi


def _aligned(array: Array) -> Array:
    """Copies an array to an address that TVM's code accepts."""
    room = np.empty(array.nbytes + ALIGNMENT, np.uint8)
    offset = -room.ctypes.data % ALIGNMENT
    copy = room[offset : offset + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy if array.size else _compact(copy)


def _compact(array: Array) -> Array:
    """Gives an empty array the strides that TVM computes; numpy counts an empty axis as one element."""
    strides: list[int] = []
    step = array.itemsize
    for size in reversed(array.shape):
        strides.insert(0, step)
        step *= size
    return np.lib.stride_tricks.as_strided(array, array.shape, strides)


def _ports(described: Sequence[Mapping[str, Any]]) -> tuple[Port, ...]:
    return tuple(Port(p["name"], np.dtype(p["dtype"]), tuple(p["shape"])) for p in described)


def _refusal(problem: Exception) -> EdgekitError:
    text = " ".join(str(problem).split())
    return error("EK503", "TVM's runtime refuses the library", notes=(text[:2000],), data={"runtime": "tvm"})
